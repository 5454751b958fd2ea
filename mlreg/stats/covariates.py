"""CUPED: take off what a unit's behaviour before the experiment already explains."""

import math

from mlreg.stats.estimates import Estimate, compare_estimates, welch_df
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.results import Comparison


def compare_adjusted(
    control: JointMoments, treatment: JointMoments, *, alpha: float = 0.05
) -> Comparison:
    """Compare means of y after adjustment for a covariate x measured before the start, two-sided.

    Deng, Xu, Kohavi & Walker (2013): y - slope * (x - x̄), one slope for both arms. Never adjust
    for anything the treatment could have changed.

    Args:
        control: Moments of (metric, covariate) per unit of the control.
        treatment: Moments of (metric, covariate) per unit of the treatment.
        alpha: Level of the test; intervals have level 1 - alpha.

    Raises:
        ValueError: For alpha outside (0, 1).
    """
    slope = common_slope(control, treatment)
    centre = (control.x + treatment.x).mean
    arms = _adjusted(control, slope, centre), _adjusted(treatment, slope, centre)
    return compare_estimates(*arms, method="cuped", df=welch_df(*arms), alpha=alpha)


def common_slope(control: JointMoments, treatment: JointMoments) -> float:
    """Slope of y on x over the units of both arms; 0, adjusting nothing, when x does not vary."""
    both = control + treatment
    return 0.0 if both.x.is_constant or not both.x.variance else both.covariance / both.x.variance


def _adjusted(arm: JointMoments, slope: float, centre: float) -> Estimate:
    mean = arm.y.mean - slope * (arm.x.mean - centre)
    se = math.sqrt(arm.combined_variance(slope) / arm.n) if arm.n else 0.0
    return Estimate(value=mean, se=se, n=arm.n)
