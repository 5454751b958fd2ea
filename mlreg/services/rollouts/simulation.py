"""`rollout simulate`: the log read, and a plan tried on it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import Moment, from_micros
from mlreg.entities.rollouts import Plan, Rollout, Simulation
from mlreg.errors import InvalidInput
from mlreg.names import safe
from mlreg.services.rollouts.simulating import Break, fails, run, slower, try_out, wrong
from mlreg.services.windows import window_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlreg.services.context import Context
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_MOST_ROWS, _MOST_RUNS = 200_000, 10_000


class Breaks(NamedTuple):
    """How broken the versions are that are tried; 0: none is in this way.

    Attributes:
        fails: The share of requests that fail in addition.
        slower: How much longer each answer takes: 1.0 is twice as long.
        wrong: The share of right answers that are wrong.
    """

    fails: float = 0.1
    slower: float = 1.0
    wrong: float = 0.2


def simulate(
    context: Context,
    tx: Transaction,
    model: ModelRow,
    plan: Plan,
    since: Moment,
    breaks: Breaks,
    runs: int,
) -> Simulation:
    """Try a plan on the log; see `Rollouts.simulate`."""
    if not 1 <= runs <= _MOST_RUNS:
        raise InvalidInput(f"the number of runs lies between 1 and {_MOST_RUNS:,}, not at {runs}")
    if plan.strategy == "ab":
        raise InvalidInput("an A/B test is simulated by mlreg selftest and abtest power")
    now = context.clock()
    window = window_of(since, None, now=now)
    rows = tx.rollouts.logged(
        model.key,
        first=tx.predictions.first_id(window.since),
        since=window.since,
        until=now,
        limit=_MOST_ROWS,
    )
    if not rows:
        raise InvalidInput(
            f"nothing of {safe(model.name)} was logged since then", hint="go further back: --since"
        )
    labelled = sum(row.correct is not None for row in rows)
    rollout = _pending(tx, model, plan, rows[0].at)
    version = tx.versions.by_key(rollout.version_key)
    course = run(rollout, version, rows, None, Random(0))  # no secret
    trials = [
        try_out(rollout, version, rows, name, how, range(1, runs + 1))
        for name, how in _kinds(breaks, has_labels=labelled > 0)
    ]
    return Simulation(
        model=model.name,
        plan=plan,
        since=from_micros(rows[0].at),
        until=from_micros(rows[-1].at),
        predictions=len(rows),
        labelled=labelled,
        passages=course.passages,
        ended=course.ended,
        trials=tuple(trials),
    )


def _kinds(breaks: Breaks, *, has_labels: bool) -> Iterator[tuple[str, Break | None]]:
    yield "equal", None
    if breaks.fails:
        yield f"fails on {breaks.fails * 100:g} % more", fails(breaks.fails)
    if breaks.slower:
        yield f"takes {1 + breaks.slower:.3g} times as long", slower(1 + breaks.slower)
    if breaks.wrong and has_labels:
        yield f"is wrong on {breaks.wrong * 100:g} % more", wrong(breaks.wrong)


def _pending(tx: Transaction, model: ModelRow, plan: Plan, at: int) -> Rollout:
    """A rollout of what serves, beside itself; nobody is asked to approve."""
    now = tx.traffic.current(model)
    arms = now.live or tuple(arm for past in tx.traffic.history(model) for arm in past.live)
    if not arms:
        raise InvalidInput(f"no version of {safe(model.name)} has ever served")
    main = max(arms, key=lambda arm: arm.weight)
    began = from_micros(at)
    return Rollout(
        rollout_id=f"{model.name}#0",
        model_key=model.key,
        model=model.name,
        version_key=main.version_key,
        version=main.version,
        baseline_key=main.version_key,
        baseline=main.version,
        plan=replace(plan, approve=(), approvers=()),
        revision_before=now.number,
        step_at=began,
        started_at=began,
        started_by="",
    )
