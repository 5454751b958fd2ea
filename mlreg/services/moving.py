"""What a tick moves by: views of the present, steps that are planned on them, and movers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.entities.decisions import Policy, Upcoming

if TYPE_CHECKING:
    from typing import Protocol

    from mlreg.entities.conditions import Finding
    from mlreg.services.context import Act, Context
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction
else:
    Protocol = object  # to build protocols costs a command 2 ms

# Raised whenever the same findings may lead to another decision.
ENGINE = "1"

AfterCommit = Callable[[], None]


class Lapsed(Exception):
    """What a step was planned on is no longer so: it is planned again by the next round."""


class Basis(NamedTuple):
    """What a step was planned on: the policy and revision in force then. 0: none."""

    policy: int
    revision: int


class Step(NamedTuple):
    """One thing to do for a model, planned and not yet done.

    Attributes:
        what: Such as `rollout.advance`: the name of the decision, and of the event if it has one.
        object: On what, such as the name of a rollout.
        why: A sentence.
        model: None for what concerns no model.
        basis: What must still be so; None: whatever policy and revision are in force.
        findings: What it rests on.
        data: For the mover that planned it.
        is_quiet: A change of state that is no decision, such as a count that goes up.
    """

    what: str
    object: str
    why: str
    model: ModelRow | None = None
    basis: Basis | None = None
    findings: Sequence[Finding] = ()
    data: Any = None
    is_quiet: bool = False


class View:
    """The present as movers see it: one snapshot, whose summaries cover all of the log.

    Attributes:
        context: The registry.
        tx: The snapshot, for reading.
        now: The instant of the tick, in microseconds.
        only: The model that is asked for; None: all.
        memo: What is costly to read and was read already; each mover keeps to keys of its own.
    """

    def __init__(
        self, context: Context, tx: Transaction, now: int, only: ModelRow | None = None
    ) -> None:
        self.context, self.tx, self.now, self.only = context, tx, now, only
        self.memo: dict[Any, Any] = {}

    def with_policy(self) -> Iterator[tuple[ModelRow, Policy]]:
        """The models that have a policy, with the one in force."""
        if "policies" not in self.memo:
            key = None if self.only is None else self.only.key
            self.memo["policies"] = self.tx.decisions.in_force(key)
        yield from self.memo["policies"]

    def basis(self, model: ModelRow) -> Basis:
        """What is in force for a model."""
        return basis_of(self.tx, model)


class Mover(Protocol):
    """A part that moves with time. It is made for each tick, and keeps nothing between two."""

    def plan(self, view: View) -> Iterable[Step]:
        """What is to be done now. It changes nothing, and under a stopped clock comes to an end:
        once its steps are done it plans none.
        """

    def apply(self, act: Act, step: Step) -> AfterCommit | None:
        """Do a step inside the transaction of its decision; the basis has been checked.

        Returns:
            What is to be done once that is committed, outside of any transaction; or nothing.

        Raises:
            Lapsed: Its own state is not the one that it was planned on.
            MlregError: It is refused; nothing of it is kept but a decision that says so.
        """

    def refuse(self, act: Act, step: Step, why: str) -> None:
        """Note that a step was refused, so that it is not planned over and over."""

    def foresee(self, view: View) -> Iterable[Upcoming]:
        """What will happen if nothing changes."""


def basis_of(tx: Transaction, model: ModelRow) -> Basis:
    """What is in force for a model."""
    return Basis(tx.decisions.policy_number(model.key), tx.traffic.number(model.key))
