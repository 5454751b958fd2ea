"""Not worse by more than a margin: the test that a guardrail needs.

"Not significantly different" is no evidence of safety; it is what every small sample says.
"""

import math
from dataclasses import dataclass

from mlreg.stats import codes
from mlreg.stats.checks import check_choice, check_counts, check_fraction
from mlreg.stats.distributions import normal_tail, normal_upper
from mlreg.stats.estimates import Estimate, reference, welch_df, why_incomparable
from mlreg.stats.results import Interval
from mlreg.stats.roots import bisect

ALPHA = 0.025
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class NonInferiority:
    """Result of a one-sided test against a margin.

    Attributes:
        method: "farrington_manning" or "welch".
        margin: Tolerated loss, in the metric's unit.
        direction: "up" when larger is better, "down" otherwise.
        alpha: One-sided level.
        difference: treatment - control.
        statistic: z or t, positive in favour of non-inferiority.
        p_value: Probability of it under a loss of exactly the margin; None when no test is
            possible.
        warnings: Codes from `mlreg.stats.codes`.
    """

    method: str
    margin: float
    direction: str
    alpha: float
    difference: float | None = None
    statistic: float | None = None
    p_value: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_non_inferior(self) -> bool:
        """Whether a loss as large as the margin is ruled out."""
        return self.p_value is not None and self.p_value <= self.alpha


def proportion_non_inferiority(
    successes_c: int,
    n_c: int,
    successes_t: int,
    n_t: int,
    *,
    margin: float,
    direction: str = "up",
    alpha: float = ALPHA,
) -> NonInferiority:
    """Farrington & Manning's (1990) score test of two rates against a margin.

    Args:
        successes_c: Successes of the control.
        n_c: Units of the control.
        successes_t: Successes of the treatment.
        n_t: Units of the treatment.
        margin: Largest loss of rate that is tolerated, between 0 and 1.
        direction: "up" when successes are good, "down" when they are bad.
        alpha: One-sided level.

    Raises:
        ValueError: For successes outside 0…n, margin or alpha outside (0, 1), or an unknown
            direction.
    """
    check_counts(successes_c, n_c)
    check_counts(successes_t, n_t)
    check_fraction("margin", margin)
    _check(direction, alpha)
    if not n_c or not n_t:
        return NonInferiority(
            method="farrington_manning",
            margin=margin,
            direction=direction,
            alpha=alpha,
            warnings=(codes.EMPTY_ARM,),
        )
    sign = 1 if direction == "up" else -1
    z = sign * score_z(successes_c, n_c, successes_t, n_t, -sign * margin)
    return NonInferiority(
        method="farrington_manning",
        margin=margin,
        direction=direction,
        alpha=alpha,
        difference=successes_t / n_t - successes_c / n_c,
        statistic=z,
        p_value=normal_tail(z),
    )


def estimate_non_inferiority(
    control: Estimate,
    treatment: Estimate,
    *,
    margin: float,
    direction: str = "up",
    alpha: float = ALPHA,
) -> NonInferiority:
    """Welch's t test of two estimates (means, ratios, quantiles) against a margin.

    Args:
        control: Estimate of the control arm.
        treatment: Estimate of the treatment arm.
        margin: Largest loss that is tolerated, in the metric's unit, above 0.
        direction: "up" when larger is better, "down" for latency and cost.
        alpha: One-sided level.

    Raises:
        ValueError: For a margin not above 0, alpha outside (0, 1), or an unknown direction.
    """
    if not margin > 0:
        raise ValueError(f"margin must be above 0, got {margin!r}")
    _check(direction, alpha)
    problem = why_incomparable(control, treatment)
    if problem:
        return NonInferiority(
            method="welch", margin=margin, direction=direction, alpha=alpha, warnings=(problem,)
        )
    difference, se = treatment.value - control.value, math.hypot(control.se, treatment.se)
    t = ((difference if direction == "up" else -difference) + margin) / se
    tail, _ = reference(welch_df(control, treatment))
    return NonInferiority(
        method="welch",
        margin=margin,
        direction=direction,
        alpha=alpha,
        difference=difference,
        statistic=t,
        p_value=tail(t),
    )


def score_interval(
    successes_c: int,
    n_c: int,
    successes_t: int,
    n_t: int,
    *,
    alpha: float = 0.05,
    is_corrected: bool = False,
) -> Interval | None:
    """Differences that the score test does not reject (Mee 1984).

    Args:
        successes_c: Successes of the control.
        n_c: Units of the control.
        successes_t: Successes of the treatment.
        n_t: Units of the treatment.
        alpha: The interval has level 1 - alpha.
        is_corrected: Multiply the variance by N/(N - 1), as Miettinen & Nurminen (1985) do.

    Returns:
        Limits of treatment - control, or None when an arm is empty.

    Raises:
        ValueError: For successes outside 0…n, or alpha outside (0, 1).
    """
    check_counts(successes_c, n_c)
    check_counts(successes_t, n_t)
    check_fraction("alpha", alpha)
    if not n_c or not n_t:
        return None
    total = n_c + n_t
    shrink = math.sqrt((total - 1) / total) if is_corrected else 1.0
    critical = normal_upper(alpha / 2)

    def excess(difference: float, target: float) -> float:
        return shrink * score_z(successes_c, n_c, successes_t, n_t, difference) - target

    observed = successes_t / n_t - successes_c / n_c
    low = bisect(lambda d: excess(d, critical), -1.0, observed, tolerance=1e-12, is_rising=False)
    high = bisect(lambda d: excess(d, -critical), observed, 1.0, tolerance=1e-12, is_rising=False)
    return Interval(low, high)


def score_z(
    successes_c: float, n_c: float, successes_t: float, n_t: float, difference: float
) -> float:
    """z of the observed against a supposed difference, its variance at the restricted rates."""
    rate_c, rate_t = restricted_rates(successes_c, n_c, successes_t, n_t, difference)
    variance = rate_c * (1 - rate_c) / n_c + rate_t * (1 - rate_t) / n_t
    gap = successes_t / n_t - successes_c / n_c - difference
    if variance <= 0:
        return 0.0 if abs(gap) < _TINY else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


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


def _check(direction: str, alpha: float) -> None:
    check_choice("direction", direction, ("up", "down"))
    check_fraction("alpha", alpha)
