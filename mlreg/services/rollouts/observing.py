"""What a rollout has seen: its steps, what both versions did in them, and what that comes to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from mlreg.clock import from_micros, to_micros
from mlreg.entities.conditions import Finding, State
from mlreg.entities.predictions import LIVE
from mlreg.entities.rollouts import NO_STREAK, CheckResult, Outcome, Rollout
from mlreg.evidence.conditions import Condition, told
from mlreg.evidence.phased import Held, Phase, Terms, hold, read_check
from mlreg.services.rollouts.planning import Seen
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.versions import Version
    from mlreg.store.store import Transaction

# Evaluations that lie closer together count as one.
_APART = timedelta(seconds=50)
_STATES: dict[Outcome, State] = {"pass": "pass", "fail": "fail", "between": "inconclusive"}


def observe(tx: Transaction, rollout: Rollout, now: int) -> Seen:
    """What its next move rests on; the summaries have to cover the log."""
    if not rollout.stages:
        return Seen()
    phases = phases_of(tx, rollout)
    version = tx.versions.by_key(rollout.version_key)
    checks = held(rollout, phases, version, now)
    return Seen(phases[-1].version.requests, checks)


def phases_of(tx: Transaction, rollout: Rollout) -> list[Phase]:
    """What both did in each step, live: from its revision to the one of the next."""
    starts = [stage.revision or 0 for stage in rollout.stages]
    found = [Phase(Tally(), Tally()) for _ in starts]
    end = starts[-1] + 1 if rollout.is_over else 2**62
    for place, key in enumerate((rollout.version_key, rollout.baseline_key)):
        for cell, tally in tx.summaries.all_time(key).items():
            if cell.role != LIVE:
                continue
            for phase, (first, after) in zip(found, pairwise([*starts, end]), strict=True):
                if first <= cell.revision < after:
                    phase[place].merge(tally)
    return found


def held(
    rollout: Rollout, phases: Sequence[Phase], version: Version, now: int
) -> tuple[CheckResult, ...]:
    """Its checks held against its phases."""
    plan = rollout.plan
    terms = Terms(len(plan.checks), len(plan.steps), plan.min_samples, plan.failures)
    at, last = from_micros(now), rollout.evaluated_at
    is_later = last is None or not last <= at < last + _APART
    results = []
    for text in plan.checks:
        condition = read_check(text)
        found = hold(
            condition,
            phases,
            terms,
            training=version.metrics.get(condition.metric),
            streak=rollout.failures.get(text, NO_STREAK),
            is_later=is_later,
        )
        results.append(_result(rollout, version, condition, found, now))
    return tuple(results)


def _result(
    rollout: Rollout, version: Version, condition: Condition, found: Held, now: int
) -> CheckResult:
    seen, judged, since = found.seen, found.judged, rollout.stages[found.start].started_at
    said = told(found.judged_as, seen, judged)
    row = f", {found.streak.row} times in a row" if found.streak.row else ""
    samples = f" ({seen.n} samples{row})" if seen.n else ""
    finding = Finding(
        condition=str(condition),
        model=rollout.model,
        model_id=version.model_id,
        version=rollout.version,
        state=_STATES.get(found.outcome, judged.state),
        value=seen.value,
        bound=judged.bound,
        interval=judged.interval and (judged.interval.low, judged.interval.high),
        samples=seen.n,
        needed=max(condition.least, int(condition.sure)),
        since=since,
        until=from_micros(max(now, to_micros(since) if since else now)),
        sentence=f"{version.ref}: {said}{samples}",
    )
    return CheckResult(outcome=found.outcome, finding=finding, streak=found.streak)
