"""What a rollout does next: (state, what was seen, now) to one move. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from mlreg.clock import format_duration
from mlreg.entities.rollouts import CheckResult, Outcome, Rollout, Streak

Kind = Literal["wait", "hold", "begin", "advance", "complete", "abort"]


class Seen(NamedTuple):
    """What a rollout's next move rests on.

    Attributes:
        samples: Live predictions of the version in the step in force.
        checks: What each check comes to.
        problem: Why the version cannot go on serving, if it cannot.
        verdict: Of the A/B test that decides; empty where none does.
        why: Its reason.
    """

    samples: int = 0
    checks: tuple[CheckResult, ...] = ()
    problem: str = ""
    verdict: Literal["ship", "stop", "wait", ""] = ""
    why: str = ""


class Move(NamedTuple):
    """What happens next, and why.

    Attributes:
        kind: `wait` for time, people or traffic; `hold` what is over its time; or an action.
        at: When there is something to decide; None: nothing will be by itself.
    """

    kind: Kind
    why: str
    at: datetime | None = None


def next_move(rollout: Rollout, seen: Seen, now: datetime) -> Move:
    """What follows for a rollout.

    A broken check aborts in every state, also while somebody is asked or has paused it. All else
    waits for the interval, then for the samples, then for the checks.
    """
    if rollout.is_over:
        return Move("wait", f"it is {rollout.state}")
    if why := seen.problem or _told(seen.checks, "fail"):
        return Move("abort", why)
    if rollout.state == "paused":
        return Move("wait", "it is paused: somebody has to resume it")
    if rollout.state == "awaiting-approval":
        return Move("wait", f"somebody has to approve {rollout.ahead:g} %")
    if rollout.state == "pending":
        return Move("begin", "its probes answer")
    if seen.verdict:
        kinds: dict[str, Kind] = {"ship": "advance", "stop": "abort"}
        return Move(kinds.get(seen.verdict, "wait"), seen.why)
    lasts = rollout.plan.bake_seconds if _is_last(rollout) else rollout.plan.interval_seconds
    over = rollout.step_at + timedelta(seconds=lasts)
    if now < over:
        return Move("wait", f"{_name(rollout)} lasts {format_duration(lasts)}", over)
    return _judged(rollout, seen, now)


def _judged(rollout: Rollout, seen: Seen, now: datetime) -> Move:
    """What follows once the time of a step is over."""
    plan, done = rollout.plan, f"{_name(rollout)} is over and its checks hold"
    forward = Move("complete" if _is_last(rollout) else "advance", done)
    if seen.samples < max(plan.min_samples, 1):
        why = f"{seen.samples} of {plan.min_samples} samples are there"
        return _held(rollout, why, now)
    if why := _told(seen.checks, "unknown"):
        if plan.on_inconclusive == "abort":
            return Move("abort", why)
        if plan.on_inconclusive == "hold":
            return _held(rollout, why, now)
    if why := _told(seen.checks, "between"):
        return _held(rollout, why, now)
    return forward


def _held(rollout: Rollout, why: str, now: datetime) -> Move:
    """Held back since the first tick that found it so: no sleep and no clock makes that longer."""
    most = timedelta(seconds=rollout.plan.hold_at_most_seconds)
    since = rollout.held_at
    if since is None or since > now:
        return Move("hold", why, now + most)
    if now - since >= most:
        lasted = format_duration(rollout.plan.hold_at_most_seconds)
        return Move("abort", f"held back for {lasted}: {why}")
    return Move("wait", why, since + most)


def counted(checks: Iterable[CheckResult]) -> dict[str, Streak]:
    """By check, how often it has failed in a row."""
    return {found.finding.condition: found.streak for found in checks if found.streak.row}


def _is_last(rollout: Rollout) -> bool:
    return rollout.state == "baking"


def _name(rollout: Rollout) -> str:
    if _is_last(rollout):
        return "the bake"
    return f"the step of {rollout.traffic_percent:g} %"


def _told(checks: Iterable[CheckResult], outcome: Outcome) -> str:
    return "; ".join(found.finding.sentence for found in checks if found.outcome == outcome)
