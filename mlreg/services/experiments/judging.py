"""From what was observed to a verdict: a pure function, so that a receipt can be computed again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from mlreg.clock import DAY, from_micros
from mlreg.entities.experiments import (
    Design,
    Gate,
    MetricResult,
    PhaseResult,
    Recommendation,
)
from mlreg.services.evidence import format_p
from mlreg.services.experiments.evaluating import Seen, guard, result, see, sequential
from mlreg.services.experiments.observing import COVERAGE, Observed, moments
from mlreg.stats import always_valid, codes, group_sequential
from mlreg.stats.distributions import normal_upper
from mlreg.stats.evidence import estimate_evidence
from mlreg.stats.futility import design_drift, is_futile
from mlreg.stats.group_sequential import LookPlan
from mlreg.stats.looks import Look
from mlreg.stats.multiplicity import benjamini_hochberg
from mlreg.stats.ratios import ratio_estimate
from mlreg.stats.srm import Epoch, sequential_sample_ratio
from mlreg.store.experiment_units import Sums

LEAST_DAYS = 3
WEEK_DAYS = 7
ALARM = 0.001
_GROWTH = 1.1  # an always-valid look is kept when the test has grown by a tenth

METRIC_GATES = ("min_units", "min_events")


class PastLook(NamedTuple):
    """What a look hands on to the next.

    Attributes:
        p: The running p-value of each treatment.
        crossed: For each treatment 1 (better), -1 (worse) or 0.
        units: Of both arms, as the boundary counts them.
    """

    slot: int
    information: float | None
    p: tuple[float, ...]
    crossed: tuple[int, ...]
    is_final: bool
    units: int


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
    direction = 1 if design.metric.direction == "up" else -1
    crossed = tuple(
        _crossed(look, direction, last.crossed[i] if last else 0, is_over=is_over)
        for i, look in enumerate(looks)
    )
    primaries = tuple(
        result(design, s, look, design.metric, place, role="primary")
        for s, look, place in zip(seen, looks, places, strict=True)
    )
    guardrails = _guardrails(design, observed, plan)
    gates = _gates(design, observed, seen)
    is_final = (
        is_over
        or bool(plan and plan.is_final)
        or (plan is None and _deadline_passed(design, observed))
    )
    leading = _leading(primaries, crossed, direction)
    verdict, winner, why = _verdict(
        design, primaries, guardrails, gates, crossed, looks, is_final=is_final
    )
    needed = _units_needed(design, observed, seen)
    lead = primaries[leading]
    is_significant = any(crossed)
    return Judged(
        verdict=verdict,
        winner=winner,
        significant=is_significant,
        practical=_practical(design, lead, direction) if crossed[leading] > 0 else None,
        primaries=primaries,
        leading=leading,
        secondary=_secondary(design, observed),
        guardrails=guardrails,
        gates=gates,
        phases=_phases(design, observed),
        units_needed=needed,
        days_needed=_days(observed, needed),
        sentence=why,
        warnings=_warnings(observed, primaries, gates),
        look=_counted(design, plan, last, looks, crossed, seen, is_final=is_final),
    )


def _information(design: Design, seen: Sequence[Seen]) -> float:
    """Part of the planned information: what an estimate as sharp as the plan wants would have."""
    if design.mde is None or any(s.evidence.z is None for s in seen):
        return 0.0
    factor = _inflation(design)
    drift = design_drift(alpha=design.alpha_used, power=design.power)
    planned = factor * (drift / design.mde) ** 2
    parts = []
    for s in seen:
        null_se = s.averaged.null_se or s.evidence.se or math.inf
        parts.append(1 / (null_se * null_se) / planned)
    return min(parts)


def _inflation(design: Design) -> float:
    # Ten looks cost 3.8 % more units at the usual levels; near enough for all of them, and it
    # moves only the horizon, never the error rate.
    return {"group-sequential": 1.038, "always-valid": 1.7}.get(design.mode, 1.0)


def _plan(
    design: Design, observed: Observed, past: Sequence[PastLook], information: float
) -> LookPlan | None:
    if design.mode == "always-valid":
        return None
    previous = tuple(look.information for look in past if look.information)
    return group_sequential.plan_look(
        previous,
        information,
        slots=design.slots,
        alpha=design.alpha_used,
        is_deadline=_deadline_passed(design, observed),
    )


def _deadline_passed(design: Design, observed: Observed) -> bool:
    limit = design.max_duration_seconds
    return limit is not None and observed.at - observed.started_at >= limit * 1e6


def _crossed(look: Look, direction: int, before: int, *, is_over: bool) -> int:
    """1 for better, -1 for worse; once crossed, later data do not undo it."""
    if before or is_over:
        return before
    if not look.is_crossed or not look.z:
        return 0
    return 1 if look.z * direction > 0 else -1


def _leading(primaries: Sequence[MetricResult], crossed: Sequence[int], direction: int) -> int:
    def rank(i: int) -> tuple[int, float]:
        return crossed[i], direction * (primaries[i].difference or 0.0)

    return max(range(len(primaries)), key=rank)


def _practical(design: Design, lead: MetricResult, direction: int) -> bool | None:
    if design.min_effect is None or lead.difference is None:
        return None
    return direction * lead.difference >= design.min_effect


def _verdict(
    design: Design,
    primaries: Sequence[MetricResult],
    guardrails: Sequence[MetricResult],
    gates: Sequence[Gate],
    crossed: Sequence[int],
    looks: Sequence[Look],
    *,
    is_final: bool,
) -> tuple[Recommendation, str | None, str]:
    """The verdict, the winner, and a sentence; the first rule that fits."""
    broken = [g for g in gates if not g.passed and g.effect == "invalid"]
    if broken:
        return "invalid", None, f"Invalid: {broken[0].detail}."
    harmful = [g for g in guardrails if g.passed is False]
    candidates = _candidates(design, primaries, guardrails, crossed)
    if len({g.variant for g in harmful}) == len(primaries):
        return "rollback", None, f"Roll back: the guardrail {harmful[0].margin} is broken."
    if all(sign < 0 for sign in crossed):
        return "rollback", None, f"Roll back: {primaries[0].sentence}."
    held = [g for g in gates if not g.passed and g.effect == "continue"]
    if held and not (is_final and held[0].gate != "run_time"):
        return "continue", None, f"Go on: {held[0].detail}."
    if candidates:
        best = primaries[candidates[0]]
        return "ship", best.version, f"Ship {best.version}: {best.sentence}."
    if is_final:
        return "stop_futile", None, f"Stop: {_final_reason(primaries, guardrails, crossed)}."
    if _is_futile(design, primaries, looks, crossed):
        text = "a gain worth having is unlikely to be found any more; that is no proof of equality"
        return "stop_futile", None, f"Stop: {text}."
    return "continue", None, f"Go on: {_open_reason(primaries, guardrails, crossed)}."


def _candidates(
    design: Design,
    primaries: Sequence[MetricResult],
    guardrails: Sequence[MetricResult],
    crossed: Sequence[int],
) -> list[int]:
    """Treatments that may be shipped, the best first."""
    direction = 1 if design.metric.direction == "up" else -1
    found = [
        i
        for i, p in enumerate(primaries)
        if crossed[i] > 0
        and _practical(design, p, direction) is not False
        and all(g.passed for g in guardrails if g.variant == p.variant)
    ]
    return sorted(found, key=lambda i: -direction * (primaries[i].difference or 0.0))


def _final_reason(
    primaries: Sequence[MetricResult], guardrails: Sequence[MetricResult], crossed: Sequence[int]
) -> str:
    if any(sign > 0 for sign in crossed):
        return f"the test is over, and {_open_reason(primaries, guardrails, crossed)}"
    return "the test is over and has not shown a difference; that is no proof of equality"


def _open_reason(
    primaries: Sequence[MetricResult], guardrails: Sequence[MetricResult], crossed: Sequence[int]
) -> str:
    if any(sign > 0 for sign in crossed):
        unsure = [g for g in guardrails if not g.passed]
        if unsure:
            return f"the guardrail {unsure[0].margin} is not yet shown to hold"
        return "the improvement is smaller than the one worth shipping"
    best = min(primaries, key=lambda p: 2.0 if p.p_value is None else p.p_value)
    return f"{best.sentence}; the difference may be chance"


def _is_futile(
    design: Design,
    primaries: Sequence[MetricResult],
    looks: Sequence[Look],
    crossed: Sequence[int],
) -> bool:
    if any(crossed) or design.mde is None or design.mode == "fixed":
        return False
    sign = 1 if design.metric.direction == "up" else -1
    if design.mode == "group-sequential":
        return all(
            look.is_decision_point
            and look.z is not None
            and is_futile(
                sign * look.z,
                look.information or 0.0,
                z_final=normal_upper(design.alpha_used / 2),
                alpha=design.alpha_used,
                power=design.power,
            )
            for look in looks
        )
    limits = [p.difference_ci for p in primaries]
    return all(
        limit is not None and max(sign * limit[0], sign * limit[1]) < design.mde for limit in limits
    )


def _guardrails(
    design: Design, observed: Observed, plan: LookPlan | None
) -> tuple[MetricResult, ...]:
    found = []
    for guardrail in design.guardrails:
        for place in range(1, len(design.variants)):
            seen = see(design, observed, guardrail.metric, place)
            kept, _ = guard(design, seen, guardrail, plan)
            look = always_valid.look(
                seen.evidence, tuning_n=design.tuning_units, alpha=design.alpha_used
            )
            shown = result(design, seen, look, guardrail.metric, place, role="guardrail")
            word = {True: "kept", False: "broken", None: "not known yet"}[kept]
            sentence = f"{guardrail.text}: {word} ({shown.sentence})"
            found.append(replace(shown, margin=guardrail.text, passed=kept, sentence=sentence))
    return tuple(found)


def _secondary(design: Design, observed: Observed) -> tuple[MetricResult, ...]:
    found = []
    for metric in design.secondary:
        for place in range(1, len(design.variants)):
            seen = see(design, observed, metric, place)
            look = always_valid.look(
                seen.evidence, tuning_n=design.tuning_units, alpha=design.alpha_used
            )
            found.append(result(design, seen, look, metric, place, role="secondary"))
    if not found:
        return ()
    adjusted = benjamini_hochberg([r.p_value for r in found], alpha=design.alpha)
    return tuple(
        replace(r, p_adjusted=p, adjustment=adjusted.method)
        for r, p in zip(found, adjusted.p_values, strict=True)
    )


def _gates(design: Design, observed: Observed, seen: Sequence[Seen]) -> tuple[Gate, ...]:
    days = (observed.at - observed.started_at) / DAY
    arms = {arm.variant: arm for s in seen for arm in s.arms}
    least = min(arms.values(), key=lambda arm: arm.n_units)
    needed = max(100, design.min_samples)
    gates = [
        _srm(observed),
        _coverage(design, observed),
        Gate(
            gate="min_units",
            passed=least.n_units >= needed,
            effect="continue",
            detail=f"{least.variant} has {least.n_units} of {needed} units",
        ),
    ]
    if design.metric.kind == "share":
        events = min((s.averaged.events or 0) for s in seen)
        gates.append(
            Gate(
                gate="min_events",
                passed=events >= 5,
                effect="continue",
                detail=f"the rarer outcome of an arm was seen {events:g} of 5 times",
            )
        )
    gates.append(
        Gate(
            gate="run_time",
            passed=days >= LEAST_DAYS,
            effect="continue",
            detail=f"it has run for {days:.1f} of at least {LEAST_DAYS} days",
        )
    )
    gates.append(
        Gate(
            gate="full_week",
            passed=days >= WEEK_DAYS,
            effect="warn",
            detail=f"it has run for {days:.1f} days; a week shows what week-ends do",
        )
    )
    return tuple(gate for gate in gates if gate is not None)


def _phase_srm(observed: Observed) -> list[float]:
    """The p-value of the split of each phase; units are counted, not requests."""
    found = []
    for phase in observed.phases:
        counts = tuple(u + a for u, a in zip(phase.users, phase.alone, strict=True))
        epoch = Epoch(counts, tuple(float(w) for w in phase.weights))
        found.append(sequential_sample_ratio(epoch).p_value)
    return found


def _srm(observed: Observed) -> Gate:
    ps = _phase_srm(observed)
    # The same users come back phase after phase, so the checks are shared and not multiplied.
    worst = min(range(len(ps)), key=lambda i: ps[i])
    passed = ps[worst] >= ALARM / len(ps)
    phase = observed.phases[worst]
    counts = [u + a for u, a in zip(phase.users, phase.alone, strict=True)]
    seen = " / ".join(str(count) for count in counts)
    meant = " / ".join(f"{weight / 100:g} %" for weight in phase.weights)
    return Gate(
        gate="srm",
        passed=passed,
        effect="invalid",
        detail=f"revision {phase.revision} split its units {seen} for {meant}"
        f" ({format_p(ps[worst])})",
    )


def _coverage(design: Design, observed: Observed) -> Gate | None:
    """Whether labels arrive as often for each arm; both arms' predictions are equally old."""
    table = observed.sums.get(COVERAGE)
    if table is None:
        return None
    worst, rates = 1.0, (0.0, 0.0)
    for place in range(1, len(design.variants)):
        pair = ratio_estimate(sum_moments(table, 0)), ratio_estimate(sum_moments(table, place))
        evidence = estimate_evidence(*pair)
        p = 1.0  # also where nothing varies: every prediction labelled, or none
        if evidence.z is not None:
            p = always_valid.p_value(
                evidence.z, evidence.n, tuning_n=design.tuning_units, alpha=ALARM
            )
        if p <= worst:
            worst = p
            rates = _rate(pair[0].value), _rate(pair[1].value)
    return Gate(
        gate="label_coverage",
        passed=worst > ALARM / len(design.treatments),
        effect="invalid",
        detail=f"labels have arrived for {rates[0]:.1%} of the control's predictions"
        f" and {rates[1]:.1%} of the treatment's ({format_p(worst)})",
    )


def _rate(rate: float) -> float:
    return rate if math.isfinite(rate) else 0.0


def sum_moments(table: tuple[tuple[tuple[float, ...], ...], ...], spot: int):  # type: ignore[no-untyped-def]  # JointMoments
    """The moments of one arm over all phases."""
    rows = [Sums(*row[spot]) for row in table]
    return moments(Sums(*(sum(column) for column in zip(*rows, strict=True))))


def _phases(design: Design, observed: Observed) -> tuple[PhaseResult, ...]:
    name = "avg_latency_ms" if design.metric.kind == "quantile" else design.metric.name
    scale = 1000.0 if name == "avg_latency_ms" else 1.0
    found = []
    for phase, row, p in zip(
        observed.phases, observed.sums[name], _phase_srm(observed), strict=True
    ):
        own = [Sums(*arm) for arm in row]
        values = tuple(arm.y / arm.k / scale if arm.k else None for arm in own)
        first = values[0]
        found.append(
            PhaseResult(
                revision=phase.revision,
                started_at=from_micros(phase.started_at),
                weights=tuple(weight / 100 for weight in phase.weights),
                units=tuple(u + a for u, a in zip(phase.users, phase.alone, strict=True)),
                rows=phase.rows,
                values=values,
                differences=tuple(
                    None if v is None or first is None else v - first for v in values[1:]
                ),
                srm_p_value=p,
            )
        )
    return tuple(found)


def _units_needed(design: Design, observed: Observed, seen: Sequence[Seen]) -> int | None:
    information = _information(design, seen)
    if information <= 0:
        if design.planned_units is None:
            return None
        return max(0, design.planned_units - observed.units)
    return math.ceil(max(0.0, observed.units * (1 / information - 1)))


def _days(observed: Observed, needed: int | None) -> float | None:
    elapsed = (observed.at - observed.started_at) / DAY
    if needed is None or not observed.units or elapsed <= 0:
        return None
    return needed / (observed.units / elapsed)


def _warnings(
    observed: Observed, primaries: Sequence[MetricResult], gates: Sequence[Gate]
) -> tuple[str, ...]:
    found = [code for p in primaries for code in p.warnings]
    found += [codes.SRM for g in gates if g.gate == "srm" and not g.passed]
    found += ["coverage" for g in gates if g.gate == "label_coverage" and not g.passed]
    if len(observed.phases) > 1:
        found.append("weights_changed")
    return tuple(dict.fromkeys(found))


def _counted(
    design: Design,
    plan: LookPlan | None,
    last: PastLook | None,
    looks: Sequence[Look],
    crossed: tuple[int, ...],
    seen: Sequence[Seen],
    *,
    is_final: bool,
) -> PastLook | None:
    """The look as it is to be recorded; None for a peek."""
    if (last is not None and last.is_final) or any(s.evidence.z is None for s in seen):
        return None
    units = min(s.evidence.n for s in seen)
    slot = last.slot + 1 if last else 1
    if plan is not None:
        if not plan.is_decision_point:
            return None
        slot = design.slots if plan.is_final else max(plan.number, slot)
    else:
        is_new = last is None or crossed != last.crossed or units >= _GROWTH * last.units
        if not (is_new or is_final):
            return None
    return PastLook(
        slot=slot,
        information=plan.information if plan else None,
        p=tuple(look.p_value for look in looks),
        crossed=crossed,
        is_final=is_final,
        units=units,
    )
