"""Planning: how many units a test needs, what it can find, and how long it will run.

There is deliberately no power of a finished test: it only restates the p-value. Report what the
reached size could have found (`proportion_mde`, `mean_mde`) instead.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from mlreg.stats.checks import check_choice, check_fraction, check_positive
from mlreg.stats.distributions import (
    noncentral_student_tail,
    normal_tail,
    normal_upper,
    student_upper,
)
from mlreg.stats.roots import bisect

ALWAYS_VALID_INFLATION = 1.7
"""Simulated: the confidence sequence reaches the power of one test at 1.7 times its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSize:
    """Units to plan for.

    Attributes:
        exact_control: Real-valued solution for the control arm.
        ratio: Units of the treatment for each unit of the control.
    """

    exact_control: float
    ratio: float = 1.0

    @property
    def control(self) -> int:
        """Units of the control, rounded up."""
        return math.ceil(self.exact_control)

    @property
    def treatment(self) -> int:
        """Units of the treatment, rounded up."""
        return math.ceil(self.exact_control * self.ratio)

    @property
    def total(self) -> int:
        """Units of both arms."""
        return self.control + self.treatment

    def times(self, factor: float) -> "SampleSize":
        """The size multiplied, for clusters (design effect) or a sequential design.

        Raises:
            ValueError: For a factor not above 0.
        """
        check_positive("factor", factor)
        return SampleSize(exact_control=self.exact_control * factor, ratio=self.ratio)

    def days(self, units_per_day: float) -> int:
        """Whole days until `units_per_day` new units a day, over both arms, have filled the size.

        Raises:
            ValueError: For units_per_day not above 0.
        """
        check_positive("units_per_day", units_per_day)
        return math.ceil(self.total / units_per_day)


def proportion_sample_size(
    control: float,
    treatment: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    ratio: float = 1.0,
    sides: int = 2,
) -> SampleSize:
    """Units to find treatment against control, by the pooled z test.

    Fleiss, Levin & Paik (2003), section 4.3, without continuity correction.

    Args:
        control: Rate of the control.
        treatment: Rate that the treatment is planned to have.
        alpha: Level of the test.
        power: Chance to find the difference if it is real.
        ratio: Units of the treatment for each unit of the control.
        sides: 1 or 2.

    Raises:
        ValueError: For rates, alpha or power outside (0, 1), equal rates, or a bad ratio or sides.
    """
    _check_rates(control, treatment)
    quantile = _critical(alpha, sides)
    check_fraction("power", power)
    check_positive("ratio", ratio)
    null, real = rate_spreads(control, treatment, ratio)
    effect = treatment - control
    size = ((quantile * null + normal_upper(1 - power) * real) / effect) ** 2
    return SampleSize(exact_control=size, ratio=ratio)


def proportion_power(
    control: float,
    treatment: float,
    n_control: float,
    *,
    alpha: float = 0.05,
    ratio: float = 1.0,
    sides: int = 2,
) -> float:
    """Chance to find treatment against control with `n_control` units; arguments as above.

    Raises:
        ValueError: For rates or alpha outside (0, 1), equal rates, or bad n_control, ratio or
            sides.
    """
    _check_rates(control, treatment)
    check_positive("n_control", n_control)
    check_positive("ratio", ratio)
    null, real = rate_spreads(control, treatment, ratio)
    gap = abs(treatment - control) * math.sqrt(n_control)
    return normal_tail((_critical(alpha, sides) * null - gap) / real)


def proportion_mde(
    control: float,
    n_control: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    ratio: float = 1.0,
    direction: str = "up",
    sides: int = 2,
) -> float | None:
    """Smallest change of a rate that `n_control` units find, as an absolute difference above 0.

    Args:
        control: Rate of the control.
        n_control: Units of the control.
        alpha: Level of the test.
        power: Chance to find the change.
        ratio: Units of the treatment for each unit of the control.
        direction: "up" for a higher rate, "down" for a lower one.
        sides: 1 or 2.

    Returns:
        None when not even the largest possible change would be found.

    Raises:
        ValueError: For rates, alpha or power outside (0, 1), or other bad parameters.
    """
    check_fraction("control", control)
    check_fraction("power", power)
    check_choice("direction", direction, ("up", "down"))
    sign, room = (1, 1 - control) if direction == "up" else (-1, control)

    def excess(change: float) -> float:
        reached = proportion_power(
            control, control + sign * change, n_control, alpha=alpha, ratio=ratio, sides=sides
        )
        return reached - power

    return _smallest(excess, room * 1e-9, room * (1 - 1e-9))


def mean_sample_size(
    difference: float,
    sd: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    ratio: float = 1.0,
    sides: int = 2,
) -> SampleSize:
    """Units to find a difference of means by the t test (noncentral t, Cohen 1988 section 2.4).

    Args:
        difference: Difference to find, in the metric's unit, not 0.
        sd: Standard deviation of one observation, in the same unit.
        alpha: Level of the test.
        power: Chance to find the difference if it is real.
        ratio: Units of the treatment for each unit of the control.
        sides: 1 or 2.

    Raises:
        ValueError: For difference 0, sd not above 0, or other bad parameters.
    """
    if not difference:
        raise ValueError("difference must not be 0")
    check_positive("sd", sd)
    check_positive("ratio", ratio)
    check_fraction("power", power)
    z = _critical(alpha, sides) + normal_upper(1 - power)
    guess = max(2.0, (z * sd / difference) ** 2 * (1 + 1 / ratio))

    def excess(n: float) -> float:
        return mean_power(difference, sd, n, alpha=alpha, ratio=ratio, sides=sides) - power

    smallest = 2 / (1 + ratio) + 0.5  # a t test needs a degree of freedom
    size = bisect(excess, smallest, 4 * guess + 20, tolerance=1e-9 * guess)
    return SampleSize(exact_control=size, ratio=ratio)


def mean_power(
    difference: float,
    sd: float,
    n_control: float,
    *,
    alpha: float = 0.05,
    ratio: float = 1.0,
    sides: int = 2,
) -> float:
    """Chance to find a difference of means with `n_control` units; arguments as above.

    Raises:
        ValueError: For sd, n_control or ratio not above 0, or bad alpha or sides.
    """
    check_positive("sd", sd)
    check_positive("n_control", n_control)
    check_positive("ratio", ratio)
    check_fraction("alpha", alpha)
    df = n_control * (1 + ratio) - 2
    if df <= 0:
        return 0.0
    shift = abs(difference) / sd * math.sqrt(n_control * ratio / (1 + ratio))
    return noncentral_student_tail(student_upper(alpha / sides, df), df, shift)


def mean_mde(
    sd: float,
    n_control: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    ratio: float = 1.0,
    sides: int = 2,
) -> float | None:
    """Smallest difference of means that `n_control` units find, in the metric's unit.

    Raises:
        ValueError: For sd, n_control or ratio not above 0, or bad alpha, power or sides.
    """
    check_fraction("power", power)

    def excess(difference: float) -> float:
        return mean_power(difference, sd, n_control, alpha=alpha, ratio=ratio, sides=sides) - power

    check_positive("n_control", n_control)
    check_positive("ratio", ratio)
    df = n_control * (1 + ratio) - 2
    if df <= 0:
        return None
    quantiles = student_upper(alpha / sides, df) + student_upper((1 - power) / 2, df)
    return _smallest(excess, 0.0, 2 * quantiles * sd * math.sqrt((1 + 1 / ratio) / n_control))


def rate_spreads(control: float, treatment: float, ratio: float) -> tuple[float, float]:
    """Standard deviation of sqrt(n_control) * difference, without and with the planned effect.

    Args:
        control: Rate of the control.
        treatment: Rate that the treatment is planned to have.
        ratio: Units of the treatment for each unit of the control.
    """
    pooled = (control + ratio * treatment) / (1 + ratio)
    return _spread(pooled, pooled, ratio), _spread(control, treatment, ratio)


def _spread(control: float, treatment: float, ratio: float) -> float:
    return math.sqrt(control * (1 - control) + treatment * (1 - treatment) / ratio)


def _critical(alpha: float, sides: int) -> float:
    check_fraction("alpha", alpha)
    if sides not in (1, 2):
        raise ValueError(f"sides must be 1 or 2, got {sides!r}")
    return normal_upper(alpha / sides)


def _check_rates(control: float, treatment: float) -> None:
    check_fraction("control", control)
    check_fraction("treatment", treatment)
    if control == treatment:
        raise ValueError(f"the rates must differ, got {control!r} twice")


def _smallest(excess: Callable[[float], float], low: float, high: float) -> float | None:
    if excess(high) < 0:
        return None
    return bisect(excess, low, high, tolerance=1e-10 * high)
