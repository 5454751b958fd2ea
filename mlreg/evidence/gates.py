"""Gates: what must hold before the numbers of an experiment may decide anything."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlreg.clock import DAY, SECOND, format_duration
from mlreg.entities.analyses import Gate, GateEffect
from mlreg.entities.experiments import Design
from mlreg.evidence.crossovers import crossovers
from mlreg.evidence.observed import Observed
from mlreg.evidence.reports import format_p
from mlreg.evidence.seen import Coverage, Seen, Table, events_of, least_events, least_units
from mlreg.evidence.verdict import RUN_TIME, SRM
from mlreg.metrics import (
    ANSWERED,
    coverage,
    coverage_of,
    gate_of,
    is_fed_back,
    measure_of,
    value_name,
)
from mlreg.stats import always_valid
from mlreg.stats.evidence import MIN_EVENTS, MIN_UNITS
from mlreg.stats.phases import Averaged
from mlreg.stats.srm import THRESHOLD as ALARM

WEEK = 7 * DAY // SECOND  # seconds
_RARE = {
    "share": "of the rarer outcome",
    "mean": "{unit}s with a value other than 0",
    "quantile": "answers beyond the quantile",
}
# Latencies are known of answers alone: who fails this much more often may have lost the slow ones.
LOST = 0.01


def gates(design: Design, observed: Observed, table: Table) -> tuple[Gate, ...]:
    """All gates, those that mean a fault before those that time will open."""
    seen = table.metrics[design.metric.name]
    lasted = f"it has run for {format_duration(observed.seconds)}"
    found = [
        _srm(observed, table.splits),
        crossovers(design, observed),
        *(_coverage(design, arrived, observed.age) for arrived in table.coverages),
        _units(design, seen, observed.age),
        _events(design, seen),
        Gate(
            gate=RUN_TIME,
            passed=observed.has_run(design),
            effect="wait",
            detail=f"{lasted}; a verdict needs {format_duration(design.min_run_seconds)}",
        ),
        Gate(
            gate="full_week",
            passed=observed.seconds >= WEEK,
            effect="warn",
            detail=f"{lasted}; a whole week shows what week-ends do",
        ),
    ]
    return tuple(gate for gate in found if gate is not None)


def _srm(observed: Observed, splits: Sequence[float]) -> Gate:
    # The same users come back phase after phase: the alarm is shared among the phases.
    pairs = zip(splits, observed.phases, strict=True)
    p, phase = min(pairs, key=lambda found: found[0])
    counts = phase.units
    total = sum(counts)
    meant = " / ".join(f"{weight / 100:g}" for weight in phase.weights)
    seen = " / ".join(f"{count / total * 100:.1f}" for count in counts) if total else ""
    of_phase = f" in revision {phase.revision}" if len(observed.phases) > 1 else ""
    return Gate(
        gate=SRM,
        passed=p >= ALARM / len(observed.phases),
        effect="invalid",
        detail=f"{total:,} units were split {seen} %, and {meant} % were meant"
        f"{of_phase} ({format_p(p)})"
        if total
        else "no units yet",
    )


def _coverage(design: Design, arrived: Coverage, age: int) -> Gate:
    """Whether what the metrics rest on arrives as often for each arm, within phases."""
    name = arrived.name
    p, worst = min(((_coverage_p(design, arms), arms) for arms in arrived.arms), key=lambda f: f[0])
    rates = [0.0 if arm is None else arm.value for arm in (worst.control, worst.treatment)]
    is_small = name == ANSWERED and abs(rates[1] - rates[0]) < LOST
    of_age = age if is_fed_back(name) else 0
    due = f" that are {format_duration(of_age / SECOND)} old" if of_age else ""
    return Gate(
        gate=gate_of(name),
        passed=p >= ALARM / len(design.treatments) or is_small,
        effect=_effect(name, rates) if arrived.is_needed else "warn",
        detail=f"{coverage(name).arrives or value_name(name)} came for {rates[0]:.1%} and "
        f"{rates[1]:.1%} of the predictions{due} of control and treatment ({format_p(p)})",
    )


def _effect(name: str, rates: Sequence[float]) -> GateEffect:
    """A treatment that fails more often than the control cannot win, but it may well be harmful."""
    return "wait" if name == ANSWERED and rates[1] < rates[0] else "invalid"


def _coverage_p(design: Design, arms: Averaged) -> float:
    """1 where nothing varies: every prediction labelled, or none."""
    if arms.control is None or arms.treatment is None:
        return 1.0
    evidence = arms.evidence(min_units=MIN_UNITS, min_events=MIN_EVENTS)
    if evidence.z is None:
        return 1.0
    return always_valid.p_value(evidence.z, evidence.n, tuning_n=design.tuning_units, alpha=ALARM)


def are_ready(design: Design, seen: Sequence[Seen]) -> tuple[bool, ...]:
    """For each treatment whether it and the control have units and events enough to be tested."""
    needed, events = least_units(design), least_events(design.metric)
    return tuple(
        min(arm.n_units for arm in s.arms) >= needed and events_of(design.metric, s) >= events
        for s in seen
    )


def _units(design: Design, seen: Sequence[Seen], age: int) -> Gate:
    """Fails while no treatment can be tested; one that lags behind only waits for itself."""
    needed = least_units(design)
    what = f"{design.unit}s{measure_of(design.metric.name).known_of}"
    if age and is_fed_back(coverage_of(design.metric.name) or ""):
        what += f" at the age of {format_duration(age / SECOND)}"
    small = [min(s.arms, key=lambda arm: arm.n_units) for s in seen]
    lagging = [arm for arm in small if arm.n_units < needed]
    said = (
        f"{small[0].variant} has {small[0].n_units:,} {what}; a test needs {needed:,} in each arm"
    )
    if len(lagging) < len(seen):
        least = min(arm.n_units for arm in small if arm.n_units >= needed)
        said = f"each arm has {least:,} {what} or more; a test needs {needed:,}"
        if lagging:
            said = f"{lagging[0].variant} has {lagging[0].n_units:,} {what} and is left out until "
            said += f"it has {needed:,}; the others have {least:,} or more"
    return Gate(gate="min_units", passed=len(lagging) < len(seen), effect="wait", detail=said)


def _events(design: Design, seen: Sequence[Seen]) -> Gate | None:
    needed = least_events(design.metric)
    events = max(events_of(design.metric, s) for s in seen)
    if math.isinf(events):
        return None
    rare = _RARE[design.metric.kind].format(unit=design.unit)
    said = f"an arm can expect {events:,.{0 if events >= needed else 1}f} {rare}"
    if alike := _all_alike(design, seen):
        said = f"{design.metric.name} is {alike} in every arm, so nothing of the rarer outcome came"
    return Gate(
        gate="min_events",
        passed=events >= needed,
        effect="wait",
        detail=f"{said}; a test needs {needed}",
    )


def _all_alike(design: Design, seen: Sequence[Seen]) -> str | None:
    """The share that every arm has, if it is all or nothing."""
    values = {arm.value for s in seen for arm in s.arms}
    if design.metric.kind != "share" or values not in ({0.0}, {1.0}):
        return None
    return f"{values.pop():.0%}"
