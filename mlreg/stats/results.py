"""The records that statistics hand back. Every number is named; what is undefined is None."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

Alternative = Literal["two-sided", "greater", "less"]


class Interval(NamedTuple):
    """A confidence interval; an unbounded side is an infinity."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Treatment against control on one metric.

    Attributes:
        method: The test behind `p_value`, such as "z_pooled", "boschloo" or "welch".
        control: Value of the control arm, in the metric's unit.
        treatment: Value of the treatment arm, in the metric's unit.
        difference: treatment - control.
        ci_lower: Lower limit of the difference at level 1 - alpha.
        ci_upper: Upper limit of the difference at level 1 - alpha.
        lift: treatment / control - 1.
        lift_ci_lower: Lower limit of the lift at level 1 - alpha.
        lift_ci_upper: Upper limit of the lift at level 1 - alpha.
        p_value: Probability under "no difference"; None when no test is possible.
        se: Standard error of the difference as displayed (arms not pooled).
        df: Degrees of freedom; None for a test without them.
        alpha: Level of the test; the intervals' level is 1 - alpha.
        statistic: z or t behind `p_value`; None for an exact test.
        alternative: "two-sided", "greater" (treatment > control) or "less".
        warnings: Codes from `mlreg.stats.codes`.
    """

    method: str
    alpha: float
    control: float | None = None
    treatment: float | None = None
    difference: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    lift: float | None = None
    lift_ci_lower: float | None = None
    lift_ci_upper: float | None = None
    p_value: float | None = None
    se: float | None = None
    df: float | None = None
    statistic: float | None = None
    alternative: Alternative = "two-sided"
    warnings: tuple[str, ...] = ()

    @property
    def is_significant(self) -> bool:
        """Whether p_value <= alpha; False when there is no p-value."""
        return self.p_value is not None and self.p_value <= self.alpha


def finite(value: float | None) -> float | None:
    """The number, or None where it is none that can be shown."""
    return value if value is not None and math.isfinite(value) else None
