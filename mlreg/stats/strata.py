"""Evidence over several phases of an experiment, so that a change of weights cannot mislead.

When a canary grows while the world changes, the pooled arms compare different weeks (Simpson's
paradox). Here the arms are compared within each phase and the differences are averaged.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlreg.stats import codes
from mlreg.stats.checks import check_counts
from mlreg.stats.evidence import MIN_EVENTS, MIN_UNITS, Evidence
from mlreg.stats.moments import Moments
from mlreg.stats.proportions import pooled_se, unpooled_se

Table = tuple[int, int, int, int]
"""successes_c, n_c, successes_t, n_t."""


class _Difference(NamedTuple):
    """One phase: its difference, two standard errors, and its Mantel-Haenszel weight."""

    value: float
    null_se: float
    se: float
    weight: float


def stratified_proportions(
    phases: Sequence[Table], *, min_units: int = MIN_UNITS, min_events: int = MIN_EVENTS
) -> Evidence:
    """Evidence on two rates over phases of constant weights.

    Differences are averaged with the weights nc nt / (nc + nt) of Mantel & Haenszel (1959); z
    uses each phase's pooled rate. With one phase it equals `proportion_evidence`. Phases in which
    an arm had no unit say nothing and are left out.

    Args:
        phases: For each phase successes_c, n_c, successes_t, n_t.
        min_units: Units that each arm needs over all phases.
        min_events: Successes, and failures, that each arm needs over all phases.

    Raises:
        ValueError: For successes outside 0…n.
    """
    for c, n_c, t, n_t in phases:
        check_counts(c, n_c)
        check_counts(t, n_t)
    used = [phase for phase in phases if phase[1] and phase[3]]
    c, n_c, t, n_t = (sum(column) for column in zip(*used, strict=True)) if used else (0, 0, 0, 0)
    is_ready = min(n_c, n_t) >= min_units and min(c, n_c - c, t, n_t - t) >= min_events
    differences = [
        _Difference(t / n_t - c / n_c, pooled_se(*phase), unpooled_se(*phase), _weight(n_c, n_t))
        for phase in used
        for c, n_c, t, n_t in [phase]
    ]
    return _averaged(differences, n_c + n_t, is_ready=is_ready)


def stratified_means(
    phases: Sequence[tuple[Moments, Moments]], *, min_units: int = MIN_UNITS
) -> Evidence:
    """Evidence on two means over phases of constant weights; weights as for proportions.

    Phases in which an arm has fewer than two values are left out.

    Args:
        phases: For each phase the moments of the control and of the treatment.
        min_units: Units that each arm needs over all phases.
    """
    used = [(c, t) for c, t in phases if min(c.n, t.n) >= 2]
    units = [sum(arm.n for arm in column) for column in zip(*used, strict=True)] or [0, 0]
    differences = []
    for control, treatment in used:
        se = math.sqrt(control.mean_variance + treatment.mean_variance)
        gap = treatment.mean - control.mean
        differences.append(_Difference(gap, se, se, _weight(control.n, treatment.n)))
    return _averaged(differences, sum(units), is_ready=min(units) >= min_units)


def _weight(n_c: int, n_t: int) -> float:
    return n_c * n_t / (n_c + n_t)


def _averaged(differences: Sequence[_Difference], n: int, *, is_ready: bool) -> Evidence:
    if not differences:
        return Evidence(estimate=None, se=None, z=None, n=n, warnings=(codes.EMPTY_ARM,))
    whole = sum(phase.weight for phase in differences)
    estimate = sum(phase.weight * phase.value for phase in differences) / whole
    null_se = math.hypot(*(phase.weight * phase.null_se for phase in differences)) / whole
    se = math.hypot(*(phase.weight * phase.se for phase in differences)) / whole
    if not (math.isfinite(estimate) and math.isfinite(se)):
        return Evidence(estimate=None, se=None, z=None, n=n, warnings=(codes.NOT_FINITE,))
    if not null_se > 0:
        return Evidence(estimate=estimate, se=None, z=None, n=n, warnings=(codes.DEGENERATE,))
    return Evidence(
        estimate=estimate,
        se=max(se, null_se),
        z=estimate / null_se if is_ready else None,
        n=n,
        warnings=() if is_ready else (codes.LOW_COUNTS,),
    )
