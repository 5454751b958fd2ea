"""`mlreg abtest power`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.options import (
    AlphaOption,
    PowerOption,
    amount,
    number,
    parser,
    percent,
    whole_number,
)
from mlreg.cli.session import SessionOptions
from mlreg.errors import InvalidInput
from mlreg.names import safe


def change_to_find(text: str) -> tuple[float, bool]:
    """A change, and whether it is a part of the baseline: `0.02`, `+20%`."""
    return amount(text), text.endswith("%")


def power(
    session: SessionOptions,
    baseline: Annotated[
        float | None,
        typer.Option(
            "--baseline",
            metavar="B",
            parser=parser(amount),
            help="The control's rate, or its mean where --sd is given.",
        ),
    ] = None,
    mde: Annotated[
        str | None,
        typer.Option(
            "--mde",
            metavar="D",
            help="The smallest change to find: 0.02 is absolute, +20% a part of the baseline.",
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            metavar="N",
            parser=parser(whole_number),
            help="Instead of --mde: what this many units find, all arms together.",
        ),
    ] = None,
    daily: Annotated[
        float | None,
        typer.Option(
            "--daily",
            metavar="N",
            parser=parser(number),
            help="New units a day, all arms together.",
        ),
    ] = None,
    sd: Annotated[
        float | None,
        typer.Option(
            "--sd",
            metavar="S",
            parser=parser(number),
            help="Standard deviation of one unit: plan for a mean.",
        ),
    ] = None,
    alpha: AlphaOption = 0.05,
    power: PowerOption = 0.8,
    arms: Annotated[
        int,
        typer.Option(
            "--arms",
            metavar="N",
            parser=parser(whole_number),
            help="Versions, the control included.",
        ),
    ] = 2,
    split: Annotated[
        float | None,
        typer.Option(
            "--split",
            metavar="PCT",
            parser=parser(percent),
            help="Share of all treatments together; else all arms get the same.",
        ),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            "--ratio",
            metavar="R",
            parser=parser(number),
            help="The same as units of a treatment for each unit of the control.",
        ),
    ] = None,
    design_effect: Annotated[
        float,
        typer.Option(
            "--design-effect",
            metavar="F",
            parser=parser(number),
            help="How much more the results of a user's requests vary together than single ones.",
        ),
    ] = 1.0,
) -> None:
    """Say how many units a test needs, or what they can find.

    A unit is what is split: a user where routing is sticky, else a request. Three ways to look
    are compared: fixed looks once at the end; group-sequential may stop at ten looks on the way;
    always-valid at any moment, with no end set.

    $ mlreg abtest power --baseline 0.10 --mde 0.02 --daily 5000
    $ mlreg abtest power --baseline 0.10 --mde +20% --split 20
    $ mlreg abtest power --baseline 0.10 --n 10000
    $ mlreg abtest power --baseline 120 --sd 45 --mde -5
    """
    from mlreg.evidence.planning import Design, plan

    change, is_relative = change_to_find(mde) if mde is not None else (None, False)
    design = Design(
        baseline=baseline,
        mde=None if is_relative else change,
        relative_mde=change if is_relative else None,
        units=n,
        sd=sd,
        alpha=alpha,
        power=power,
        ratio=_ratio(split, ratio, arms),
        arms=arms,
        design_effect=design_effect,
        units_per_day=daily,
    )
    session.emit(plan(design))


def _ratio(split: float | None, ratio: float | None, arms: int) -> float:
    if split is None or ratio is not None:
        if split is not None:
            raise InvalidInput("--split and --ratio say the same: give one of them")
        return 1.0 if ratio is None else ratio
    if not 0 < split < 100:
        raise InvalidInput(f"the split lies between 0 and 100, not at {safe(f'{split:g}')}")
    return split / (100 - split) / max(1, arms - 1)
