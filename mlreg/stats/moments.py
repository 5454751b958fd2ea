"""Mergeable moments: all that means, ratios and covariate adjustment need to know of the rows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from mlreg.stats.checks import check_count

_EPSILON = 2.0**-52


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Count, mean and sample variance of one arm.

    An empty arm has mean 0 and variance 0, a single observation variance 0: `n` says what they
    are worth.

    Attributes:
        n: Number of observations.
        mean: Arithmetic mean, in the metric's unit.
        variance: Sample variance (divisor n - 1), in the unit squared.
    """

    n: int
    mean: float
    variance: float

    def __post_init__(self) -> None:
        check_count("n", self.n)
        if self.variance < 0:
            raise ValueError(f"variance must not be negative, got {self.variance!r}")

    @classmethod
    def from_sums(cls, n: int, total: float, squares: float, *, shift: float = 0.0) -> Self:
        """Moments from a count, a sum and a sum of squares, as one `group by` gives them.

        Args:
            n: Number of observations.
            total: Sum of (x - shift).
            squares: Sum of (x - shift)².
            shift: A constant near the mean, taken off before summing. Use it when the mean is
                large against the spread: the difference of two nearly equal sums loses the digits
                that matter.
        """
        check_count("n", n)
        if n == 0:
            return cls(n=0, mean=0.0, variance=0.0)
        variance = max(0.0, covariance_from_sums(n, total, total, squares))
        return cls(n=n, mean=float(shift + total / n), variance=variance)

    @classmethod
    def from_values(cls, values: Iterable[float]) -> Self:
        """Moments of the values themselves, in two passes (no cancellation)."""
        data = [float(value) for value in values]
        mean = _mean(data)
        return cls(n=len(data), mean=mean, variance=_variance(data, mean))

    def __add__(self, other: Self) -> Self:
        """Moments of both sets of observations together (Chan, Golub & LeVeque 1979)."""
        n = self.n + other.n
        if not self.n or not other.n:
            return self if self.n else other
        gap = other.mean - self.mean
        scatter = self.scatter + other.scatter + gap * gap * self.n * other.n / n
        return type(self)(n=n, mean=self.mean + gap * other.n / n, variance=scatter / (n - 1))

    @property
    def scatter(self) -> float:
        """Sum of squared deviations from the mean."""
        return self.variance * max(self.n - 1, 0)

    @property
    def mean_variance(self) -> float:
        """Variance of the mean: variance / n, 0 for an empty arm."""
        return self.variance / self.n if self.n else 0.0

    @property
    def is_finite(self) -> bool:
        """Whether neither the mean nor the variance is NaN or infinite."""
        return math.isfinite(self.mean) and math.isfinite(self.variance)

    @property
    def is_constant(self) -> bool:
        """Whether the spread is zero, or so small that it is only the rounding of the mean."""
        rounding = 8 * _EPSILON * self.mean
        return self.variance <= rounding * rounding


def covariance_from_sums(n: int, total_a: float, total_b: float, products: float) -> float:
    """Sample covariance from Σa, Σb and Σab.

    Whole-number sums are taken exactly. Otherwise a result within the rounding error of the sums
    becomes 0: the ghost of a variance would turn constant arms into an overwhelming effect.
    """
    if n < 2:
        return 0.0
    sums = [_plain(value) for value in (total_a, total_b, products)]
    scatter = (n * sums[2] - sums[0] * sums[1]) / n
    is_exact = all(isinstance(value, int) for value in sums)
    # Adding one constant n times errs in one direction: by up to 0.3 n units in the last place.
    size = max(abs(sums[2]), abs(sums[0] * sums[1]) / n)
    noise = 0.0 if is_exact else 0.5 * n * _EPSILON * size
    return 0.0 if abs(scatter) <= noise else float(scatter / (n - 1))


def _plain(value: float) -> float:
    """The value as Python's own number; numpy's whole numbers would overflow in silence."""
    return int(value) if hasattr(value, "__index__") else float(value)


def _mean(values: Sequence[float]) -> float:
    return _sum(values) / len(values) if values else 0.0


def _variance(values: Sequence[float], mean: float) -> float:
    if len(values) < 2:
        return 0.0
    return _sum([(value - mean) * (value - mean) for value in values]) / (len(values) - 1)


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (
        OverflowError,
        ValueError,
    ):  # sums beyond the floats, and inf - inf: no mean, but no crash either
        return math.nan
