"""From an interval to words: what the experiment says about a difference that matters."""

import math
from enum import StrEnum

from mlreg.stats.checks import check_choice, check_count
from mlreg.stats.results import Interval


class Verdict(StrEnum):
    """What an interval of the improvement shows, given the smallest one worth shipping."""

    BETTER_PRACTICAL = "better_practical"
    BETTER_SMALL = "better_small"
    EQUIVALENT = "equivalent"
    WORSE = "worse"
    NO_WORTHWHILE_GAIN = "no_worthwhile_gain"
    INCONCLUSIVE = "inconclusive"
    UNDEFINED = "undefined"


def orient(interval: Interval, direction: str) -> Interval:
    """The interval of the improvement: turned round for a metric whose good direction is "down".

    Raises:
        ValueError: When direction is neither "up" nor "down".
    """
    check_choice("direction", direction, ("up", "down"))
    return interval if direction == "up" else Interval(-interval.high, -interval.low)


def judge(interval: Interval | None, *, min_effect: float, direction: str = "up") -> Verdict:
    """Judge the interval of treatment - control against the practical threshold.

    The first rule that fits, with L and U the limits of the improvement and m = min_effect:
    L >= m better_practical; L > 0 better_small; -m < L and U < m equivalent; U < 0 worse;
    U < m no_worthwhile_gain; otherwise inconclusive. An interval that touches zero never wins.

    Args:
        interval: Limits of treatment - control, valid under the mode of the experiment; None when
            the data allowed none.
        min_effect: Smallest improvement worth shipping, in the metric's unit, 0 or more.
        direction: "up" when larger is better, "down" for latency and cost.

    Raises:
        ValueError: For a negative or infinite min_effect, or an unknown direction.
    """
    check_count("min_effect", min_effect)
    check_choice("direction", direction, ("up", "down"))
    if interval is None or math.isnan(interval.low) or math.isnan(interval.high):
        return Verdict.UNDEFINED
    low, high = orient(interval, direction)
    rules = (
        (low > 0 and low >= min_effect, Verdict.BETTER_PRACTICAL),
        (low > 0, Verdict.BETTER_SMALL),
        (-min_effect < low and high < min_effect, Verdict.EQUIVALENT),
        (high < 0, Verdict.WORSE),
        (high < min_effect, Verdict.NO_WORTHWHILE_GAIN),
    )
    return next((verdict for applies, verdict in rules if applies), Verdict.INCONCLUSIVE)
