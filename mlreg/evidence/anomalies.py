"""Whether a value is unusual: how far it is from the same hours of past days, in robust sigmas."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median
from typing import NamedTuple

# With fewer past hours nobody knows what is usual.
LEAST_HOURS = 7
# What the median absolute deviation and the mean one are of a normal distribution's sigma.
_OF_MEDIAN, _OF_MEAN = 1.4826, 1.2533


class Unusual(NamedTuple):
    """How far a value is off.

    Attributes:
        z: In robust sigmas, with its sign; None where that cannot be said.
        usual: The median of the past hours; None where there are none.
        low: The smallest value within the sigmas that were asked for; `high` the largest.
        hours: How many past hours it rests on.
        why: Why nothing can be said.
    """

    z: float | None
    usual: float | None
    low: float | None
    high: float | None
    hours: int
    why: str = ""


def unusual(value: float | None, past: Sequence[float], sigma: float) -> Unusual:
    """How far a value is from past ones, by the median and the median absolute deviation.

    Where more than half of the past values are the same, the mean absolute deviation stands in, as
    Iglewicz & Hoaglin (1993), How to Detect and Handle Outliers, propose.
    """
    hours = len(past)
    if value is None:
        return Unusual(None, None, None, None, hours, "there is no data in the last hour")
    if hours < LEAST_HOURS:
        why = f"only {hours} past hours are there to compare with, and {LEAST_HOURS} are asked for"
        return Unusual(None, None, None, None, hours, why)
    usual = median(past)
    away = [abs(one - usual) for one in past]
    scale = _OF_MEDIAN * median(away) or _OF_MEAN * fmean(away)
    if not scale:
        return Unusual(None, usual, usual, usual, hours, "it was the same in all past hours")
    room = sigma * scale
    return Unusual((value - usual) / scale, usual, usual - room, usual + room, hours)
