"""Intervals of the relative change treatment / control - 1. Tests stay on the absolute scale."""

import math
from collections.abc import Callable
from typing import NamedTuple

from mlreg.stats.distributions import normal_upper


class Lift(NamedTuple):
    """A relative change; None where it, or its interval, is undefined."""

    value: float | None
    low: float | None
    high: float | None


UNDEFINED = Lift(None, None, None)


def katz_lift(
    successes_c: int, n_c: int, successes_t: int, n_t: int, *, alpha: float = 0.05
) -> Lift:
    """Lift of a proportion with the log-scale interval of Katz et al. (1978).

    Undefined without a success in the control; the interval is undefined without one in the
    treatment, or when neither arm has a failure.
    """
    if not n_c or not n_t or not successes_c:
        return UNDEFINED
    ratio = (successes_t / n_t) / (successes_c / n_c)
    if not successes_t or (successes_c == n_c and successes_t == n_t):
        return Lift(ratio - 1, None, None)
    log_variance = (1 - successes_t / n_t) / successes_t + (1 - successes_c / n_c) / successes_c
    return _around_log(ratio, math.sqrt(log_variance) * normal_upper(alpha / 2))


def log_lift(
    control: float,
    control_se: float,
    treatment: float,
    treatment_se: float,
    *,
    covariance: float = 0.0,
    upper: Callable[[float], float] = normal_upper,
    alpha: float = 0.05,
) -> Lift:
    """Lift of two estimates, its interval symmetric on the log scale (delta method).

    Args:
        control: Estimate of the control, in the metric's unit.
        control_se: Standard error of that estimate.
        treatment: Estimate of the treatment.
        treatment_se: Standard error of that estimate.
        covariance: Of the two estimates; 0 for independent ones.
        upper: Upper quantile function of the reference distribution.
        alpha: The interval has level 1 - alpha.

    Returns:
        All None when the control is not clearly above zero (its own interval reaches 0).
    """
    quantile = upper(alpha / 2)
    if not control > quantile * control_se:
        return UNDEFINED
    ratio = treatment / control
    if not math.isfinite(ratio):
        return UNDEFINED
    if ratio <= 0:
        return Lift(ratio - 1, None, None)
    log_se = math.hypot(control_se / control, treatment_se / treatment)
    if covariance:
        log_se = math.sqrt(max(0.0, log_se * log_se - 2 * covariance / (control * treatment)))
    return _around_log(ratio, quantile * log_se)


def delta_lift(
    control: float,
    control_se: float,
    treatment: float,
    treatment_se: float,
    *,
    upper: Callable[[float], float] = normal_upper,
    alpha: float = 0.05,
) -> Lift:
    """Lift with an interval symmetric on the plain scale; arguments as in `log_lift`.

    It serves metrics that may be negative. Its test can disagree with the absolute one, so it
    decides nothing.
    """
    if not control:
        return UNDEFINED
    half = upper(alpha / 2) * delta_lift_se(control, control_se, treatment, treatment_se)
    value = treatment / control - 1
    return Lift(value, value - half, value + half)


def delta_lift_se(
    control: float, control_se: float, treatment: float, treatment_se: float
) -> float:
    """Delta-method standard error of treatment / control: sqrt(se_t² + (t/c)² se_c²) / |c|."""
    return math.hypot(treatment_se, treatment / control * control_se) / abs(control)


def _around_log(ratio: float, half: float) -> Lift:
    high = ratio * math.exp(half) if half < 700 else math.inf
    if not math.isfinite(high):  # beyond the floats: nothing is known about the ratio
        return Lift(ratio - 1, None, None)
    return Lift(ratio - 1, ratio * math.exp(-half) - 1, high - 1)
