"""Quantiles such as p95 latency: of values or of a histogram, with limits and differences."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

from mlreg.stats import codes
from mlreg.stats.checks import check_count, check_fraction
from mlreg.stats.distributions import binomial_cdf, binomial_tail, normal_upper
from mlreg.stats.estimates import Estimate, compare_estimates
from mlreg.stats.results import Comparison

MIN_BEYOND = 100
"""Observations beyond the quantile that the normal approximation of a difference needs."""

Ranks = Callable[[int, float, float], tuple[int | None, int | None]]


class Bucket(NamedTuple):
    """Observations between two edges, in the metric's unit."""

    lower: float
    upper: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileEstimate:
    """One arm's quantile.

    Attributes:
        quantile: Which quantile, between 0 and 1.
        n: Number of observations.
        value: The estimate; None without observations.
        low: Lower limit; None when the sample is too small to have one.
        high: Upper limit; None when the sample is too small to have one.
        level: Confidence level of the limits.
        warnings: Codes from `mlreg.stats.codes`.
    """

    quantile: float
    n: int
    value: float | None
    low: float | None
    high: float | None
    level: float = 0.95
    warnings: tuple[str, ...] = ()

    @property
    def se(self) -> float | None:
        """(high - low) / (2 z), as Deng, Knoblich & Lu (2018) do; None without both limits."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / (2 * normal_upper((1 - self.level) / 2))

    @property
    def beyond(self) -> float:
        """Observations expected on the thinner side of the quantile."""
        return self.n * min(self.quantile, 1 - self.quantile)


def quantile_of_values(
    values: Sequence[float], quantile: float, *, level: float = 0.95
) -> QuantileEstimate:
    """Quantile by linear interpolation (type 7 of Hyndman & Fan 1996), with exact limits.

    The limits are order statistics, at the ranks of `limit_ranks`. NaN is left out, with a warning.

    Raises:
        ValueError: For quantile or level outside (0, 1).
    """
    ordered = sorted(float(value) for value in values if not math.isnan(value))
    n = len(ordered)
    low, high = limit_ranks(n, quantile, level)
    return QuantileEstimate(
        quantile=quantile,
        n=n,
        value=_interpolated(ordered, quantile) if n else None,
        low=None if low is None else ordered[low],
        high=None if high is None else ordered[high],
        level=level,
        warnings=_caveats(n, low, high, is_clean=n == len(values)),
    )


def quantile_of_histogram(
    buckets: Sequence[Bucket], quantile: float, *, level: float = 0.95, ranks: Ranks | None = None
) -> QuantileEstimate:
    """Quantile of a histogram; histograms of the same buckets merge by adding their counts.

    The estimate is interpolated within its bucket, on the log scale where both edges are above
    zero. The limits are the outer edges of the buckets that hold the order statistics, so they are
    wider than exact ones by at most a bucket on either side.

    Args:
        buckets: Buckets in ascending order; empty ones may be left out.
        quantile: Which quantile, between 0 and 1.
        level: Confidence level of the limits.
        ranks: The order statistics that are the limits; None: those of `limit_ranks`.

    Raises:
        ValueError: For quantile or level outside (0, 1), buckets out of order or negative counts.
    """
    _check_buckets(buckets)
    ends = list(accumulate(bucket.n for bucket in buckets))
    n = ends[-1] if ends else 0
    low, high = (ranks or limit_ranks)(n, quantile, level)
    return QuantileEstimate(
        quantile=quantile,
        n=n,
        value=_within_bucket(buckets, ends, (n - 1) * quantile) if n else None,
        low=None if low is None else buckets[bisect_right(ends, low)].lower,
        high=None if high is None else buckets[bisect_right(ends, high)].upper,
        level=level,
        warnings=_caveats(n, low, high, is_clean=True),
    )


def log_buckets(upper_edges: Iterable[tuple[float, int]], growth: float) -> list[Bucket]:
    """Buckets of a log-scale histogram from (upper edge, count) pairs; lower edge = upper / growth.

    Raises:
        ValueError: Unless growth is above 1.
    """
    if not growth > 1:
        raise ValueError(f"growth must be above 1, got {growth!r}")
    return [Bucket(upper / growth, upper, n) for upper, n in sorted(upper_edges)]


def compare_quantiles(
    control: QuantileEstimate,
    treatment: QuantileEstimate,
    *,
    design_effects: tuple[float, float] = (1.0, 1.0),
    alpha: float = 0.05,
) -> Comparison:
    """Compare the same quantile of two arms by z, two-sided (Deng, Knoblich & Lu 2018).

    Args:
        control: Quantile of the control.
        treatment: Quantile of the treatment.
        design_effects: For each arm how many times users inflate the variance of the share of
            values up to the quantile: `mlreg.stats.ratios.design_effect` with y the values of a
            user up to it and x all values of that user.
        alpha: Level of the test; intervals have level 1 - alpha.

    Raises:
        ValueError: When the quantiles differ, or for alpha outside (0, 1).
    """
    if control.quantile != treatment.quantile:
        raise ValueError(f"cannot compare quantiles {control.quantile} and {treatment.quantile}")
    arms = [
        quantile_estimate(arm, effect)
        for arm, effect in zip((control, treatment), design_effects, strict=True)
    ]
    is_thin = 0 < min(control.beyond, treatment.beyond) < MIN_BEYOND
    return compare_estimates(
        arms[0],
        arms[1],
        method="quantile",
        alpha=alpha,
        warnings=(codes.THIN_TAIL,) if is_thin else (),
    )


def quantile_estimate(arm: QuantileEstimate, design_effect: float = 1.0) -> Estimate:
    """The quantile as an estimate with a standard error, for tests and sequential looks."""
    if arm.value is None:
        return Estimate(value=math.nan, se=math.nan, n=0)
    se = math.nan if arm.se is None else arm.se * math.sqrt(design_effect)
    return Estimate(value=arm.value, se=se, n=arm.n)


def limit_ranks(n: int, quantile: float, level: float) -> tuple[int | None, int | None]:
    """Ranks (from 0) of the order statistics that bound a quantile; None where n is too small.

    The number of values up to the true quantile is binomial (n, quantile), whatever the
    distribution (David & Nagaraja 2003, section 7.1).

    Raises:
        ValueError: For quantile or level outside (0, 1).
    """
    check_fraction("quantile", quantile)
    check_fraction("level", level)
    if n == 0:
        return None, None
    tail = (1 - level) / 2
    below = _first_count(n, lambda k: binomial_cdf(k, n, quantile) >= tail) - 1
    above = _first_count(n, lambda k: binomial_tail(k, n, quantile) <= tail)
    return below if below >= 0 else None, above if above < n else None


def min_n_for_limits(quantile: float, *, level: float = 0.95) -> int:
    """Smallest sample with both limits: 72 for the p95 and 368 for the p99 at level 0.95.

    Raises:
        ValueError: For quantile or level outside (0, 1).
    """
    check_fraction("quantile", quantile)
    check_fraction("level", level)
    rarer = max(quantile, 1 - quantile)
    return math.ceil(math.log((1 - level) / 2) / math.log(rarer))


def _first_count(n: int, reached: Callable[[int], bool]) -> int:
    """The smallest k in 0…n for which `reached`, which stays true once it is."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle + 1, high)
    return low


def _interpolated(ordered: Sequence[float], quantile: float) -> float:
    position = (len(ordered) - 1) * quantile
    before = math.floor(position)
    after = min(before + 1, len(ordered) - 1)
    share = position - before
    if not share or ordered[after] == ordered[before]:
        return ordered[before]
    return ordered[before] * (1 - share) + ordered[after] * share


def _within_bucket(buckets: Sequence[Bucket], ends: Sequence[int], position: float) -> float:
    index = bisect_right(ends, math.floor(position))
    lower, upper, n = buckets[index]
    share = min(1.0, max(0.0, (position + 0.5 - (ends[index] - n)) / n))
    if lower > 0:
        return float(lower * (upper / lower) ** share)
    return lower + (upper - lower) * share


def _caveats(n: int, low: int | None, high: int | None, *, is_clean: bool) -> tuple[str, ...]:
    found = {
        codes.EMPTY_ARM: n == 0,
        codes.THIN_TAIL: n > 0 and (low is None or high is None),
        codes.NOT_FINITE: not is_clean,
    }
    return tuple(code for code, is_present in found.items() if is_present)


def _check_buckets(buckets: Sequence[Bucket]) -> None:
    for bucket in buckets:
        check_count("a bucket's n", bucket.n)
        if not bucket.lower <= bucket.upper:
            raise ValueError(f"a bucket must not end before it begins, got {bucket!r}")
    if any(a.lower > b.lower for a, b in pairwise(buckets)):
        raise ValueError("buckets must be in ascending order")
