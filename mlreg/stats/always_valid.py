"""Asymptotic confidence sequences: look whenever you like, stop whenever you like.

Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences" (2021, arXiv 2103.06476). The boundary is tightest when `tuning_n` units have
arrived; `tuning_n` is fixed when the experiment starts and never touched again.

A single rate needs no asymptotics. The likelihood of the answers, averaged over rates by
Beta(½, ½), divided by that at the true rate is a martingale: it reaches 1/alpha with probability
alpha at most (Ville). See Robbins, "Statistical methods related to the law of the iterated
logarithm" (1970), and Howard, Ramdas, McAuliffe & Sekhon, "Time-uniform, nonparametric,
nonasymptotic confidence sequences" (2021). How many answers lie up to a quantile is such a count,
too: Howard & Ramdas, "Sequential estimation of quantiles" (2022).
"""

import math
from bisect import bisect_left

from mlreg.stats.checks import check_counts, check_fraction, check_positive
from mlreg.stats.evidence import Evidence
from mlreg.stats.looks import Look, limits_at
from mlreg.stats.results import Interval
from mlreg.stats.roots import bisect

_ODDS = (1.25, 1.5, 2, 3, 5, 10, 30)


def look(
    evidence: Evidence, *, tuning_n: float, alpha: float = 0.05, previous_p: float = 1.0
) -> Look:
    """Test the evidence at this moment.

    Args:
        evidence: The metric now; its `n` counts the units of both arms.
        tuning_n: Planned units of both arms, as fixed at the start.
        alpha: Two-sided level over all looks together.
        previous_p: `p_value` of the look before; the reported one never rises again.

    Returns:
        A look that is crossed once its running p-value is at most alpha.

    Raises:
        ValueError: For alpha outside (0, 1) or tuning_n not above 0.
    """
    is_ready = evidence.z is not None
    critical = boundary(evidence.n, tuning_n=tuning_n, alpha=alpha) if is_ready else None
    limits = limits_at(evidence, critical)
    p = previous_p
    if evidence.z is not None:
        p = min(p, p_value(evidence.z, evidence.n, tuning_n=tuning_n, alpha=alpha))
    return Look(
        z=evidence.z,
        boundary=critical,
        ci_lower=limits.low if limits else None,
        ci_upper=limits.high if limits else None,
        p_value=p,
        is_decision_point=is_ready,
        is_crossed=p <= alpha,
        warnings=evidence.warnings,
    )


def rho_squared(tuning_n: float, alpha: float) -> float:
    """Variance of the mixture that makes the boundary tightest at `tuning_n` units."""
    check_fraction("alpha", alpha)
    check_positive("tuning_n", tuning_n)
    return (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / tuning_n


def boundary(n: float, *, tuning_n: float, alpha: float = 0.05) -> float:
    """The |z| that n units need, sqrt((x+1)/x (2 ln(1/alpha) + ln(x+1))) with x = n rho²."""
    x = _scaled(n, tuning_n, alpha)
    return math.sqrt((x + 1) / x * (-2 * math.log(alpha) + math.log1p(x))) if x > 0 else math.inf


def p_value(z: float, n: float, *, tuning_n: float, alpha: float = 0.05) -> float:
    """p-value of this look alone, min(1, sqrt(x+1) exp(-z² x / (2(x+1)))).

    `alpha` enters through the tuning only. The p-value is at most alpha exactly when |z| reaches
    `boundary`.
    """
    x = _scaled(n, tuning_n, alpha)
    return math.exp(min(0.0, 0.5 * math.log1p(x) - z * z * x / (2 * (x + 1))))


def confidence_sequence(
    estimate: float, se: float, n: float, *, tuning_n: float, alpha: float = 0.05
) -> Interval:
    """Interval that covers the truth at all n together with probability 1 - alpha."""
    half = boundary(n, tuning_n=tuning_n, alpha=alpha) * se
    return Interval(estimate - half, estimate + half)


def rate_limits(successes: int, n: int, *, alpha: float = 0.05, weight: float = 0.5) -> Interval:
    """Interval of a rate that covers it at all n together: exact, from the first unit on.

    Args:
        successes: Of the units.
        n: Units so far.
        alpha: Chance that it ever misses the rate.
        weight: Rates are averaged by Beta(weight, weight); the larger, the nearer to one half is
            where the interval is tightest.

    Raises:
        ValueError: For successes outside 0…n, or alpha outside (0, 1).
    """
    check_counts(successes, n)
    check_fraction("alpha", alpha)
    if n == 0:
        return Interval(0.0, 1.0)

    failures, least = n - successes, -math.log(alpha) - _log_mixed(successes, n, weight)

    def excess(rate: float) -> float:
        return -successes * math.log(rate) - failures * math.log1p(-rate) - least

    seen = successes / n
    low = bisect(excess, 0.0, seen, tolerance=1e-12, is_rising=False) if successes else 0.0
    return Interval(low, bisect(excess, seen, 1.0, tolerance=1e-12) if failures else 1.0)


def is_rate_above(successes: int, n: int, bound: float, *, alpha: float) -> bool:
    """Whether a rate is surely above a bound, at whichever of all n one looks.

    The likelihood of rates whose odds are so many times those of the bound, averaged, over that at
    the bound is a supermartingale wherever the rate is no higher: it reaches 1/alpha with
    probability alpha at most (Ville). Where the rate is one of them it grows as fast as that of
    Wald's test of the two (1945), less the logarithm of how many there are.

    Raises:
        ValueError: For successes outside 0…n, or alpha outside (0, 1).
    """
    check_counts(successes, n)
    check_fraction("alpha", alpha)
    if not 0 < bound < 1:
        return bound <= 0 < successes
    ratios = []
    for times in _ODDS:
        whole = 1 - bound + times * bound
        ratios.append(successes * math.log(times) - n * math.log(whole))
    highest = max(ratios)
    mean = sum(math.exp(ratio - highest) for ratio in ratios) / len(ratios)
    return highest + math.log(mean) >= -math.log(alpha)


def rank_limits(n: int, quantile: float, level: float) -> tuple[int | None, int | None]:
    """Ranks (from 0) of the order statistics that bound a quantile at all n together."""
    check_fraction("quantile", quantile)
    least, middle = -math.log1p(-level), round(n * quantile)
    hit, miss = math.log(quantile), math.log1p(-quantile)

    def is_far(count: int) -> bool:
        return _log_mixed(count, n) - count * hit - (n - count) * miss >= least

    below = bisect_left(range(middle), True, key=lambda k: not is_far(k)) - 1
    above = middle + bisect_left(range(middle, n + 1), True, key=is_far) - 1
    return below if below >= 0 else None, above if above < n else None


def _log_mixed(successes: int, n: int, weight: float = 0.5) -> float:
    """ln of the likelihood averaged over all rates, by Beta(weight, weight)."""
    mixed = math.lgamma(successes + weight) + math.lgamma(n - successes + weight)
    alone = 2 * math.lgamma(weight) - math.lgamma(2 * weight)
    return mixed - math.lgamma(n + 2 * weight) - alone


def one_sided_boundary(n: float, *, tuning_n: float, alpha: float = 0.05) -> float:
    """The z of a one-sided bound, sqrt(2(x+1)/x ln(1 + sqrt(x+1)/(2 alpha))); tuned with 2 alpha.

    Raises:
        ValueError: For alpha outside (0, 1/2).
    """
    x = _scaled(n, tuning_n, 2 * alpha)
    if x <= 0:
        return math.inf
    return math.sqrt(2 * (x + 1) / x * math.log1p(math.sqrt(x + 1) / (2 * alpha)))


def one_sided_bounds(
    estimate: float, se: float, n: float, *, tuning_n: float, alpha: float = 0.05
) -> Interval:
    """A lower and an upper bound, each valid at all n on its own with probability 1 - alpha.

    Use the one that guards: a benefit is harmless while its lower bound stays above -margin.
    """
    half = one_sided_boundary(n, tuning_n=tuning_n, alpha=alpha) * se
    return Interval(estimate - half, estimate + half)


def _scaled(n: float, tuning_n: float, alpha: float) -> float:
    return n * rho_squared(tuning_n, alpha)
