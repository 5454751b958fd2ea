"""From what was observed to a verdict: a pure function, so that a receipt can be computed again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlreg.clock import DAY, SECOND, from_micros
from mlreg.entities.analyses import Gate, MetricResult, PhaseResult
from mlreg.entities.experiments import Design, Recommendation
from mlreg.evidence.gates import are_ready, gates, split_p_value
from mlreg.evidence.guardrails import guardrails
from mlreg.evidence.seen import (
    Seen,
    at_any_time,
    phase_values,
    result,
    see,
    sequential,
)
from mlreg.evidence.observed import Observed
from mlreg.evidence.verdict import Findings, PastLook, ruling, verdict
from mlreg.stats import codes, group_sequential
from mlreg.stats.group_sequential import LookPlan
from mlreg.stats.looks import Look
from mlreg.stats.multiplicity import benjamini_hochberg

_GROWTH = 1.1  # an always-valid look is kept when the test has grown by a tenth


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An analysis without its name and its history."""

    verdict: Recommendation
    winner: str | None
    significant: bool
    practical: bool | None
    primaries: tuple[MetricResult, ...]
    leading: int
    secondary: tuple[MetricResult, ...]
    guardrails: tuple[MetricResult, ...]
    gates: tuple[Gate, ...]
    phases: tuple[PhaseResult, ...]
    units_needed: int | None
    days_needed: float | None
    sentence: str
    warnings: tuple[str, ...]
    look: PastLook | None


def judge_experiment(design: Design, observed: Observed, past: Sequence[PastLook]) -> Judged:
    """What the observed sums show after the looks so far."""
    places = range(1, len(design.variants))
    seen = [see(design, observed, design.metric, place) for place in places]
    last = past[-1] if past else None
    is_over = last is not None and last.is_final
    information = _information(design, seen)
    plan = _plan(design, observed, past, information)
    looks = [
        sequential(design, s.evidence, plan, previous_p=last.p[i] if last else 1.0)
        for i, s in enumerate(seen)
    ]
    crossed = _crossings(design, looks, last)
    is_due = observed.has_run(design) and _deadline_passed(design, observed)
    is_final = is_over or bool(plan and plan.is_final) or is_due
    units = min((s.evidence.n for s in seen if s.evidence.z is not None), default=0)
    guards = guardrails(design, observed, plan, last)
    kept = tuple(guard.passed for guard in guards)
    is_new = last is None or is_final or (crossed, kept) != (last.crossed, last.kept)
    is_recorded = not is_over and (
        is_final or (bool(units) and _is_recorded(plan, last, units, is_new=is_new))
    )
    findings = Findings(
        design=design,
        primaries=[
            result(design, s, look, design.metric, place, role="primary")
            for s, look, place in zip(seen, looks, places, strict=True)
        ],
        guardrails=guards,
        gates=gates(design, observed, seen),
        crossed=crossed,
        ready=are_ready(design, seen),
        is_final=is_final,
        standing=None if is_recorded else last,
    )
    found = verdict(findings)
    is_open = not is_final and found.verdict in ("continue", "invalid")
    needed = _units_needed(design, observed, information) if is_open else None
    leading = findings.leading(found.winner)
    return Judged(
        verdict=found.verdict,
        winner=found.winner,
        significant=any(crossed),
        practical=findings.worth[leading] if crossed[leading] > 0 else None,
        primaries=tuple(findings.primaries),
        leading=leading,
        secondary=_secondary(design, observed),
        guardrails=tuple(findings.guardrails),
        gates=tuple(findings.gates),
        phases=_phases(design, observed),
        units_needed=needed,
        days_needed=_days(observed, needed),
        sentence=found.sentence,
        warnings=_warnings(observed, findings),
        look=_look(findings, looks, plan, last, units) if is_recorded else None,
    )


def _information(design: Design, seen: Sequence[Seen]) -> float:
    """Part of the planned information that has arrived, of the treatment that has the least.

    One that cannot be tested yet does not keep the others waiting.
    """
    if not design.planned_information:
        return 0.0
    errors = [
        s.averaged.null_se or s.evidence.se or math.inf for s in seen if s.evidence.z is not None
    ]
    return min((1 / (se * se) / design.planned_information for se in errors), default=0.0)


def _plan(
    design: Design, observed: Observed, past: Sequence[PastLook], information: float
) -> LookPlan | None:
    if design.mode == "always-valid":
        return None
    previous = tuple(look.information for look in past if look.information)
    if past and past[-1].is_final:
        return group_sequential.closed_plan(
            previous, information, slots=design.slots, alpha=design.alpha_used
        )
    return group_sequential.plan_look(
        previous,
        information,
        slots=design.slots,
        alpha=design.alpha_used,
        is_deadline=_deadline_passed(design, observed),
        may_end=observed.has_run(design),
    )


def _deadline_passed(design: Design, observed: Observed) -> bool:
    limit = design.max_duration_seconds
    return limit is not None and observed.seconds >= limit


def _crossings(design: Design, looks: Sequence[Look], last: PastLook | None) -> tuple[int, ...]:
    """For each treatment 1 for better, -1 for worse; once crossed, later data do not undo it."""
    before = last.crossed if last else (0,) * len(looks)
    if last is not None and last.is_final:
        return before
    sign = design.metric.sign
    now = [
        0 if not look.is_crossed or not look.z else sign if look.z > 0 else -sign for look in looks
    ]
    return tuple(earlier or this for earlier, this in zip(before, now, strict=True))


def _is_recorded(plan: LookPlan | None, last: PastLook | None, units: int, *, is_new: bool) -> bool:
    """Whether this look counts; others only show."""
    if plan is not None:
        return plan.is_decision_point
    return last is None or is_new or units >= _GROWTH * last.units


def _look(
    findings: Findings,
    looks: Sequence[Look],
    plan: LookPlan | None,
    last: PastLook | None,
    units: int,
) -> PastLook:
    """The look as it is recorded."""
    slot = last.slot + 1 if last else 1
    if plan is not None:
        slot = findings.design.slots if plan.is_final else max(plan.number, slot)
    return PastLook(
        slot=slot,
        information=plan.looks[-1] if plan and plan.looks else None,
        p=tuple(look.p_value for look in looks),
        crossed=tuple(findings.crossed),
        is_final=findings.is_final,
        units=units,
        kept=tuple(guard.passed for guard in findings.guardrails),
        gains=tuple(findings.gains),
        worth=tuple(findings.worth),
        futile=tuple(findings.futile),
        ending=ruling(findings) if findings.is_final else None,
    )


def _secondary(design: Design, observed: Observed) -> tuple[MetricResult, ...]:
    found = [
        at_any_time(design, observed, metric, place, role="secondary")[1]
        for metric in design.secondary
        for place in range(1, len(design.variants))
    ]
    if not found:
        return ()
    adjusted = benjamini_hochberg([r.p_value for r in found], alpha=design.alpha)
    return tuple(
        replace(r, p_adjusted=p, adjustment=adjusted.method)
        for r, p in zip(found, adjusted.p_values, strict=True)
    )


def _phases(design: Design, observed: Observed) -> tuple[PhaseResult, ...]:
    found = []
    for number, phase in enumerate(observed.phases):
        values = phase_values(observed, design.metric, number)
        first = values[0]
        found.append(
            PhaseResult(
                revision=phase.revision,
                started_at=from_micros(phase.started_at),
                weights=tuple(weight / 100 for weight in phase.weights),
                units=phase.units,
                rows=phase.rows,
                values=values,
                differences=tuple(
                    None if v is None or first is None else v - first for v in values[1:]
                ),
                srm_p_value=split_p_value(phase),
            )
        )
    return tuple(found)


def _units_needed(design: Design, observed: Observed, information: float) -> int | None:
    if information <= 0:
        if design.planned_units is None:
            return None
        return max(0, design.planned_units - observed.units)
    return math.ceil(max(0.0, observed.units * (1 / information - 1)))


def _days(observed: Observed, needed: int | None) -> float | None:
    days = observed.seconds * SECOND / DAY
    if needed is None or not observed.units or days <= 0:
        return None
    return needed / (observed.units / days)


def _warnings(observed: Observed, findings: Findings) -> tuple[str, ...]:
    found = [code for primary in findings.primaries for code in primary.warnings]
    found += [
        codes.SRM if gate.gate == "srm" else codes.COVERAGE for gate in findings.failed("invalid")
    ]
    if any(findings.crossed) and not findings.is_final:
        found = [codes.EARLY_STOP_BIAS, *(code for code in found if code != codes.NOT_FINAL)]
    if len(observed.phases) > 1:
        found.append(codes.WEIGHTS_CHANGED)
    if any(findings.has_reversed(i) for i in range(len(findings.primaries))):
        found.append(codes.REVERSED)
    return tuple(dict.fromkeys(found))
