"""Rollouts as a machine of states, by example and whatever ticks, clocks and people do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mlreg.entities.conditions import Finding
from mlreg.entities.rollouts import CheckResult, Outcome, Plan, Rollout, Streak
from mlreg.errors import Conflict
from mlreg.services.rollouts.planning import Seen, counted, next_move
from mlreg.services.rollouts.states import Action, after

START = datetime(2026, 9, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PLAN = Plan(steps=(10.0, 50.0, 100.0), min_samples=100)


def pending(plan: Plan = PLAN) -> Rollout:
    return Rollout(
        rollout_id="m#1", model_key=1, model="m", version_key=2, version="2.0.0", baseline_key=1,
        baseline="1.0.0", plan=plan, revision_before=1, step_at=START, started_at=START,
        started_by="tester",
    )  # fmt: skip


def begun(plan: Plan = PLAN) -> Rollout:
    return after(pending(plan), "begin", START)


def check(outcome: Outcome, row: int = 0) -> CheckResult:
    finding = Finding(condition="error_rate <= 5%", model="m", state="fail", sentence=outcome)
    return CheckResult(outcome=outcome, finding=finding, streak=Streak(row, row))


def seen(outcome: Outcome = "pass", samples: int = 100) -> Seen:
    return Seen(samples, (check(outcome),))


def test_a_good_version_goes_up_step_by_step_bakes_and_completes():
    rollout, now = begun(), START
    shares = [rollout.traffic_percent]
    while not rollout.is_over:
        now += HOUR
        move = next_move(rollout, seen(), now)
        if move.kind != "wait":
            rollout = after(rollout, move.kind, now)  # type: ignore[arg-type]  # an action
            shares.append(rollout.traffic_percent)
    assert shares == [10, 50, 100, 100]
    assert (rollout.state, now) == ("completed", START + 2 * HOUR + DAY)
    assert [stage.verdict for stage in rollout.stages] == ["pass"] * 3


@pytest.mark.parametrize(
    ("found", "waited", "kind"),
    [
        pytest.param(seen(), HOUR - timedelta(seconds=1), "wait", id="too-early"),
        pytest.param(seen(samples=99), HOUR, "hold", id="too-few"),
        pytest.param(seen("between"), HOUR, "hold", id="between"),
        pytest.param(seen("unknown"), HOUR, "hold", id="unknown"),
        pytest.param(seen("fail"), timedelta(0), "abort", id="broken"),
        pytest.param(Seen(problem="it is gone"), timedelta(0), "abort", id="gone"),
        pytest.param(seen(), -DAY, "wait", id="clock-back"),
        pytest.param(seen(samples=0), 3650 * DAY, "hold", id="clock-forth"),
        pytest.param(seen(), HOUR, "advance", id="good"),
    ],
)
def test_a_step_is_judged_by_time_samples_and_checks(found: Seen, waited: timedelta, kind: str):
    assert next_move(begun(), found, START + waited).kind == kind


@pytest.mark.parametrize(("how", "kind"), [("abort", "abort"), ("advance", "advance")])
def test_what_cannot_be_told_holds_aborts_or_passes_as_the_plan_says(how: str, kind: str):
    plan = replace(PLAN, on_inconclusive=how)
    assert next_move(begun(plan), seen("unknown"), START + HOUR).kind == kind
    assert next_move(begun(plan), seen("unknown", samples=0), START + HOUR).kind == "hold"


def test_a_hold_is_counted_from_the_first_tick_that_found_it():
    late = START + 30 * DAY  # nobody ticked
    rollout = begun()
    assert next_move(rollout, seen(samples=0), late).kind == "hold"
    rollout = replace(rollout, held_at=late)
    assert next_move(rollout, seen(samples=0), late + 2 * DAY - HOUR).kind == "wait"
    move = next_move(rollout, seen(samples=0), late + 2 * DAY)
    assert (move.kind, move.why) == ("abort", "held back for 2 days: 0 of 100 samples are there")


def test_a_step_that_needs_approval_waits_for_it_and_is_aborted_meanwhile_if_a_check_breaks():
    rollout = after(begun(replace(PLAN, approve=(50.0,))), "advance", START)
    assert (rollout.state, rollout.traffic_percent) == ("awaiting-approval", 10)
    assert next_move(rollout, seen(), START + 9 * DAY).kind == "wait"
    assert next_move(rollout, seen("fail"), START).kind == "abort"
    assert after(rollout, "approve", START).traffic_percent == 50


def test_a_paused_rollout_goes_on_where_it_was_and_is_aborted_if_a_check_breaks():
    paused = after(begun(), "pause", START)
    assert next_move(paused, seen(), START + DAY).kind == "wait"
    assert next_move(paused, seen("fail"), START).kind == "abort"
    assert after(paused, "resume", START) == begun()


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("begin", "progressing"), ("approve", "progressing"), ("resume", "progressing"),
        ("complete", "progressing"), ("retry", "progressing"), ("advance", "aborted"),
        ("abort", "aborted"), ("pause", "aborted"), ("promote", "aborted"), ("begin", "aborted"),
    ],
)  # fmt: skip
def test_what_a_state_does_not_allow_is_refused(action: Action, state: str):
    rollout = begun() if state == "progressing" else after(begun(), "abort", START)
    with pytest.raises(Conflict, match=f"m#1 is {state}: it cannot {action}"):
        after(rollout, action, START)


def test_a_retry_starts_from_nothing():
    again = after(after(begun(), "abort", START), "retry", START + DAY)
    assert (again.state, again.attempt, again.stages, again.ended_at) == ("pending", 2, (), None)


def test_a_streak_of_another_check_is_not_kept():
    assert counted([check("between", 2), check("pass")]) == {"error_rate <= 5%": Streak(2, 2)}


class Course(RuleBasedStateMachine):
    """A rollout under ticks at any time, with any findings, and people who do what they may."""

    def __init__(self) -> None:
        super().__init__()
        plan = replace(PLAN, approve=(50.0,), hold_at_most_seconds=7200.0)
        self.rollout, self.now = begun(plan), START
        self.by_person = False
        self.aborts = 0

    @rule(minutes=st.integers(-2000, 4000))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(
        outcome=st.sampled_from(["pass", "between", "unknown", "fail"]),
        samples=st.sampled_from([0, 99, 100]),
    )
    def tick(self, outcome: Outcome, samples: int) -> None:
        before, found = self.rollout, Seen(samples, (check(outcome),))
        self._move(found)
        once = self.rollout
        if before.is_over:
            assert once == before
        if once.traffic_percent > before.traffic_percent:
            assert samples >= 100
            assert outcome == "pass"
            assert once.step == before.step + 1
        if once.step == before.step:  # another step has its own samples
            self._move(found)
            assert self.rollout == once

    def _move(self, found: Seen) -> None:
        move = next_move(self.rollout, found, self.now)
        if move.kind == "hold":
            self.rollout = replace(self.rollout, held_at=self.now)
        elif move.kind != "wait":
            self.aborts += move.kind == "abort"
            self.rollout = after(self.rollout, move.kind, self.now, move.why)

    @rule(action=st.sampled_from(["advance", "approve", "pause", "resume", "promote", "abort"]))
    def person(self, action: Action) -> None:
        before = self.rollout
        try:
            self.rollout = after(before, action, self.now)
        except Conflict:
            assert self.rollout == before
        else:
            assert not before.is_over
            self.aborts += action == "abort"

    @precondition(lambda self: self.rollout.state == "aborted")
    @rule()
    def retry(self) -> None:
        self.rollout = after(after(self.rollout, "retry", self.now), "begin", self.now)

    @invariant()
    def is_sound(self) -> None:
        rollout = self.rollout
        shares = [stage.traffic_percent for stage in rollout.stages]
        assert shares == sorted(set(shares))
        assert 0 <= rollout.traffic_percent <= 100
        assert rollout.is_over == (rollout.ended_at is not None)
        assert (rollout.state == "paused") == (rollout.paused_from is not None)
        assert self.aborts == rollout.attempt - (rollout.state != "aborted")
        if rollout.state == "aborted":
            assert rollout.traffic_percent == 0
        if 50.0 in shares and not self._is_promoted():
            assert 50.0 in rollout.approved

    def _is_promoted(self) -> bool:
        return self.rollout.state == "completed"


TestCourse = Course.TestCase
TestCourse.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
