"""Rollouts in a tick: what each does next, done once."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import from_micros
from mlreg.entities.decisions import Upcoming
from mlreg.errors import Conflict, MlregError, NotFound
from mlreg.services.moving import AfterCommit, Lapsed, Step, View
from mlreg.services.rollouts import applying
from mlreg.services.rollouts.ending import tell
from mlreg.services.rollouts.observing import observe
from mlreg.services.rollouts.planning import Move, Seen, counted, next_move
from mlreg.services.rollouts.probing import probe
from mlreg.services.rollouts.states import is_testing, test_of
from mlreg.services.rollouts.testing import judged

if TYPE_CHECKING:
    from mlreg.entities.rollouts import Rollout
    from mlreg.services.context import Act, Context
    from mlreg.services.rollbacks import RollbackTargets


class Planned(NamedTuple):
    """What a step was planned on, and what it does.

    Attributes:
        noted: The rollout with what this evaluation leaves: by the clock of the tick, since the
            transaction is a little later.
    """

    rollout: Rollout
    move: Move
    seen: Seen
    noted: Rollout
    targets: RollbackTargets | None = None


class RolloutMoves:
    """Lets rollouts go on, wait, or be aborted."""

    def __init__(self) -> None:
        self._looked: set[str] = set()

    def plan(self, view: View) -> Iterable[Step]:
        """The next move of each rollout, and counts of failures that have gone up."""
        for rollout in view.tx.rollouts.open(view.only.key if view.only else None):
            if is_testing(rollout) and rollout.rollout_id not in self._looked:
                # What a look counts and records is written before its verdict is read.
                look = partial(_look, view.context, test_of(rollout))
                yield Step("rollout.look", rollout.rollout_id, "", data=look, is_quiet=True)
                continue
            planned = self._planned(view, rollout)
            if planned.move.kind != "wait":
                yield _step(view, planned)
            elif planned.noted != rollout:
                yield _step(view, planned)._replace(what="rollout.note", is_quiet=True)

    def apply(self, act: Act, step: Step) -> AfterCommit | None:
        """Do the move, unless the rollout has moved on meanwhile."""
        if step.what == "rollout.look":
            self._looked.add(step.object)
            look: AfterCommit = step.data
            return look
        planned: Planned = step.data
        rollout = act.tx.rollouts.get(planned.rollout.rollout_id)
        if rollout != planned.rollout:
            raise Lapsed
        kind, why = planned.move.kind, planned.move.why
        if kind == "wait" or kind == "hold":  # the type checker follows this
            act.tx.rollouts.update(planned.noted)
            if kind == "hold":
                tell(act, "rollout.hold", rollout, planned.noted, why)
            return None
        applying.do(
            act,
            rollout,
            kind,
            reason=why,
            targets=planned.targets,
            findings=step.findings,
            has_verdict=planned.seen.verdict in ("ship", "stop") and why == planned.seen.why,
        )
        return None

    def refuse(self, act: Act, step: Step, why: str) -> None:
        """An abort that finds nothing to go back to ends the rollout; all else pauses it."""
        planned: Planned = step.data
        rollout = act.tx.rollouts.get(planned.rollout.rollout_id)
        if rollout != planned.rollout:
            raise Lapsed
        if planned.move.kind == "abort":
            applying.give_up(act, rollout, step.findings, why)
        else:
            applying.do(act, rollout, "pause", reason=why)

    def foresee(self, view: View) -> Iterable[Upcoming]:
        """When each rollout may go on."""
        for rollout in view.tx.rollouts.open(view.only.key if view.only else None):
            move = self._planned(view, rollout).move
            what = "rollout.advance" if move.kind == "wait" else f"rollout.{move.kind}"
            yield Upcoming(
                time=move.at, model=rollout.model, what=what, object=rollout.rollout_id,
                why=move.why,
            )  # fmt: skip

    def _planned(self, view: View, rollout: Rollout) -> Planned:
        key = ("rollout", rollout.rollout_id)
        if key not in view.memo:
            view.memo[key] = planned(view, rollout)
        found: Planned = view.memo[key]
        return found


def planned(view: View, rollout: Rollout) -> Planned:
    """The next move of a rollout; what an abort goes back to is verified here, not under a lock."""
    try:
        seen = _seen(view, rollout)
    except NotFound as error:  # one rollout must not keep all others from moving
        seen = Seen(problem=error.message)
    move = next_move(rollout, seen, from_micros(view.now))
    targets = None
    if move.kind == "abort" and rollout.stages and not is_testing(rollout):
        targets = applying.targets_of(view.context.objects, rollout)
        model = view.tx.models.get(rollout.model)
        with suppress(MlregError):  # it is told when it is done
            targets.choose(view.tx, model, view.tx.traffic.current(model), view.now)
    return Planned(rollout, move, seen, _noted(rollout, move, seen, view.now), targets)


def _seen(view: View, rollout: Rollout) -> Seen:
    """What a rollout's next move rests on."""
    if rollout.state == "pending":
        version = view.tx.versions.by_key(rollout.version_key)
        return Seen(problem=probe(view.context, version, rollout.plan.probes))
    seen = observe(view.tx, rollout, view.now)
    return judged(view.tx, rollout, seen, view.now) if is_testing(rollout) else seen


def _look(context: Context, test_id: str) -> None:
    from mlreg.services.experiments import looks

    with suppress(NotFound, Conflict):  # somebody ended it meanwhile
        looks.analyze(context, test_id)


def _step(view: View, planned: Planned) -> Step:
    rollout, move = planned.rollout, planned.move
    model = view.tx.models.get(rollout.model)
    shown = [
        found.finding
        for found in planned.seen.checks
        if move.kind != "abort" or found.outcome != "pass"
    ]
    return Step(
        what=f"rollout.{move.kind}",
        object=rollout.rollout_id,
        why=move.why,
        model=model,
        basis=view.basis(model),
        findings=shown,
        data=planned,
    )


def _noted(rollout: Rollout, move: Move, seen: Seen, now: int) -> Rollout:
    """The rollout with failures in a row, and since when it is held."""
    failures = counted(seen.checks)
    if failures != rollout.failures:
        rollout = replace(rollout, failures=failures, evaluated_at=from_micros(now))
    if move.kind == "hold":
        rollout = replace(rollout, held_at=from_micros(now))
    return rollout
