"""How long labels take, of which some have yet to come."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from mlreg.clock import DAY, HOUR, SECOND

SHARE = 0.95
"""Of the labels that come, how many have to have come within the window."""

_MINUTE = 60 * SECOND
# Rounding up to a few lengths keeps the window still while more delays are seen.
_LENGTHS = (
    *(n * SECOND for n in (0, 1, 2, 5, 10, 20, 30)),
    *(n * _MINUTE for n in (1, 2, 5, 10, 20, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 3, 4, 5, 7, 10, 14, 21, 28)),
)


def usual_delay(seen: Iterable[tuple[int, int | None]], *, share: float = SHARE) -> int | None:
    """The time within which a share of the labels comes, of those that come at all.

    A prediction without a label says no more than that it takes longer than the prediction is old:
    the distribution is Kaplan & Meier's (1958), in which such delays are censored.

    Args:
        seen: Of each prediction its age and the delay of its label, None for one without; in one
            unit of time.
        share: Which share of the labels.

    Returns:
        The shortest delay that is long enough; None without labels.
    """
    came: list[int] = []
    ages: list[int] = []
    for age, delay in seen:
        (ages if delay is None else came).append(max(0, age if delay is None else delay))
    if not came:
        return None
    steps = _arrived(sorted(came), sorted(ages))
    enough = share * steps[-1][1]
    return next(delay for delay, arrived in steps if arrived >= enough)


def _arrived(came: Sequence[int], ages: Sequence[int]) -> list[tuple[int, float]]:
    """After each delay the share of labels that has come by then; both are in order."""
    steps, missing, place = [], 1.0, 0
    while place < len(came):
        delay = came[place]
        following = place
        while following < len(came) and came[following] == delay:
            following += 1
        at_risk = len(came) - place + len(ages) - bisect_left(ages, delay)
        missing *= 1 - (following - place) / at_risk
        steps.append((delay, 1 - missing))
        place = following
    return steps


def rounded_up(micros: int) -> int:
    """The next length of time that people use: `3 days` for 2.2 days."""
    place = bisect_left(_LENGTHS, micros)
    month = 30 * DAY
    return _LENGTHS[place] if place < len(_LENGTHS) else -(-micros // month) * month
