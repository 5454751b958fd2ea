"""Means of independent arms and of pairs: Welch's t, the paired t, and equivalence."""

import math

from mlreg.stats import codes
from mlreg.stats.checks import check_fraction
from mlreg.stats.distributions import confidence_interval, p_value
from mlreg.stats.estimates import Estimate, compare_estimates, reference, welch_df
from mlreg.stats.moments import Moments
from mlreg.stats.results import Alternative, Comparison


def compare_means(
    control: Moments,
    treatment: Moments,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Comparison:
    """Welch's t test (Welch 1947): means of two independent arms whose variances may differ.

    No p-value and no interval when an arm has fewer than two values, when neither arm varies, or
    when the data are not finite; `warnings` says which. The lift has a log-scale interval and
    needs a control clearly above 0.

    Args:
        control: Moments of the control arm.
        treatment: Moments of the treatment arm.
        alpha: Level of the test; intervals have level 1 - alpha.
        alternative: "two-sided", "greater" (treatment > control) or "less".

    Raises:
        ValueError: For alpha outside (0, 1) or an unknown alternative.
    """
    arms = mean_estimate(control), mean_estimate(treatment)
    return compare_estimates(
        *arms, method="welch", df=welch_df(*arms), alpha=alpha, alternative=alternative
    )


def mean_estimate(arm: Moments) -> Estimate:
    """The mean with its standard error sqrt(variance / n)."""
    return Estimate(value=arm.mean, se=math.sqrt(arm.mean_variance), n=arm.n)


def paired_t(differences: Moments, *, alpha: float = 0.05) -> Comparison:
    """Student's t test of paired values, two-sided (Student 1908).

    Args:
        differences: Moments of treatment - control, one difference per pair (or per unit: when a
            unit has several pairs, its mean difference is the observation).
        alpha: Level of the test; the interval has level 1 - alpha.

    Returns:
        A comparison of the difference alone; without p-value, and with a warning, when the
        differences are fewer than two or all the same.

    Raises:
        ValueError: For alpha outside (0, 1).
    """
    check_fraction("alpha", alpha)
    arm = mean_estimate(differences)
    problem = arm.problem or (codes.DEGENERATE if differences.is_constant else None)
    if problem:
        known = arm.value if arm.n and math.isfinite(arm.value) else None
        return Comparison(method="paired_t", alpha=alpha, difference=known, warnings=(problem,))
    tail, upper = reference(arm.n - 1)
    interval = confidence_interval(arm.value, arm.se, upper, alpha)
    return Comparison(
        method="paired_t",
        alpha=alpha,
        difference=arm.value,
        ci_lower=interval.low,
        ci_upper=interval.high,
        p_value=p_value(arm.value / arm.se, tail),
        se=arm.se,
        df=float(arm.n - 1),
        statistic=arm.value / arm.se,
    )
