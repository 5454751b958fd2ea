"""How far a variance may be trusted that a few large values make, as those of rare purchases do.

A sample without its largest values yet looks surer than it is, and its own kurtosis as well. So
the kurtosis is taken from a model: of all values some are zero, and the sizes of the others are
log-normal (the delta distribution of Aitchison 1955), told by how often they come and how much
they vary.
"""

import math
from typing import NamedTuple

from mlreg.stats.moments import Moments

# What is known of sizes before any have come: they spread as purchases do (the standard deviation
# of their logarithm is 1.5), which counts as so many sizes.
BEFORE, SPREAD_BEFORE = 20, math.exp(1.5**2)


class Sizes(NamedTuple):
    """The values other than zero, without their signs.

    Attributes:
        n: How many there are.
        total: Sum of their sizes, in the metric's unit.
        squares: Sum of their squares.
    """

    n: float
    total: float
    squares: float


def variance_error(values: Moments, sizes: Sizes) -> float:
    """Relative standard error of a variance, sqrt((kurtosis - 1) / n) (Cramér 1946, 27.4).

    With s sizes of mean m and w = E s² / m², a log-normal size has E s^j = m^j w^(j (j - 1) / 2).
    Around the mean that holds if all values have one sign; around zero it holds for both, and is
    too large where the mean is. The smaller one is near the truth. Of few sizes w is shrunk to what
    purchases have: it is most often too small.

    Args:
        values: Of all units, those that are zero as well.
        sizes: Of the units whose value is not.

    Returns:
        Infinity without a variance.
    """
    if not values.variance > 0 or not sizes.n or not sizes.total:
        return math.inf
    share = min(1.0, sizes.n / values.n)
    mean, spread = sizes.total / sizes.n, max(1.0, sizes.n * sizes.squares / sizes.total**2)
    spread = (sizes.n * spread + BEFORE * SPREAD_BEFORE) / (sizes.n + BEFORE)
    first, second, third, fourth = (share * spread ** (j * (j - 1) / 2) for j in (1, 2, 3, 4))
    around_zero = (fourth - second**2) * mean**4 / values.variance**2
    variance = second - first**2
    if variance <= 0:
        return math.sqrt(max(0.0, around_zero) / values.n)
    around_mean = fourth - 4 * third * first + 6 * second * first**2 - 3 * first**4
    excess = min(around_mean / variance**2 - 1, around_zero)
    return math.sqrt(max(0.0, excess) / values.n)
