"""`mlreg abtest srm`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlreg.cli.options import number, parser, whole_number
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed


def srm(
    session: SessionOptions,
    counts: Annotated[
        list[Any],
        typer.Argument(
            metavar="COUNT COUNT...",
            show_default=False,
            parser=parser(whole_number),
            help="Units of each arm.",
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="W,W...",
            help="The intended split, on any scale; else all arms get the same.",
        ),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", metavar="P", parser=parser(number), help="Alarm below this p-value."
        ),
    ] = 0.001,
    sequential: Annotated[
        bool,
        typer.Option("--sequential", help="The check is repeated as units arrive, as by cron."),
    ] = False,
) -> None:
    """Check that arms got the share of units they were meant to get.

    Count what was split: users where routing is sticky, else requests. A mismatch ends with exit
    code 10; then routing or logging is broken, and no metric can be trusted.

    $ mlreg abtest srm 5030 4970
    $ mlreg abtest srm 8120 1880 --weights 80,20
    """
    from mlreg.evidence.planning import check_split

    shares = [number(part.strip()) for part in weights.split(",")] if weights else []
    check = check_split(counts, shares, threshold=threshold, is_repeated=sequential)
    session.emit(check)
    if check.is_mismatch:
        raise CheckFailed("the arms did not get the units that they were meant to get")
