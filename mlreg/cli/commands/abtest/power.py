"""`mlreg abtest power`."""

from __future__ import annotations

from typing import Annotated, Any

from mlreg.cli.kit.parameters import Bundle, option
from mlreg.cli.kit.values import amount, number, pairs, percent, whole_number
from mlreg.cli.options import ALPHA, POWER
from mlreg.cli.session import SessionOptions
from mlreg.errors import InvalidInput
from mlreg.names import safe


def change_to_find(text: str) -> tuple[float, bool]:
    """A change, and whether it is a part of the baseline: `0.02`, `+20%`."""
    return amount(text), text.endswith("%")


def level(text: str) -> tuple[float, float | None]:
    """What a metric reaches, and its standard deviation: `2%`, `120:45`."""
    value, _, spread = text.partition(":")
    return amount(value), amount(spread) if spread else None


def read_question(
    baseline: float | None = option(
        "--baseline B", "The control's rate, or its mean where --sd is given.", amount
    ),
    mde: str | None = option(
        "--mde D", "The smallest change to find: 0.02 is absolute, +20% a part of the baseline."
    ),
    units: int | None = option(
        "--n N", "Instead of --mde: what this many units find, all arms together.", whole_number
    ),
    units_per_day: float | None = option(
        "--daily N", "New units a day, all arms together.", number
    ),
    sd: float | None = option("--sd S", "Standard deviation of one unit: plan for a mean.", number),
    alpha: float = ALPHA,
    power: float = POWER,
    arms: int = option("--arms N", "Versions, the control included.", whole_number, default=2),
    split: float | None = option(
        "--split PCT", "Share of all treatments together; else all arms get the same.", percent
    ),
    ratio: float | None = option(
        "--ratio R", "The same as units of a treatment for each unit of the control.", number
    ),
    design_effect: float = option(
        "--design-effect F",
        "How much more the results of a user's requests vary together than single ones.",
        number,
        default=1.0,
    ),
    metrics: int = option(
        "--metrics N",
        "How many metrics can decide; a report of perf shares alpha among them.",
        whole_number,
        default=1,
    ),
    guardrails: list[str] | None = option(
        "--guardrail CONDITION",
        "What a winner must be shown to keep, such as 'error_rate <= +1pt'; repeatable.",
    ),
    levels: list[str] | None = option(
        "--level M=V",
        "What the control reaches in a guarded metric, and the standard deviation of one unit "
        "unless it is a rate: error_rate=2%, avg_latency_ms=120:45; repeatable.",
    ),
) -> dict[str, Any]:
    """What the options amount to: the fields of a design, but for the shares."""
    said = dict(locals())
    from mlreg.evidence.planning import read_guarded

    said["ratio"] = _ratio(said.pop("split"), ratio, arms)
    said["guarded"] = read_guarded(said.pop("guardrails") or (), pairs(said.pop("levels"), level))
    change, is_relative = change_to_find(mde) if mde is not None else (None, False)
    return said | {"mde": None, ("relative_mde" if is_relative else "mde"): change}


def power(
    session: SessionOptions, question: Annotated[dict[str, Any], Bundle(read_question)]
) -> None:
    """Say how many units a test needs, or what they can find.

    A unit is what is split: a user where routing is sticky, else a request. Three ways to look
    are compared: fixed looks once at the end; group-sequential may stop at ten looks on the way;
    always-valid at any moment, with no end set.

    $ mlreg abtest power --baseline 0.10 --mde 0.02 --daily 5000
    $ mlreg abtest power --baseline 0.10 --mde +20% --split 20
    $ mlreg abtest power --baseline 0.10 --n 10000
    $ mlreg abtest power --baseline 120 --sd 45 --mde -5
    $ mlreg abtest power --baseline 0.80 --mde 0.05 --guardrail 'error_rate <= +1pt' \
--level error_rate=2%
    """
    from mlreg.evidence.planning import Design, plan

    session.emit(plan(Design(**question)))


def _ratio(split: float | None, ratio: float | None, arms: int) -> float:
    if split is None or ratio is not None:
        if split is not None:
            raise InvalidInput("--split and --ratio say the same: give one of them")
        return 1.0 if ratio is None else ratio
    if not 0 < split < 100:
        raise InvalidInput(f"the split lies between 0 and 100, not at {safe(f'{split:g}')}")
    return split / (100 - split) / max(1, arms - 1)
