"""The states of a rollout, and what leads from one to another; pure, and without traffic.

pending ─ begin ─> progressing ─ advance ─> … ─> baking ─ complete ─> completed
                     │     ↑ approve
                     └─> awaiting-approval        any of them ─ abort ─> aborted ─ retry ─> pending
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal

from mlreg.entities.rollouts import Rollout, Stage, State
from mlreg.errors import Conflict
from mlreg.names import safe

Action = Literal[
    "begin", "advance", "approve", "pause", "resume", "promote", "complete", "abort", "retry"
]

_RUNNING: frozenset[State] = frozenset({"progressing", "baking"})
_OPEN: frozenset[State] = _RUNNING | {"awaiting-approval"}
_FROM: dict[Action, frozenset[State]] = {
    "begin": frozenset({"pending"}),
    "advance": frozenset({"progressing"}),
    "approve": frozenset({"awaiting-approval"}),
    "pause": _OPEN,
    "resume": frozenset({"paused"}),
    "promote": _OPEN | {"paused"},
    "complete": frozenset({"baking"}),
    "abort": _OPEN | {"paused", "pending"},
    "retry": frozenset({"aborted"}),
}
_INSTEAD: dict[State, str] = {
    "pending": "it waits for its probes: mlreg tick",
    "progressing": "see how it stands: mlreg rollout status",
    "baking": "to end it now: mlreg rollout promote, or mlreg rollout abort",
    "paused": "go on with it first: mlreg rollout resume",
    "awaiting-approval": "agree to its next step: mlreg rollout approve",
    "completed": "to go back: mlreg rollback",
    "aborted": "to try it once more: mlreg rollout retry",
}


def is_testing(rollout: Rollout) -> bool:
    """Whether a test has the traffic, or had it until somebody ended it."""
    return rollout.strategy == "ab" and rollout.step == 0 and not rollout.is_over


def test_of(rollout: Rollout) -> str:
    """The name of the test that decides a rollout."""
    return f"{rollout.rollout_id.replace('#', '-rollout-')}-{rollout.attempt}"


def after(rollout: Rollout, action: Action, at: datetime, reason: str = "") -> Rollout:
    """The rollout after an action; what it puts in force is its `traffic_percent`.

    Args:
        rollout: As it stands.
        action: What happens to it.
        at: Now.
        reason: Why.

    Raises:
        Conflict: Its state does not allow that.
    """
    if rollout.state not in _FROM[action]:
        raise Conflict(
            f"the rollout {safe(rollout.rollout_id)} is {rollout.state}: it cannot {action}",
            hint=_INSTEAD[rollout.state],
        )
    told = replace(rollout, reason=reason, held_at=None)
    if action == "pause":
        return replace(told, state="paused", paused_from=rollout.state)
    if action == "resume":
        return replace(told, state=rollout.paused_from or "progressing", paused_from=None)
    if action == "abort":
        return _ended(told, "aborted", at)
    if action == "complete":
        return _ended(told, "completed", at)
    if action == "promote":
        whole = told if told.traffic_percent == 100 else _entered(told, 100.0, at)
        return _ended(whole, "completed", at)
    if action == "retry":
        return replace(
            told, state="pending", attempt=rollout.attempt + 1, stages=(), approved=(),
            failures={}, evaluated_at=None, step_at=at, ended_at=None, paused_from=None,
        )  # fmt: skip
    ahead = rollout.ahead
    assert ahead is not None  # the last step is 100 %, from which nobody advances
    if action == "approve":
        told = replace(told, approved=(*told.approved, ahead))
    if ahead in told.plan.approve and ahead not in told.approved:
        return replace(told, state="awaiting-approval")
    return _entered(told, ahead, at)


def _entered(rollout: Rollout, percent: float, at: datetime) -> Rollout:
    """The next step, just put in force: it has to earn its own samples."""
    stage = Stage(traffic_percent=percent, started_at=at, verdict="running")
    return replace(
        rollout,
        state="baking" if percent == 100 else "progressing",
        stages=(*_closed(rollout, "pass"), stage),
        step_at=at,
        failures={},
        evaluated_at=None,
        paused_from=None,
    )


def _ended(rollout: Rollout, state: State, at: datetime) -> Rollout:
    stages = _closed(rollout, "pass" if state == "completed" else "fail")
    return replace(rollout, state=state, stages=stages, ended_at=at, paused_from=None)


def _closed(rollout: Rollout, verdict: Literal["pass", "fail"]) -> tuple[Stage, ...]:
    *past, last = rollout.stages or (None,)
    return (*past, replace(last, verdict=verdict)) if last else ()
