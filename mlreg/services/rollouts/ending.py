"""The end of a rollout by what happens to its traffic, and the events of all changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.names import MAX_TEXT_LENGTH
from mlreg.services.rollouts.states import after, is_testing, test_of

if TYPE_CHECKING:
    from mlreg.entities.rollouts import Rollout
    from mlreg.entities.traffic import Revision
    from mlreg.services.context import Act


def let_go(act: Act, rollout_id: str, revision: Revision) -> None:
    """End a rollout whose traffic a rollback has taken: that must always be possible."""
    why = revision.reason or f"rollback to revision {revision.number}"
    end(act, act.tx.rollouts.get(rollout_id), why)


def end(act: Act, rollout: Rollout, why: str) -> None:
    """Abort a rollout, and leave the traffic as it is."""
    ended = after(rollout, "abort", from_micros(act.at), why[:MAX_TEXT_LENGTH])
    act.tx.rollouts.update(ended)
    release(act, rollout)
    tell(act, "rollout.abort", rollout, ended, why)


def end_with_test(act: Act, model_key: int, test_id: str) -> None:
    """End the rollout that a test decides, if others end that test; the traffic is theirs."""
    for rollout in act.tx.rollouts.open(model_key):
        if is_testing(rollout) and test_of(rollout) == test_id:
            end(act, rollout, f"its test {test_id} has been ended")


def release(act: Act, rollout: Rollout) -> None:
    """Hold the traffic no longer, if it is this rollout that holds it."""
    hold = act.tx.traffic.hold(rollout.model_key)
    if hold is not None and hold.id == rollout.rollout_id:
        act.tx.traffic.release(rollout.model_key)


def tell(act: Act, action: str, before: Rollout | None, rollout: Rollout, reason: str) -> None:
    """Write the event of a change."""
    if act.change.dry_run:
        return
    act.tx.events.append(
        action=action,
        object=rollout.rollout_id,
        actor=act.actor,
        at=act.at,
        model_key=rollout.model_key,
        model=rollout.model,
        reason=reason[:MAX_TEXT_LENGTH],
        before=None if before is None else _told(before),
        after=_told(rollout),
    )


def _told(rollout: Rollout) -> dict[str, object]:
    return {
        "rollout_id": rollout.rollout_id,
        "version": rollout.version,
        "state": rollout.state,
        "step": rollout.step,
        "traffic_percent": rollout.traffic_percent,
        "attempt": rollout.attempt,
    }
