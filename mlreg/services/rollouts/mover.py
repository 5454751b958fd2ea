"""Rollouts in a tick. What it takes is imported where there is one: most ticks find none."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlreg.entities.decisions import Upcoming
    from mlreg.services.context import Act
    from mlreg.services.moving import AfterCommit, Step, View
    from mlreg.services.rollouts.moves import RolloutMoves


class RolloutMover:
    """Lets rollouts go on, wait, or be aborted."""

    @cached_property
    def _moves(self) -> RolloutMoves:
        from mlreg.services.rollouts.moves import RolloutMoves

        return RolloutMoves()

    def plan(self, view: View) -> Iterable[Step]:
        """The next move of each rollout, and counts of failures that have gone up."""
        return self._moves.plan(view) if view.tx.traffic.has_rollouts() else ()

    def apply(self, act: Act, step: Step) -> AfterCommit | None:
        """Do the move, unless the rollout has moved on meanwhile."""
        return self._moves.apply(act, step)

    def refuse(self, act: Act, step: Step, why: str) -> None:
        """Note that a move was refused."""
        self._moves.refuse(act, step, why)

    def foresee(self, view: View) -> Iterable[Upcoming]:
        """When each rollout may go on."""
        return self._moves.foresee(view) if view.tx.traffic.has_rollouts() else ()
