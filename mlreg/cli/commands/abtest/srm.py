"""`mlreg abtest srm`."""

from __future__ import annotations

from typing import Any

from mlreg.cli.kit.parameters import argument, flag, option
from mlreg.cli.kit.values import number, whole_number
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed
from mlreg.stats.srm import THRESHOLD


def srm(
    session: SessionOptions,
    counts: list[Any] = argument("COUNT COUNT...", "Units of each arm.", whole_number),
    weights: str | None = option(
        "--weights W,W...", "The intended split, on any scale; else all arms get the same."
    ),
    threshold: float = option(
        "--threshold P", "Alarm below this p-value.", number, default=THRESHOLD
    ),
    sequential: bool = flag("--sequential", "The check is repeated as units arrive, as by cron."),
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
