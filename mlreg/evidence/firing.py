"""What a threshold costs: how often it fires without any change, and how soon it sees a break.

A window of the last n predictions moves on by one: what leaves it and what enters it are
independent of the n - 1 between. So the chance that a window of zeros and ones goes from k to k + 1
ones is that of k among n - 1, times p (1 - p). For a mean, the same of normal sums: a difference of
two values, half of it upward, times the density of the mean at the bound (Rice's formula for a
moving sum).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from mlreg.clock import format_duration
from mlreg.evidence.conditions import Condition, of_catalogue
from mlreg.evidence.figures import read
from mlreg.metrics import FAILURES_IN_A_ROW, Share
from mlreg.tallies import Moments, Tally, bucket_edges

_DAY = 86_400.0
# Rarer than this is never, for people.
_NEVER_DAYS = 3650.0


class Rate(NamedTuple):
    """Zeros and ones that a condition is about: those that speak against it.

    Attributes:
        p: Their share now.
        most: The share that is still kept.
        is_kept_at: Whether exactly that share is kept.
    """

    p: float
    most: float
    is_kept_at: bool


def cost(condition: Condition, tally: Tally, daily: float) -> str:
    """How often a condition would be broken without any change, a sentence; empty if unknown.

    Args:
        condition: With a bound of its own; what depends on a reference is not known beforehand.
        tally: What was seen of late.
        daily: Predictions a day.
    """
    if condition.reference is not None or condition.sure or not daily or not tally.requests:
        return ""
    if condition.metric == FAILURES_IN_A_ROW:
        return _of_failures(condition, tally, daily)
    n = _window(condition, daily)
    if n is None:
        return ""
    whole = f"with the present {daily:,.0f} predictions a day"
    if n < max(1, condition.least):
        return (
            f"{whole}, its window holds some {n:.0f}, and it asks for {max(1, condition.least)}:"
            " it could seldom be judged"
        )
    metric = of_catalogue(condition.metric)
    if (rate := _rate(condition, tally)) is not None:
        level = f"{rate.p * 100:.3g} % {_against(condition)}"
        crossings, needed = _of_rate(rate, round(n))
    else:
        moments = read(metric, tally)
        if not isinstance(moments, Moments) or moments.mean is None or not moments.variance:
            return ""
        mean = metric.judged(moments.mean)
        spread = math.sqrt(moments.variance) / metric.per
        level = f"{mean:.4g}{'ms' if metric.unit == 'ms' else ''} on average"
        crossings, needed = _of_mean(condition, mean, spread, round(n))
    if crossings is None:
        return f"{whole} and {level}, it is broken now, and would fire at once"
    often = _often(crossings * daily)
    return f"{whole} and {level}: {often} without any change; a real break is seen after {needed}"


def _window(condition: Condition, daily: float) -> float | None:
    """How many predictions lie in its window."""
    if condition.over is None:
        return None
    if isinstance(condition.over, int):
        return float(condition.over)
    return daily * condition.over.total_seconds() / _DAY


def _rate(condition: Condition, tally: Tally) -> Rate | None:
    """The condition as one about a share; None where it is about a mean."""
    metric, is_upper = of_catalogue(condition.metric), condition.sign in ("<", "<=")
    is_kept_at = condition.sign in ("<=", ">=")
    if metric.quantile is not None:
        n = sum(tally.histogram.values())
        beyond = sum(
            c for b, c in tally.histogram.items() if bucket_edges(b)[0] >= condition.amount
        )
        if not n:
            return None
        p, most = _smoothed(beyond, n), 1 - metric.quantile
        return Rate(p, most, True) if is_upper else Rate(1 - p, 1 - most, True)
    reading = read(metric, tally)
    if not isinstance(reading, Share) or not reading.n:
        return None
    p = _smoothed(reading.hits, reading.n)
    if is_upper:
        return Rate(p, condition.amount, is_kept_at)
    return Rate(1 - p, 1 - condition.amount, is_kept_at)


def _smoothed(hits: int, n: int) -> float:
    """A share that is not 0 because nothing was seen of it yet."""
    return (hits + 0.5) / (n + 1)


def _against(condition: Condition) -> str:
    if of_catalogue(condition.metric).quantile is not None:
        return f"beyond {condition.amount:g}ms"
    return "against it"


def _of_rate(rate: Rate, n: int) -> tuple[float | None, str]:
    """Crossings for each prediction, and after how many a rate of twice the bound is seen."""
    most = math.floor(rate.most * n + 1e-9)
    if not rate.is_kept_at and math.isclose(most, rate.most * n):
        most -= 1
    if rate.p > rate.most:
        return None, ""
    crossings = 0.0
    if most < n and 0 < rate.p < 1:
        crossings = _binomial(n - 1, most, rate.p) * rate.p * (1 - rate.p)
    broken = min(1.0, max(2 * rate.most, 0.01))
    needed = max(1, math.ceil((most + 1 - rate.p * n) / max(broken - rate.p, 1e-9)))
    return crossings, f"some {min(needed, n):,} predictions if the share is {broken * 100:.3g} %"


def _of_mean(condition: Condition, mean: float, spread: float, n: int) -> tuple[float | None, str]:
    is_upper = condition.sign in ("<", "<=")
    away = condition.amount - mean if is_upper else mean - condition.amount
    if away < 0:
        return None, ""
    z = away / (spread / math.sqrt(n))
    crossings = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / math.sqrt(math.pi * n)
    broken = condition.amount * (1.5 if is_upper else 0.5)
    needed = max(1, math.ceil(n * away / max(abs(broken - mean), 1e-9)))
    return crossings, f"some {min(needed, n):,} predictions if the mean is {broken:.4g}"


def _of_failures(condition: Condition, tally: Tally, daily: float) -> str:
    most = math.floor(condition.amount) + (condition.sign == "<=")
    p = _smoothed(tally.errors, tally.requests)
    if condition.sign not in ("<", "<=") or most < 1:
        return ""
    often = _often(daily * (1 - p) * p**most)
    return (
        f"with the present {daily:,.0f} predictions a day and {p * 100:.3g} % of failures: {often}"
        f" without any change; a real break is seen after {most}"
    )


def _binomial(n: int, k: int, p: float) -> float:
    """The chance of k among n."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def _often(daily: float) -> str:
    """How often something is that happens so many times a day."""
    if daily <= 1 / _NEVER_DAYS:
        return "less than once in ten years"
    if daily > 24:
        return f"at most {daily:,.0f} times a day"
    return f"at most once in {format_duration(_DAY / daily)}"
