"""Rates of success: the interval of one arm, and the comparison of two."""

import math
from typing import NamedTuple

from mlreg.stats import codes
from mlreg.stats.checks import check_counts, check_fraction
from mlreg.stats.distributions import (
    beta_quantile,
    confidence_interval,
    normal_tail,
    normal_upper,
    p_value,
)
from mlreg.stats.exact import BOSCHLOO_MAX_TOTAL, exact_p_value
from mlreg.stats.lifts import katz_lift
from mlreg.stats.results import Alternative, Comparison, Interval

MIN_EXPECTED = 5
"""Cochran's rule: below this expected count in any cell the normal approximation is not trusted."""


def wilson(successes: int, n: int, level: float = 0.95) -> Interval | None:
    """Score interval of a proportion (Wilson 1927): sound at 0 %, at 100 % and for small n.

    Returns:
        Limits between 0 and 1, or None for n = 0.

    Raises:
        ValueError: When successes is not within 0…n or level not within (0, 1).
    """
    check_counts(successes, n)
    check_fraction("level", level)
    if n == 0:
        return None
    return wilson_of_rate(successes / n, n, level)


def wilson_of_rate(rate: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's interval of a rate that is known as well as from `n` independent observations."""
    z = normal_upper((1 - level) / 2)
    scale = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # At 0 and n the limit is exactly 0 or 1; rounding must not leave 1e-17 there.
    return Interval(
        max(0.0, centre - half) if rate > 0 else 0.0,
        min(1.0, centre + half) if rate < 1 else 1.0,
    )


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval | None:
    """Exact interval of a proportion (Clopper & Pearson 1934): never covers less than `level`.

    Returns:
        Limits between 0 and 1, or None for n = 0.

    Raises:
        ValueError: When successes is not within 0…n or level not within (0, 1).
    """
    check_counts(successes, n)
    check_fraction("level", level)
    if n == 0:
        return None
    tail = (1 - level) / 2
    low = beta_quantile(tail, successes, n - successes + 1) if successes else 0.0
    high = beta_quantile(1 - tail, successes + 1, n - successes) if successes < n else 1.0
    return Interval(low, high)


def newcombe(
    successes_c: int, n_c: int, successes_t: int, n_t: int, *, alpha: float = 0.05
) -> Interval | None:
    """Hybrid score interval of the difference of two rates (Newcombe 1998, method 10).

    It joins the Wilson limits of the arms, so it stays within ±1 and never shrinks to nothing at
    0 or 100 %.

    Returns:
        Limits of treatment - control at level 1 - alpha, or None when an arm is empty.
    """
    control, treatment = wilson(successes_c, n_c, 1 - alpha), wilson(successes_t, n_t, 1 - alpha)
    if control is None or treatment is None:
        return None
    rate_c, rate_t = successes_c / n_c, successes_t / n_t
    below = math.hypot(rate_t - treatment.low, control.high - rate_c)
    above = math.hypot(treatment.high - rate_t, rate_c - control.low)
    return Interval(rate_t - rate_c - below, rate_t - rate_c + above)


def pooled_z(successes_c: int, n_c: int, successes_t: int, n_t: int) -> float | None:
    """z of the difference, with the variance of the one rate that equal arms would share.

    Returns:
        None when an arm is empty or neither arm varies.
    """
    if not n_c or not n_t:
        return None
    se = pooled_se(successes_c, n_c, successes_t, n_t)
    return (successes_t / n_t - successes_c / n_c) / se if se > 0 else None


def pooled_se(successes_c: int, n_c: int, successes_t: int, n_t: int) -> float:
    """Standard error under one common rate p, sqrt(p(1-p)(1/nc + 1/nt)); needs n_c, n_t >= 1."""
    successes, n = successes_c + successes_t, n_c + n_t
    return math.sqrt(successes * (n - successes) / (n * n_c * n_t))


def unpooled_se(successes_c: int, n_c: int, successes_t: int, n_t: int) -> float:
    """Standard error with each arm's own rate, sqrt(Σ p(1-p)/n); needs n_c, n_t >= 1."""
    rate_c, rate_t = successes_c / n_c, successes_t / n_t
    return math.sqrt(rate_c * (1 - rate_c) / n_c + rate_t * (1 - rate_t) / n_t)


def compare_proportions(
    successes_c: int, n_c: int, successes_t: int, n_t: int, *, alpha: float = 0.05
) -> Comparison:
    """Test, two-sided, whether two rates differ, by the method the counts allow.

    Pooled z when every expected cell is 5 or more, otherwise an exact test: Boschloo up to 500
    units in all, Fisher beyond. The interval of the difference is Newcombe's. Near the threshold
    an exact p-value and the interval may disagree; the p-value decides.

    Args:
        successes_c: Successes of the control.
        n_c: Units of the control.
        successes_t: Successes of the treatment.
        n_t: Units of the treatment.
        alpha: Level of the test; intervals have level 1 - alpha.

    Raises:
        ValueError: For successes outside 0…n, or alpha outside (0, 1).
    """
    table = _checked(successes_c, n_c, successes_t, n_t, alpha)
    if not n_c or not n_t:
        return table.incomparable(alpha)
    method, z = table.method, pooled_z(*table)
    if z is None:
        p = 1.0
    elif method == "z_pooled":
        p = p_value(z, normal_tail)
    else:
        p = exact_p_value(*table, method=method)
    interval = newcombe(*table, alpha=alpha)
    return table.comparison(method, z, p, interval, unpooled_se(*table), alpha)


def z_test(
    successes_c: int,
    n_c: int,
    successes_t: int,
    n_t: int,
    *,
    pooled: bool = True,
    correction: bool = False,
    alternative: Alternative = "two-sided",
    alpha: float = 0.05,
) -> Comparison:
    """The z test whatever the counts, with the Wald interval of the difference.

    Args:
        successes_c: Successes of the control.
        n_c: Units of the control.
        successes_t: Successes of the treatment.
        n_t: Units of the treatment.
        pooled: Use the common rate in the standard error of the test (the interval never does).
        correction: Yates' continuity correction, of the test and of the interval.
        alternative: "two-sided", "greater" (treatment > control) or "less".
        alpha: Level of the test; intervals have level 1 - alpha.

    Raises:
        ValueError: For successes outside 0…n, alpha outside (0, 1), or an unknown alternative.
    """
    table = _checked(successes_c, n_c, successes_t, n_t, alpha)
    if not n_c or not n_t:
        return table.incomparable(alpha)
    wald = unpooled_se(*table)
    step = min((1 / n_c + 1 / n_t) / 2, abs(table.difference)) if correction else 0.0
    se = pooled_se(*table) if pooled else wald
    z = math.copysign(abs(table.difference) - step, table.difference) / se if se > 0 else None
    p = 1.0 if z is None else p_value(z, normal_tail, alternative)
    interval = (
        confidence_interval(table.difference, wald, normal_upper, alpha, alternative)
        if wald > 0
        else None
    )
    if interval is not None:
        interval = Interval(interval.low - step, interval.high + step)
    return table.comparison(
        "z_pooled" if pooled else "z_unpooled", z, p, interval, wald, alpha, alternative
    )


class _Table(NamedTuple):
    """The two-by-two table of a comparison."""

    successes_c: int
    n_c: int
    successes_t: int
    n_t: int

    @property
    def rates(self) -> tuple[float | None, float | None]:
        control = self.successes_c / self.n_c if self.n_c else None
        return control, self.successes_t / self.n_t if self.n_t else None

    @property
    def difference(self) -> float:
        return self.successes_t / self.n_t - self.successes_c / self.n_c

    @property
    def method(self) -> str:
        successes, n = self.successes_c + self.successes_t, self.n_c + self.n_t
        if min(self.n_c, self.n_t) * min(successes, n - successes) >= MIN_EXPECTED * n:
            return "z_pooled"
        return "boschloo" if n <= BOSCHLOO_MAX_TOTAL else "fisher"

    def incomparable(self, alpha: float) -> Comparison:
        control, treatment = self.rates
        return Comparison(
            method="none",
            alpha=alpha,
            control=control,
            treatment=treatment,
            warnings=(codes.EMPTY_ARM,),
        )

    def comparison(
        self,
        method: str,
        z: float | None,
        p: float,
        interval: Interval | None,
        se: float,
        alpha: float,
        alternative: Alternative = "two-sided",
    ) -> Comparison:
        lift = katz_lift(*self, alpha=alpha)
        control, treatment = self.rates
        return Comparison(
            method=method,
            alpha=alpha,
            control=control,
            treatment=treatment,
            difference=self.difference,
            ci_lower=interval.low if interval else None,
            ci_upper=interval.high if interval else None,
            lift=lift.value,
            lift_ci_lower=lift.low,
            lift_ci_upper=lift.high,
            p_value=p,
            se=se,
            statistic=z if method.startswith("z") else None,
            alternative=alternative,
            warnings=self.warnings(z, lift.low),
        )

    def warnings(self, z: float | None, lift_limit: float | None) -> tuple[str, ...]:
        found = {
            codes.DEGENERATE: z is None,
            codes.LOW_COUNTS: self.method != "z_pooled",
            codes.LIFT_UNDEFINED: lift_limit is None,
        }
        return tuple(code for code, is_present in found.items() if is_present)


def _checked(successes_c: int, n_c: int, successes_t: int, n_t: int, alpha: float) -> _Table:
    check_counts(successes_c, n_c)
    check_counts(successes_t, n_t)
    check_fraction("alpha", alpha)
    return _Table(successes_c, n_c, successes_t, n_t)
