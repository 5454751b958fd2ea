"""One arm's estimate and standard error, and the comparison of two: where most metrics end up."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mlreg.stats import codes
from mlreg.stats.checks import check_fraction
from mlreg.stats.distributions import (
    confidence_interval,
    normal_tail,
    normal_upper,
    p_value,
    student_tail,
    student_upper,
)
from mlreg.stats.lifts import log_lift
from mlreg.stats.results import Alternative, Comparison

_EPSILON = 2.0**-52


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An arm's value and how well it is known.

    Attributes:
        value: The estimate, in the metric's unit.
        se: Its standard error.
        n: Independent units behind it; 0 for an empty arm.
    """

    value: float
    se: float
    n: int

    @property
    def problem(self) -> str | None:
        """The code of what keeps this arm out of a test, or None."""
        if self.n == 0:
            return codes.EMPTY_ARM
        if not (math.isfinite(self.value) and math.isfinite(self.se)):
            return codes.NOT_FINITE
        return codes.TOO_FEW if self.n < 2 else None


def compare_estimates(
    control: Estimate,
    treatment: Estimate,
    *,
    method: str,
    df: float | None = None,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    warnings: tuple[str, ...] = (),
) -> Comparison:
    """Compare two independent estimates by t (with `df`) or z (without).

    Args:
        control: Estimate of the control arm.
        treatment: Estimate of the treatment arm.
        method: Name of the test for the result.
        df: Degrees of freedom; None for the normal distribution.
        alpha: Level of the test; intervals have level 1 - alpha.
        alternative: "two-sided", "greater" (treatment > control) or "less".
        warnings: Codes to carry over to the result.

    Returns:
        A comparison without p-value and interval, and with a warning, where the data do not allow
        a test.

    Raises:
        ValueError: For alpha outside (0, 1) or an unknown alternative.
    """
    check_fraction("alpha", alpha)
    problem = why_incomparable(control, treatment)
    if problem:
        return _untested(control, treatment, method, alpha, alternative, (*warnings, problem))
    tail, upper = reference(df)
    difference, se = treatment.value - control.value, math.hypot(control.se, treatment.se)
    interval = confidence_interval(difference, se, upper, alpha, alternative)
    lift = log_lift(
        control.value, control.se, treatment.value, treatment.se, upper=upper, alpha=alpha
    )
    return Comparison(
        method=method,
        alpha=alpha,
        control=control.value,
        treatment=treatment.value,
        difference=difference,
        ci_lower=interval.low,
        ci_upper=interval.high,
        lift=lift.value,
        lift_ci_lower=lift.low,
        lift_ci_upper=lift.high,
        p_value=p_value(difference / se, tail, alternative),
        se=se,
        df=df,
        statistic=difference / se,
        alternative=alternative,
        warnings=warnings if lift.low is not None else (*warnings, codes.LIFT_UNDEFINED),
    )


def why_incomparable(control: Estimate, treatment: Estimate) -> str | None:
    """The code of what forbids a test of these two arms, or None when nothing does."""
    problem = control.problem or treatment.problem
    if problem:
        return problem
    # A spread no larger than the rounding of the values is no spread.
    rounding = 8 * _EPSILON * max(abs(control.value), abs(treatment.value))
    return codes.DEGENERATE if math.hypot(control.se, treatment.se) <= rounding else None


def welch_df(control: Estimate, treatment: Estimate) -> float | None:
    """Degrees of freedom of the difference (Satterthwaite 1946); None if no test is possible."""
    if why_incomparable(control, treatment):
        return None
    share = (control.se / math.hypot(control.se, treatment.se)) ** 2
    return 1 / (share**2 / (control.n - 1) + (1 - share) ** 2 / (treatment.n - 1))


def reference(df: float | None) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Upper tail and upper quantile of Student's t with `df`, or of the normal for None."""
    if df is None:
        return normal_tail, normal_upper
    return partial(student_tail, df=df), partial(student_upper, df=df)


def _untested(
    control: Estimate,
    treatment: Estimate,
    method: str,
    alpha: float,
    alternative: Alternative,
    warnings: tuple[str, ...],
) -> Comparison:
    values = [
        arm.value if arm.n and math.isfinite(arm.value) else None for arm in (control, treatment)
    ]
    control_value, treatment_value = values
    is_known = control_value is not None and treatment_value is not None
    return Comparison(
        method=method,
        alpha=alpha,
        control=control_value,
        treatment=treatment_value,
        difference=treatment.value - control.value if is_known else None,
        alternative=alternative,
        warnings=warnings,
    )
