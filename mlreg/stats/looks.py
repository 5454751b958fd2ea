"""The record of one look at a running experiment, whatever rule is in force."""

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
    """estimate ± boundary * se, or None while the evidence allows no test."""
    if boundary is None or evidence.z is None or evidence.estimate is None or evidence.se is None:
        return None
    half = reach(boundary, evidence.df) * evidence.se
    return Interval(evidence.estimate - half, evidence.estimate + half)


def reach(boundary: float, df: float | None) -> float:
    """How many standard errors a boundary takes that was made for the normal."""
    return boundary if df is None else normal_as_student(boundary, df)
