"""Not worse by more than a margin: what the test of a guardrail rests on.

"Not significantly different" is no evidence of safety; it is what every small sample says.
"""

import math

from mlreg.stats.roots import bisect

ALPHA = 0.025


def restricted_rates(
    successes_c: float, n_c: float, successes_t: float, n_t: float, difference: float
) -> tuple[float, float]:
    """Most likely rates of the arms among those with treatment - control = difference.

    The likelihood is concave along that line, so its slope is solved by bisection; the closed cubic
    loses digits near the edges.
    """

    def slope(rate: float) -> float:
        return _score(successes_c, n_c, rate) + _score(successes_t, n_t, rate + difference)

    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    rate = bisect(slope, low, high, tolerance=1e-15, is_rising=False)
    return rate, rate + difference


def _score(successes: float, n: float, rate: float) -> float:
    """Slope of a binomial log-likelihood in its rate, infinite at an edge that the data forbid."""
    failures = n - successes
    gain = (successes / rate if rate > 0 else math.inf) if successes else 0.0
    loss = (failures / (1 - rate) if rate < 1 else math.inf) if failures else 0.0
    return gain - loss
