"""What a sequential test sees of a metric: an estimate, its standard error and z, behind guards.

Proportions, means, ratios, quantiles and paired differences all end here, so one implementation
of each stopping rule serves them all.
"""

import math
from dataclasses import dataclass

from mlreg.stats import codes
from mlreg.stats.checks import check_counts
from mlreg.stats.estimates import Estimate, why_incomparable
from mlreg.stats.proportions import pooled_se, pooled_z, unpooled_se

MIN_UNITS = 20
"""Units that an arm needs: below, not even Student's t says how far a mean may be off."""
NORMAL_UNITS = 100
"""Units of an arm from which on rates of single answers are as good as normal."""
MIN_EVENTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The state of one metric at one look.

    Attributes:
        estimate: treatment - control in the metric's unit; None when undefined.
        se: Standard error for the interval.
        z: Statistic for the decision; None while the data do not allow a test.
        n: Units of both arms together.
        df: Degrees of freedom of the standard error, by which the interval is wider than a normal
            one; None where they do not matter.
        warnings: Codes from `mlreg.stats.codes`.
    """

    estimate: float | None
    se: float | None
    z: float | None
    n: int
    df: float | None = None
    warnings: tuple[str, ...] = ()


def proportion_evidence(
    successes_c: int,
    n_c: int,
    successes_t: int,
    n_t: int,
    *,
    min_units: int = NORMAL_UNITS,
    min_events: int = MIN_EVENTS,
) -> Evidence:
    """Evidence on two rates; no z before every arm has units, and expects both outcomes, enough.

    The decision uses the pooled z. With the arms' own variances and a rare event or a small arm,
    a stopping rule of 5 % stops up to 40 % of the experiments without any effect (simulated); the
    guards remove what is left of that. They ask for the outcomes that one common rate lets each arm
    expect, as Pearson's rule for a table does: an arm that never failed, against one that often
    does, can be judged. The interval takes the larger of the two standard errors, so it never
    excludes zero where the decision does not.

    Args:
        successes_c: Successes of the control.
        n_c: Units of the control.
        successes_t: Successes of the treatment.
        n_t: Units of the treatment.
        min_units: Units that each arm needs before the first test.
        min_events: Successes, and failures, that each arm expects at least before the first test.

    Raises:
        ValueError: For successes outside 0…n.
    """
    check_counts(successes_c, n_c)
    check_counts(successes_t, n_t)
    if not n_c or not n_t:
        return Evidence(estimate=None, se=None, z=None, n=n_c + n_t, warnings=(codes.EMPTY_ARM,))
    table = (successes_c, n_c, successes_t, n_t)
    pooled = (successes_c + successes_t) / (n_c + n_t)
    expected = min(pooled, 1 - pooled) * min(n_c, n_t)
    is_ready = min(n_c, n_t) >= min_units and expected >= min_events
    return Evidence(
        estimate=successes_t / n_t - successes_c / n_c,
        se=max(pooled_se(*table), unpooled_se(*table)),
        z=pooled_z(*table) if is_ready else None,
        n=n_c + n_t,
        warnings=() if is_ready else (codes.LOW_COUNTS,),
    )


def estimate_evidence(
    control: Estimate, treatment: Estimate, *, min_units: int = NORMAL_UNITS
) -> Evidence:
    """Evidence on two independent estimates; no z before each arm has `min_units` units."""
    problem = why_incomparable(control, treatment)
    n = control.n + treatment.n
    if problem:
        return Evidence(estimate=None, se=None, z=None, n=n, warnings=(problem,))
    difference, se = treatment.value - control.value, math.hypot(control.se, treatment.se)
    return _guarded(difference, se, n, is_ready=min(control.n, treatment.n) >= min_units)


def difference_evidence(difference: Estimate, *, min_units: int = NORMAL_UNITS) -> Evidence:
    """Evidence on one estimated difference, such as the mean of paired differences."""
    problem = difference.problem or (None if difference.se > 0 else codes.DEGENERATE)
    if problem:
        return Evidence(estimate=None, se=None, z=None, n=difference.n, warnings=(problem,))
    is_ready = difference.n >= min_units
    return _guarded(difference.value, difference.se, difference.n, is_ready=is_ready)


def _guarded(difference: float, se: float, n: int, *, is_ready: bool) -> Evidence:
    return Evidence(
        estimate=difference,
        se=se,
        z=difference / se if is_ready else None,
        n=n,
        warnings=() if is_ready else (codes.LOW_COUNTS,),
    )
