"""From what was observed to a verdict: a pure function, so that a receipt can be computed again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlreg.clock import DAY, SECOND, from_micros
from mlreg.entities.analyses import MetricResult, PhaseResult
from mlreg.entities.experiments import Design
from mlreg.entities.looks import Decision, PastLook
from mlreg.evidence.crossovers import as_assigned
from mlreg.evidence.gates import are_ready, gates
from mlreg.evidence.guardrails import guardrails
from mlreg.evidence.information import information
from mlreg.evidence.looks import Stage, take
from mlreg.evidence.observed import Observed
from mlreg.evidence.results import primary, secondary
from mlreg.evidence.seen import Table, see
from mlreg.evidence.verdict import Findings, ruling, verdict
from mlreg.stats import codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A look: what was observed and decided, what that rests on, and what is shown beside it."""

    observed: Observed
    past: Sequence[PastLook]
    decision: Decision
    findings: Findings
    leading: int
    secondary: tuple[MetricResult, ...]
    as_assigned: tuple[MetricResult, ...]
    phases: tuple[PhaseResult, ...]
    units_needed: int | None
    days_needed: float | None
    warnings: tuple[str, ...]


def judge_experiment(design: Design, observed: Observed, past: Sequence[PastLook]) -> Judged:
    """What the observed sums show after the looks so far."""
    table = see(design, observed)
    seen = table.metrics[design.metric.name]
    stage = take(design, observed, seen, past)
    guards = guardrails(design, table, stage)
    primaries = [primary(design, s, trial) for s, trial in zip(seen, stage.trials, strict=True)]
    shown = secondary(design, table)
    kept = tuple(guard.passed for guard in guards)
    counts = stage.counts(kept)
    findings = Findings(
        design=design,
        primaries=tuple(primaries),
        guardrails=guards,
        gates=gates(design, observed, table),
        crossed=stage.crossed,
        ready=are_ready(design, seen),
        is_final=stage.is_final,
        now=tuple(trial.now for trial in stage.trials),
        ended=tuple(trial.is_final for trial in stage.trials),
        fresh=tuple(counts and trial.is_decision_point for trial in stage.trials),
        standing=stage.last,
    )
    found = verdict(findings)
    leading = findings.leading(found.winner)
    lead = findings.primaries[leading]
    needed = None
    if not stage.is_final and found.verdict in ("continue", "invalid"):
        needed = _units_needed(design, observed, information(design, seen[leading]))
    return Judged(
        observed=observed,
        past=past,
        decision=Decision(
            *found,
            look=_look(findings, stage, kept) if counts else None,
            z=lead.statistic,
            boundary=lead.look.boundary,
            alpha_spent=lead.look.alpha_spent,
            p_value=lead.p_value,
            diff=lead.diff,
            failed_gates=tuple(gate.gate for gate in findings.gates if not gate.passed),
        ),
        findings=findings,
        leading=leading,
        secondary=shown,
        as_assigned=as_assigned(design, observed, table),
        phases=_phases(observed, table),
        units_needed=needed,
        days_needed=_days(observed, needed),
        warnings=_warnings(observed, findings),
    )


def _look(findings: Findings, stage: Stage, kept: tuple[bool | None, ...]) -> PastLook:
    """What the look hands on to the next."""
    times = tuple(trial.time for trial in stage.trials)
    return PastLook(
        slot=stage.slot,
        information=max((time for time in times if time is not None), default=None),
        p=tuple(trial.look.p_value for trial in stage.trials),
        crossed=stage.crossed,
        is_final=stage.is_final,
        units=stage.units,
        kept=kept,
        gains=tuple(findings.gains),
        worth=tuple(findings.worth),
        futile=tuple(findings.futile),
        ending=ruling(findings) if stage.is_final else None,
        times=times,
        ended=findings.ended,
        limits=stage.limits,
    )


def _phases(observed: Observed, table: Table) -> tuple[PhaseResult, ...]:
    rows = zip(observed.phases, table.phases, table.splits, strict=True)
    return tuple(
        PhaseResult(
            revision=phase.revision,
            started_at=from_micros(phase.started_at),
            weights=tuple(weight / 100 for weight in phase.weights),
            units=phase.units,
            rows=phase.rows,
            values=values,
            differences=tuple(
                None if v is None or values[0] is None else v - values[0] for v in values[1:]
            ),
            srm_p_value=p,
        )
        for phase, values, p in rows
    )


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
