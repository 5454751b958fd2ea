"""Ratios of per-unit sums (delta method): the right error when a user makes many predictions."""

import math

from mlreg.stats import codes
from mlreg.stats.estimates import Estimate, compare_estimates, welch_df
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.results import Comparison

MIN_USERS = 40
"""Below this many units per arm the delta method's variance is itself too uncertain."""


def compare_ratios(
    control: JointMoments, treatment: JointMoments, *, alpha: float = 0.05
) -> Comparison:
    """Compare Σy / Σx of two arms whose units were randomised as wholes, two-sided.

    For a success rate under sticky routing y is a user's successes and x the user's predictions.
    Welch degrees of freedom count users.

    Args:
        control: Moments of (y, x) per unit of the control.
        treatment: Moments of (y, x) per unit of the treatment.
        alpha: Level of the test; intervals have level 1 - alpha.

    Raises:
        ValueError: For alpha outside (0, 1).
    """
    arms = ratio_estimate(control), ratio_estimate(treatment)
    is_small = 0 < min(control.n, treatment.n) < MIN_USERS
    return compare_estimates(
        *arms,
        method="delta",
        df=welch_df(*arms),
        alpha=alpha,
        warnings=(codes.SMALL_USERS,) if is_small else (),
    )


def ratio_estimate(units: JointMoments) -> Estimate:
    """R = Σy / Σx with its delta-method standard error (Deng, Knoblich & Lu 2018, section 3).

    var(R) = (s_yy - 2 R s_yx + R² s_xx) / (n x̄²), which equals the variance of the linearised
    y - R x over units. An arm whose denominators sum to zero counts as empty.
    """
    if not units.x.mean:
        return Estimate(value=math.nan, se=math.nan, n=0)
    ratio = units.y.mean / units.x.mean
    se = math.sqrt(units.combined_variance(ratio) / units.n) / abs(units.x.mean)
    return Estimate(value=ratio, se=se, n=units.n)


def design_effect(units: JointMoments) -> float | None:
    """How many times the variance of a rate exceeds what independent predictions would give.

    Kish (1965), with x the predictions of a unit and y its successes: var(R) / (R (1 - R) / Σx).

    Returns:
        None when the arm has fewer than two units, or only successes or only failures.
    """
    estimate = ratio_estimate(units)
    if estimate.n < 2 or not 0 < estimate.value < 1:
        return None
    independent = estimate.value * (1 - estimate.value) / (units.n * units.x.mean)
    return estimate.se**2 / independent if independent > 0 else None
