"""Mergeable moments of two values per unit: numerator and denominator, or metric and covariate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from mlreg.stats.moments import Moments, covariance_from_sums

_EXACT = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class JointMoments:
    """Moments of the pairs (y, x) of one arm, one pair per unit of randomisation.

    Attributes:
        y: Moments of the first value.
        x: Moments of the second value.
        covariance: Sample covariance of y and x (divisor n - 1).
    """

    y: Moments
    x: Moments
    covariance: float

    def __post_init__(self) -> None:
        if self.y.n != self.x.n:
            raise ValueError(f"y and x must have as many values, got {self.y.n} and {self.x.n}")

    @property
    def n(self) -> int:
        """Number of units."""
        return self.y.n

    @classmethod
    def from_sums(
        cls, n: int, sum_y: float, sum_x: float, sum_yy: float, sum_xx: float, sum_yx: float
    ) -> Self:
        """Moments from six sums over the units, as one `group by` over per-unit totals gives."""
        return cls(
            y=Moments.from_sums(n, sum_y, sum_yy),
            x=Moments.from_sums(n, sum_x, sum_xx),
            covariance=covariance_from_sums(n, sum_y, sum_x, sum_yx),
        )

    @classmethod
    def from_values(cls, y: Sequence[float], x: Sequence[float]) -> Self:
        """Moments of the pairs themselves, in two passes.

        Raises:
            ValueError: When y and x differ in length.
        """
        moments_y, moments_x = Moments.from_values(y), Moments.from_values(x)
        products = sum(
            (a - moments_y.mean) * (b - moments_x.mean) for a, b in zip(y, x, strict=True)
        )
        return cls(y=moments_y, x=moments_x, covariance=products / max(len(y) - 1, 1))

    def __add__(self, other: Self) -> Self:
        """Moments of the units of both sets together."""
        n = self.n + other.n
        gap_y, gap_x = other.y.mean - self.y.mean, other.x.mean - self.x.mean
        between = gap_y * gap_x * self.n * other.n / max(n, 1)
        scatter = self._co_scatter + other._co_scatter + between
        return type(self)(
            y=self.y + other.y, x=self.x + other.x, covariance=scatter / max(n - 1, 1)
        )

    def combined_variance(self, slope: float) -> float:
        """Sample variance of y - slope * x over the units, never below zero."""
        variance = self.y.variance - 2 * slope * self.covariance + slope * slope * self.x.variance
        return max(0.0, variance)

    @property
    def _co_scatter(self) -> float:
        return self.covariance * max(self.n - 1, 0)


def moments_of(sums: Sequence[float]) -> JointMoments:
    """Moments from the six sums as they are stored: whole numbers are exact again."""
    n, *rest = (int(v) if float(v).is_integer() and abs(v) < _EXACT else v for v in sums)
    return JointMoments.from_sums(int(n), *rest)
