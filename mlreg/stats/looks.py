"""The record of one look at a running experiment, whatever rule is in force."""

import math
from dataclasses import dataclass

from mlreg.stats.distributions import normal_as_student
from mlreg.stats.evidence import Evidence
from mlreg.stats.results import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a stopping-safe rule says at one look.

    Attributes:
        z: Statistic of the decision; None while the data do not allow a test.
        boundary: The |z| that stops the experiment at this look; None when there is none.
        ci_lower: Lower limit, valid at every look at once.
        ci_upper: Upper limit, valid at every look at once.
        p_value: Smallest p-value so far, valid under the mode; hand it in at the next look.
        slot: Which of the planned looks it falls into; None in always-valid mode.
        information: Fraction of the planned information; None in always-valid mode.
        alpha_spent: Two-sided alpha used up with this look; None in always-valid mode.
        is_decision_point: Whether this look may stop the experiment.
        is_crossed: Whether it does.
        warnings: Codes from `mlreg.stats.codes`.
    """

    z: float | None
    boundary: float | None
    ci_lower: float | None
    ci_upper: float | None
    p_value: float
    slot: int | None = None
    information: float | None = None
    alpha_spent: float | None = None
    is_decision_point: bool
    is_crossed: bool
    warnings: tuple[str, ...] = ()


def limits_at(evidence: Evidence, boundary: float | None) -> Interval | None:
    """estimate ± boundary * se, or None while the evidence allows no test.

    The decision takes the standard error that equal arms would have, which may be the smaller one.
    Where it is made, the limit next to zero is that of the same test of other differences: its
    variance lies between the one of equal arms and the one that is seen, as the difference does
    between zero and the estimate. So the interval leaves out zero just where the decision does.
    """
    estimate, se, z = evidence.estimate, evidence.se, evidence.z
    if boundary is None or z is None or estimate is None or se is None:
        return None
    far = reach(boundary, evidence.df) * se
    low, high = estimate - far, estimate + far
    if abs(z) < boundary or not estimate:
        return Interval(low, high)
    # (1 - u)² = equal + (seen - equal) u, in parts u of the estimate.
    equal, seen = (boundary / z) ** 2, (far / estimate) ** 2
    half = 1 + (seen - equal) / 2
    near = estimate * (half - math.sqrt(half * half - 1 + equal))
    return Interval(near, high) if estimate > 0 else Interval(low, near)


def reach(boundary: float, df: float | None) -> float:
    """How many standard errors a boundary takes that was made for the normal."""
    return boundary if df is None else normal_as_student(boundary, df)
