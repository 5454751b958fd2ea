"""Guardrails: whether a treatment keeps what it must not break, shown and not just unrefuted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from mlreg.entities.analyses import MetricResult
from mlreg.entities.experiments import Design, Guardrail
from mlreg.services.experiments.evaluating import Seen, result, see
from mlreg.services.experiments.observing import Observed
from mlreg.stats import always_valid
from mlreg.stats.distributions import normal_upper
from mlreg.stats.evidence import MIN_EVENTS, MIN_UNITS
from mlreg.stats.group_sequential import LookPlan
from mlreg.stats.noninferiority import ALPHA as KEPT_ALPHA
from mlreg.stats.noninferiority import score_z

HARM_ALPHA = 0.01

_WORDS = {True: "kept", False: "broken", None: "not known yet"}


def guardrails(
    design: Design, observed: Observed, plan: LookPlan | None, before: Sequence[bool | None]
) -> tuple[MetricResult, ...]:
    """Each guardrail for each treatment.

    Args:
        design: The design.
        observed: What was observed.
        plan: The look; None in always-valid mode.
        before: What the last look that counted found, in the same order; empty before the first.
    """
    pairs = [
        (guardrail, place)
        for guardrail in design.guardrails
        for place in range(1, len(design.variants))
    ]
    known = (*before, *(None,) * len(pairs))[: len(pairs)]
    return tuple(
        _guarded(design, observed, guardrail, place, plan, earlier)
        for (guardrail, place), earlier in zip(pairs, known, strict=True)
    )


def _guarded(
    design: Design,
    observed: Observed,
    guardrail: Guardrail,
    place: int,
    plan: LookPlan | None,
    earlier: bool | None,
) -> MetricResult:
    metric = guardrail.metric
    seen = see(design, observed, metric, place)
    look = always_valid.look(seen.evidence, tuning_n=design.tuning_units, alpha=design.alpha_used)
    shown = result(design, seen, look, metric, place, role="guardrail")
    boundary = _boundary(design, seen, plan)
    kept = is_kept(design, seen, guardrail, plan, earlier)
    if shown.difference is not None and shown.se and math.isfinite(boundary):
        half = boundary * shown.se
        interval = shown.difference - half, shown.difference + half
        shown = replace(shown, difference_ci=interval, level=1 - 2 * KEPT_ALPHA)
    return replace(
        shown,
        margin=guardrail.text,
        passed=kept,
        sentence=f"{guardrail.text}: {_WORDS[kept]} ({shown.sentence})",
    )


def is_kept(
    design: Design,
    seen: Seen,
    guardrail: Guardrail,
    plan: LookPlan | None,
    earlier: bool | None = None,
) -> bool | None:
    """Whether a guardrail is kept (True), broken (False) or not known (None).

    Kept: the treatment is on the right side of the margin at a one-sided 2.5 %. Broken: on the
    wrong side at 1 %. Both hold at every look at once. With a plan of looks the first is asked only
    at those that count; between them the last one's answer stands.
    """
    z = _distance(seen, guardrail)
    if z is None or min(arm.n_units for arm in seen.arms) < MIN_UNITS:
        return earlier
    n, tuning = seen.evidence.n, design.tuning_units
    if -z >= always_valid.one_sided_boundary(n, tuning_n=tuning, alpha=HARM_ALPHA):
        return False
    if plan is not None and not plan.is_decision_point:
        return earlier
    return z >= _boundary(design, seen, plan) or None


def _boundary(design: Design, seen: Seen, plan: LookPlan | None) -> float:
    """Standard errors to the margin that show a guardrail to be kept."""
    if plan is not None:
        return max(plan.boundary or math.inf, normal_upper(KEPT_ALPHA))
    n, tuning = seen.evidence.n, design.tuning_units
    return always_valid.one_sided_boundary(n, tuning_n=tuning, alpha=KEPT_ALPHA)


def _distance(seen: Seen, guardrail: Guardrail) -> float | None:
    """Standard errors between the treatment and the margin, above 0 on the right side of it."""
    sign = 1 if guardrail.sign == ">=" else -1
    found = _score(seen, guardrail) if _is_rare(seen, guardrail) else _contrast(seen, guardrail)
    return None if found is None else sign * found


def _is_rare(seen: Seen, guardrail: Guardrail) -> bool:
    events = seen.averaged.events
    return guardrail.metric.kind == "share" and events is not None and events < MIN_EVENTS


def _contrast(seen: Seen, guardrail: Guardrail) -> float | None:
    """By the standard errors of the arms."""
    averaged = seen.averaged
    contrast = averaged.contrast(1 + guardrail.bound if guardrail.kind == "relative" else 1.0)
    if contrast is None or averaged.treatment is None:
        return None
    value, se = contrast
    if guardrail.kind == "absolute":
        value -= guardrail.bound
    elif guardrail.kind == "limit":
        value, se = averaged.treatment.value - guardrail.bound, averaged.treatment.se
    return value / se if math.isfinite(value) and math.isfinite(se) and se > 0 else None


def _score(seen: Seen, guardrail: Guardrail) -> float | None:
    """By the standard error that the margin itself implies, for events too rare to have their own.

    Each unit counts once, as if all its predictions fell together: with so few events nobody
    knows how much they do. A relative margin has no size while there are none in the control.
    """
    control, treatment = seen.averaged.control, seen.averaged.treatment
    if control is None or treatment is None or guardrail.kind == "relative":
        return None
    if guardrail.kind == "limit":
        variance = guardrail.bound * (1 - guardrail.bound) / treatment.n
        gap = treatment.value - guardrail.bound
        return gap / math.sqrt(variance) if variance > 0 else None
    counts = (control.value * control.n, control.n, treatment.value * treatment.n, treatment.n)
    z = score_z(*counts, guardrail.bound) if abs(guardrail.bound) < 1 else 0.0
    return z if math.isfinite(z) else None
