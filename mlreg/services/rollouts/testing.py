"""Rollouts that an A/B test decides: the test begins with them, and they follow its verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.entities import experiments
from mlreg.entities.experiments import MIN_SAMPLES
from mlreg.errors import NotFound
from mlreg.services.rollouts.planning import Seen
from mlreg.services.rollouts.states import after, test_of

if TYPE_CHECKING:
    from mlreg.entities.experiments import Experiment
    from mlreg.entities.rollouts import Rollout
    from mlreg.services.context import Act, Context
    from mlreg.store.store import Transaction


def begin_test(act: Act, context: Context, rollout: Rollout, why: str) -> Rollout:
    """Begin the test of a rollout; it holds the traffic."""
    from mlreg.services.experiments import lifecycle

    begun = after(rollout, "begin", from_micros(act.at), why)
    if act.change.dry_run:
        return begun
    plan, name = rollout.plan, rollout.model
    draft = experiments.Draft(
        control=f"{name}@{rollout.baseline}",
        treatments=(f"{name}@{rollout.version}",),
        split=plan.steps[0],
        metric=plan.metric,
        min_samples=max(plan.min_samples, MIN_SAMPLES),
        min_run=f"{math.ceil(plan.interval_seconds)}s" if plan.interval_seconds else "0",
        description=f"decides the rollout {rollout.rollout_id}",
    )
    lifecycle.create(act, context, test_of(rollout), draft)
    test = lifecycle.start(act, test_of(rollout))
    act.tx.rollouts.update(begun)
    act.tx.rollouts.add_stage(begun, test.phases[0].revision)
    return act.tx.rollouts.get(rollout.rollout_id)


def judged(tx: Transaction, rollout: Rollout, seen: Seen, now: int) -> Seen:
    """What was seen of a rollout, with the verdict of its test as far as that is folded."""
    from mlreg.services.experiments import looks

    test = running_test(tx, rollout)
    if test is None:
        return seen._replace(problem=f"its test {test_of(rollout)} has been ended")
    found = looks.folded(tx, test, now)
    if found.verdict == "ship" and found.winner == rollout.version:
        return seen._replace(verdict="ship", why=found.recommendation)
    is_over = found.verdict in ("rollback", "stop_futile", "inconclusive")
    return seen._replace(verdict="stop" if is_over else "wait", why=found.recommendation)


def running_test(tx: Transaction, rollout: Rollout) -> Experiment | None:
    """The test of a rollout, unless somebody has ended it."""
    try:
        test = tx.experiments.get(test_of(rollout))
    except NotFound:
        return None
    return test if test.state == "running" else None


def end_test(act: Act, rollout: Rollout, *, has_verdict: bool) -> None:
    """End the test of a rollout, with its verdict if it has one; the traffic is as it was before.

    Raises:
        Inconclusive: It has no verdict any more.
    """
    from mlreg.services.experiments import lifecycle, looks

    if running_test(act.tx, rollout) is None:
        return
    if has_verdict:
        looks.concluded(act, test_of(rollout))
    else:
        lifecycle.stop(act, test_of(rollout))
