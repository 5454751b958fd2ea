"""The tick: where time makes something happen.

Each mover plans on a snapshot what is due; each step is done in a transaction of its own, on
condition that policy and revision are those it was planned on, and leaves a decision. Rounds follow
until nothing is left to do, so that a second tick at the same instant finds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.clock import SECOND, from_micros
from mlreg.entities.decisions import Decision, Outcome, Turn, Upcoming
from mlreg.entities.traffic import Change
from mlreg.errors import MlregError, StoreError
from mlreg.jsonable import jsonable
from mlreg.names import MAX_TEXT_LENGTH
from mlreg.services.moving import ENGINE, Basis, Lapsed, Mover, Step, View, basis_of

if TYPE_CHECKING:
    from mlreg.entities.hooks import DeliveryReport
    from mlreg.services.context import Act, Context
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

# A tick that was killed keeps others waiting for so long; one that lives renews its lease.
_LEASE = 30 * SECOND
# A chain of steps, each of which makes the next one due, is never so long.
_ROUNDS = 20


def movers(tx: Transaction) -> Iterator[Mover]:
    """All that moves with time, in the order in which it does; what has nothing to move is spared
    its import.
    """
    from mlreg.services.watching import Watcher

    yield Watcher()
    if tx.decisions.is_rolling_out():
        from mlreg.services.rollouts.mover import RolloutMover

        yield RolloutMover()


class Tick:
    """Lets time make things happen. It keeps nothing between two ticks.

    Args:
        context: The registry.
        parts: What moves; None: all that there is.
    """

    def __init__(self, context: Context, parts: Sequence[Mover] | None = None) -> None:
        self._context = context
        self._given = parts

    @property
    def _parts(self) -> Sequence[Mover]:
        if self._given is not None:
            return self._given
        with self._context.store.read() as tx:
            return list(movers(tx))

    def run(
        self,
        *,
        model: str | None = None,
        dry_run: bool = False,
        foresees: bool = False,
        actor: str | None = None,
    ) -> Turn:
        """Do what is due.

        Args:
            model: For this model alone; None: for all.
            dry_run: Say what would be done, and do nothing.
            foresees: Also say what will happen if nothing changes.
            actor: For whom; None: the registry's actor.

        Raises:
            NotFound: There is no such model.
        """
        context, now, parts = self._context, self._context.clock(), self._parts
        if dry_run or foresees:
            return self._foretell(parts, model, now, foresees=foresees)
        whom = context.author(actor)
        with _Lease(context, whom) as lease:
            if lease.busy_with is not None:
                return Turn(time=from_micros(now), dry_run=False, busy_with=lease.busy_with)
            moved = Round(context, parts, now, acting_for(whom))
            done, lapsed = moved.run(model, lease)
            if model is None:
                with context.store.write(durable=False) as tx:
                    tx.decisions.ticked(at=now, actor=whom)
        # Without the lease: who takes long to be told keeps no other tick waiting.
        told = _tell_hooks(context)
        if moved.problem is not None:
            raise moved.problem  # only now: the others have moved
        return Turn(
            time=from_micros(now), dry_run=False, decisions=tuple(done), lapsed=lapsed, told=told
        )

    def _foretell(
        self, parts: Sequence[Mover], model: str | None, now: int, *, foresees: bool
    ) -> Turn:
        with self._context.folded() as tx:
            view = View(self._context, tx, now, _only(self._context, tx, model))
            planned = tuple(
                _decision(view.now, step, _present(view, step), "done", "", step.why)
                for part in parts
                for step in part.plan(view)
                if not step.is_quiet
            )
            known = upcoming(view, parts) if foresees else ()
        return Turn(time=from_micros(now), dry_run=True, decisions=planned, upcoming=known)


def upcoming(view: View, parts: Sequence[Mover]) -> tuple[Upcoming, ...]:
    """What will happen if nothing changes, what is due first."""
    return tuple(sorted((one for part in parts for one in part.foresee(view)), key=_when))


class Round:
    """Plans and does steps until there are none.

    Args:
        context: The registry.
        parts: What moves.
        now: The instant.
        actor: Who is recorded.
        look: Opens the snapshots that are planned on; None: ones whose summaries cover the log.

    Attributes:
        problem: Why nothing was planned for some model, if so.
    """

    def __init__(
        self,
        context: Context,
        parts: Sequence[Mover],
        now: int,
        actor: str,
        look: Callable[[], AbstractContextManager[Transaction]] | None = None,
    ) -> None:
        self._look = look or context.folded
        self._context, self._parts, self._now, self._actor = context, parts, now, actor
        self._done: list[Decision] = []
        self._refused: set[tuple[str, str]] = set()
        self._lapsed = 0
        self.problem: MlregError | None = None

    def run(self, model: str | None, lease: _Lease | None = None) -> tuple[list[Decision], int]:
        """What was done or refused, and how many steps lapsed.

        Args:
            model: For this model alone; None: for all.
            lease: Ends it once somebody else has it; who has none does no harm, but may do in vain
                what another one does.
        """
        for _ in range(_ROUNDS):
            steps = [(part, step) for part, step in self._plan(model) if self._is_open(step)]
            for part, step in steps:
                if lease is None or lease.renew() is None:
                    self._take(part, step)
            if not steps or (lease is not None and lease.busy_with is not None):
                break
        return self._done, self._lapsed

    def _is_open(self, step: Step) -> bool:
        return (step.what, step.object) not in self._refused

    def _plan(self, model: str | None) -> list[tuple[Mover, Step]]:
        with self._look() as tx:
            view = View(self._context, tx, self._now, _only(self._context, tx, model))
            return [(part, step) for part in self._parts for step in self._planned(part, view)]

    def _planned(self, part: Mover, view: View) -> list[Step]:
        """What a part plans; the trouble of one model keeps no other from moving."""
        try:
            return list(part.plan(view))
        except StoreError:
            raise
        except MlregError as error:
            self.problem = error
        if view.only is not None:
            return []
        models = [view.tx.models.get(name) for name in view.tx.models.names()]
        alone = [View(self._context, view.tx, self._now, model) for model in models]
        return [step for one in alone for step in self._planned(part, one)]

    def _take(self, part: Mover, step: Step) -> None:
        try:
            with self._context.acting(self._change(step)) as act:
                basis = _checked(act, step)
                after = part.apply(act, step)
                decision = self._decide(act, step, basis, "done", step.why)
        except Lapsed:
            self._lapsed += 1
            return
        except StoreError:
            raise  # a full disk or a damaged file is no decision
        except MlregError as error:
            self._refuse(part, step, f"{error.message}; {step.why}")
            return
        self._done += decision
        if after is not None:
            after()

    def _refuse(self, part: Mover, step: Step, why: str) -> None:
        self._refused.add((step.what, step.object))
        try:
            with self._context.acting(self._change(step)) as act:
                basis = _checked(act, step)
                part.refuse(act, step, why[:MAX_TEXT_LENGTH])
                self._done += self._decide(act, step, basis, "refused", why)
        except Lapsed:
            self._lapsed += 1

    def _decide(
        self, act: Act, step: Step, basis: Basis, outcome: Outcome, why: str
    ) -> list[Decision]:
        if step.is_quiet:
            return []
        decision = _decision(act.at, step, basis, outcome, act.actor, why[:MAX_TEXT_LENGTH])
        number = act.tx.decisions.append(decision, step.model and step.model.key)
        return [replace(decision, number=number)]

    def _change(self, step: Step) -> Change:
        return Change(actor=self._actor, reason=step.why[:MAX_TEXT_LENGTH])


class _Lease:
    """The right to tick, for a block.

    Attributes:
        busy_with: Who has it, if that is somebody else.
    """

    def __init__(self, context: Context, whom: str) -> None:
        self._context = context
        self._holder = f"{whom}, process {os.getpid()}, {os.urandom(4).hex()}"
        self._until = 0
        self.busy_with: str | None = None

    def __enter__(self) -> _Lease:
        self.renew()
        return self

    def renew(self) -> str | None:
        """Keep the lease; it is written anew only where half of it is over.

        Returns:
            Who has it, if that is somebody else.
        """
        now = self._context.clock()
        if self._until - _LEASE <= now < self._until - _LEASE // 2:
            return self.busy_with
        self._until = now + _LEASE
        with self._context.store.write(durable=False) as tx:
            self.busy_with = tx.decisions.take_lease(self._holder, at=now, until=self._until)
        return self.busy_with

    def __exit__(self, *_: object) -> None:
        if self.busy_with is None:
            with self._context.store.write(durable=False) as tx:
                tx.decisions.release_lease(self._holder)


def _tell_hooks(context: Context) -> DeliveryReport | None:
    with context.store.read() as tx:
        if not tx.hooks.all():
            return None
    from mlreg.services.hooks.service import Hooks

    return Hooks(context).deliver()


def acting_for(whom: str) -> str:
    """Who is recorded as the author of what happens by itself."""
    return f"mlreg for {whom}"


def _only(context: Context, tx: Transaction, model: str | None) -> ModelRow | None:
    return None if model is None else context.model(tx, model)


def _present(view: View, step: Step) -> Basis:
    return view.basis(step.model) if step.model else Basis(0, 0)


def _checked(act: Act, step: Step) -> Basis:
    """What is in force, if it is what a step was planned on."""
    present = basis_of(act.tx, step.model) if step.model else Basis(0, 0)
    if step.basis not in (None, present):
        raise Lapsed
    return present


def _decision(
    at: int, step: Step, basis: Basis, outcome: Outcome, actor: str, why: str
) -> Decision:
    findings = jsonable(step.findings)
    assert isinstance(findings, list)  # for the type checker
    return Decision(
        number=0,
        time=from_micros(at),
        model=step.model and step.model.name,
        what=step.what,
        object=step.object,
        outcome=outcome,
        why=why,
        findings=tuple(findings),  # type: ignore[arg-type]  # each of them is an object
        policy=basis.policy,
        revision=basis.revision,
        engine=ENGINE,
        actor=actor,
    )


def _when(found: Upcoming) -> tuple[bool, str, str]:
    return found.time is None, str(found.time or ""), found.what
