"""From a look to what users get of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlreg.clock import SECOND, format_duration, from_micros
from mlreg.entities.analyses import Analysis, Exposure, RecordedLook, Watermark
from mlreg.entities.experiments import Experiment
from mlreg.services.experiments.receipts import ENGINE

if TYPE_CHECKING:
    from mlreg.evidence.judge import Judged
    from mlreg.evidence.observed import Observed


def analysis(
    experiment: Experiment,
    judged: Judged,
    looks: Sequence[RecordedLook],
    recorded_slot: int | None = None,
) -> Analysis:
    """A look at an experiment that had these looks, and recorded this one in a slot or did not."""
    design, observed, findings = experiment.design, judged.observed, judged.findings
    decision, lead = judged.decision, judged.leading
    return Analysis(
        test_id=experiment.test_id,
        model=experiment.model,
        status=experiment.state,
        unit=design.unit,
        mode=design.mode,
        verdict=decision.verdict,
        winner=decision.winner,
        statistical_significance=any(findings.crossed),
        practical_significance=findings.worth[lead] if findings.crossed[lead] > 0 else None,
        primary=findings.primaries[lead],
        primaries=findings.primaries,
        secondary=judged.secondary,
        as_assigned=judged.as_assigned,
        guardrails=findings.guardrails,
        gates=findings.gates,
        failed_gates=tuple(g for g in findings.gates if not g.passed and g.effect != "warn"),
        looks=tuple(looks),
        phases=judged.phases,
        exposure=_exposure(observed),
        is_decision_point=decision.look is not None,
        is_final=bool(decision.look and decision.look.is_final),
        label_window_seconds=None if observed.window is None else observed.window / SECOND,
        recorded_slot=recorded_slot,
        units_still_needed=judged.units_needed,
        days_still_needed=judged.days_needed,
        recommendation=decision.sentence,
        assumptions=_assumptions(experiment, judged),
        warnings=judged.warnings,
        fingerprint=experiment.fingerprint or "",
        computed_at=from_micros(observed.at),
        watermark=Watermark(predictions=observed.predictions, feedback=observed.feedback),
        engine_version=ENGINE,
        revision=experiment.revision,
    )


def _exposure(observed: Observed) -> Exposure:
    users, alone, double, torn = observed.exposure
    firsts = (phase.torn or (0,) * len(phase.users) for phase in observed.phases)
    return Exposure(
        units=users + alone,
        unkeyed=alone,
        double_exposed=double,
        excluded=torn,
        excluded_by_arm=tuple(map(sum, zip(*firsts, strict=True))),
    )


def _assumptions(experiment: Experiment, judged: Judged) -> tuple[str, ...]:
    found, observed = [], judged.observed
    last = judged.past[-1] if judged.past else None
    if last is not None and last.is_final:
        found.append(f"the test ended with look {last.slot}; what came later changes no verdict")
    if experiment.design.unit == "request":
        found.append("each request was split on its own, so requests are the units")
    elif observed.exposure[1]:
        found.append(f"{observed.exposure[1]} requests without a user count as units of their own")
    if observed.exposure[3]:
        found.append(
            f"{observed.exposure[3]} users who saw two arms within a phase are left out of it"
        )
    if observed.age:
        age = format_duration(observed.age / SECOND)
        source = "" if experiment.design.label_window_seconds else ", which 95 % of them take"
        found.append(f"labels count that come within {age}{source}, of predictions of that age")
    if len(observed.phases) > 1:
        found.append("arms are compared within each phase, users tie the phases together")
    return tuple(found)
