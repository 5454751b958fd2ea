"""Rollouts on a real registry: ticks, people, and what comes at the wrong time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mlreg.clock import DAY, HOUR, MINUTE
from mlreg.entities.decisions import Turn
from mlreg.entities.rollouts import Draft, Probe
from mlreg.entities.traffic import Change
from mlreg.errors import Conflict, InvalidInput, NotFound
from mlreg.registry import Registry
from mlreg.services.rollouts.simulation import Breaks
from tests.support import Clock, dump

PLAN = Draft(
    steps=(10, 50, 100),
    min_samples=20,
    checks=("error_rate <= 5% sure", "error_rate <= baseline + 2pt sure"),
)


class Going(Clock):
    """A clock that goes on a little whenever somebody looks at it."""

    def __call__(self) -> int:
        self.at += 1000
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Going(1_790_000_000_000_000)


@pytest.fixture
def serving(sentiment: Registry) -> Registry:
    """1.0.0 serves alone."""
    sentiment.traffic.activate("sentiment@1.0.0")
    return sentiment


def answer(registry: Registry, counts: dict[str, int], *, failed: Sequence[str] = ()) -> None:
    """Live answers that a program gave, so many by each version."""
    for version, count in counts.items():
        said = {"error": "no"} if version in failed else {"output": "positive"}
        rows = [{"version": version, "latency_ms": 5.0, **said} for _ in range(count)]
        registry.predictions.record_many(rows, model="sentiment")


def tick(registry: Registry) -> list[str]:
    return did(registry.tick())


def did(turn: Turn) -> list[str]:
    return [f"{one.what} {one.outcome}" for one in turn.decisions]


def shares(registry: Registry) -> dict[str, float]:
    return {arm.version: arm.traffic_percent for arm in registry.traffic.current().live}


def test_a_good_version_reaches_the_whole_and_is_champion_once_it_has_baked(
    serving: Registry, clock: Clock
):
    rollout = serving.rollouts.start("sentiment@2.0.0", PLAN)
    assert (rollout.rollout_id, rollout.state) == ("sentiment#1", "progressing")
    seen = [shares(serving)]
    for _ in range(2):
        answer(serving, {"1.0.0": 40, "2.0.0": 20})
        clock.at += HOUR
        assert tick(serving) == ["rollout.advance done"]
        seen.append(shares(serving))
    assert seen == [{"1.0.0": 90, "2.0.0": 10}, {"1.0.0": 50, "2.0.0": 50}, {"2.0.0": 100}]
    answer(serving, {"2.0.0": 20})
    clock.at += DAY
    assert tick(serving) == ["rollout.complete done"]
    assert serving.versions.get("sentiment@champion").version == "2.0.0"
    assert serving.traffic.history()[0].cause == "promote"
    assert serving.health.check().healthy


def test_a_version_that_fails_is_taken_back_once_and_stays_so(serving: Registry, clock: Clock):
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    answer(serving, {"1.0.0": 200})
    answer(serving, {"2.0.0": 20}, failed=["2.0.0"])
    assert tick(serving) == ["rollout.abort done"]
    assert shares(serving) == {"1.0.0": 100}
    rollback = serving.traffic.rollbacks()[0]
    assert (rollback.automatic, rollback.to_version) == (True, "1.0.0")
    assert "error_rate is 100%" in serving.rollouts.get().reason
    for _ in range(3):
        clock.at += DAY
        assert tick(serving) == []
    assert len(serving.traffic.rollbacks()) == 1
    assert serving.health.check().healthy


def test_what_both_fail_at_the_same_hour_breaks_no_comparison(serving: Registry, clock: Clock):
    serving.rollouts.start(
        "sentiment@2.0.0", replace(PLAN, checks=("error_rate <= baseline + 2pt sure",))
    )
    answer(serving, {"1.0.0": 360, "2.0.0": 40})
    clock.at += HOUR
    assert tick(serving) == ["rollout.advance done"]
    # The night is bad for both, and the version has more of it than of the day.
    answer(serving, {"1.0.0": 200, "2.0.0": 200}, failed=["1.0.0", "2.0.0"])
    clock.at += HOUR
    assert tick(serving) == ["rollout.advance done"]


def test_a_break_that_comes_late_is_not_hidden_by_what_was_good_before(
    serving: Registry, clock: Clock
):
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    answer(serving, {"1.0.0": 100, "2.0.0": 1000})
    clock.at += HOUR
    assert tick(serving) == ["rollout.advance done"]
    answer(serving, {"1.0.0": 50})
    answer(serving, {"2.0.0": 20}, failed=["2.0.0"])
    assert tick(serving) == ["rollout.abort done"]


def test_the_rows_of_a_batch_are_one_latency(serving: Registry, clock: Clock):
    checks = ("p95_latency_ms <= 0.000001ms sure",)
    serving.rollouts.start("sentiment@2.0.0", replace(PLAN, checks=checks))
    list(serving.predictions.predict_many(["great product"] * 900))
    assert tick(serving) == []
    for _ in range(60):
        serving.predictions.predict("great product")
    assert tick(serving) == ["rollout.abort done"]


def test_without_traffic_it_holds_says_so_once_and_is_aborted_in_the_end(
    serving: Registry, clock: Clock
):
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    clock.at += 30 * DAY  # nobody ticked
    assert tick(serving) == ["rollout.hold done"]
    clock.at += DAY
    assert tick(serving) == []
    clock.at += DAY + HOUR
    assert tick(serving) == ["rollout.abort done"]
    assert "held back for 2 days: 0 of 20 samples" in serving.rollouts.get().reason


def test_a_plain_check_aborts_after_three_evaluations_on_new_data(serving: Registry, clock: Clock):
    serving.rollouts.start("sentiment@2.0.0", replace(PLAN, checks=("error_rate <= 5%",)))
    done = []
    for _ in range(3):
        answer(serving, {"2.0.0": 20}, failed=["2.0.0"])
        for _ in range(2):  # the second one sees nothing new
            clock.at += MINUTE
            done.append(tick(serving))
    assert done == [[], [], [], [], ["rollout.abort done"], []]


def test_a_tick_under_a_stopped_clock_changes_nothing_after_its_first_turn(
    serving: Registry, clock: Clock
):
    serving.rollouts.start("sentiment@2.0.0", replace(PLAN, checks=("error_rate <= 5%",)))
    answer(serving, {"2.0.0": 30}, failed=["2.0.0"])
    clock.at += HOUR
    stopped = Registry(serving.folder, actor="tester", clock=Clock(clock.at))
    with stopped:
        stopped.tick()
        before = dump(serving.folder)
        stopped.tick()
        assert dump(serving.folder) == before


def test_a_step_waits_for_approval_and_only_by_those_who_may(serving: Registry, clock: Clock):
    draft = replace(PLAN, approve=(50,), approvers=("maria",))
    serving.rollouts.start("sentiment@2.0.0", draft)
    answer(serving, {"1.0.0": 100, "2.0.0": 20})
    clock.at += HOUR
    tick(serving)
    assert serving.rollouts.get().state == "awaiting-approval"
    with pytest.raises(Conflict, match="omar may not approve sentiment#1"):
        serving.rollouts.approve(change=Change(actor="omar"))
    with pytest.raises(Conflict, match="omar may not approve sentiment#1"):
        serving.rollouts.promote(change=Change(actor="omar"))
    serving.rollouts.approve(change=Change(actor="maria"))
    assert shares(serving) == {"1.0.0": 50, "2.0.0": 50}


def test_a_rollback_by_hand_ends_the_rollout(serving: Registry):
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    serving.traffic.rollback("sentiment", change=Change(reason="complaints"))
    rollout = serving.rollouts.get()
    assert (rollout.state, rollout.reason) == ("aborted", "complaints")
    assert shares(serving) == {"1.0.0": 100}
    assert tick(serving) == []
    serving.traffic.activate("sentiment@2.0.0", percent=20)  # nobody holds it any more


def test_a_retry_needs_a_person_and_evidence_of_its_own(serving: Registry, clock: Clock):
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    answer(serving, {"2.0.0": 30}, failed=["2.0.0"])
    tick(serving)
    again = serving.rollouts.retry(change=Change(reason="the upstream was down"))
    assert (again.attempt, again.state, shares(serving)["2.0.0"]) == (2, "progressing", 10)
    assert tick(serving) == []
    assert serving.rollouts.status().samples == 0
    serving.rollouts.promote()
    assert shares(serving) == {"2.0.0": 100}
    with pytest.raises(Conflict, match="is completed: it cannot retry"):
        serving.rollouts.retry()


def test_sticky_users_stay_put_as_the_weight_grows(serving: Registry):
    serving.traffic.route("sentiment", {}, strategy="sticky")
    serving.rollouts.start("sentiment@2.0.0", PLAN)

    def moved() -> set[int]:
        chosen = {n: serving.traffic.explain(None, f"user {n}").version for n in range(300)}
        return {n for n, version in chosen.items() if version == "2.0.0"}

    ten = moved()
    serving.rollouts.advance()
    half = moved()
    assert 10 < len(ten) < 60
    assert ten < half


def test_a_probe_that_is_answered_wrongly_lets_nobody_be_served(serving: Registry):
    probes = (
        Probe(input="great product"),
        Probe(input="terrible product", label="positive", is_labelled=True),
    )
    found = serving.rollouts.start(
        "sentiment@2.0.0", Draft(strategy="blue-green", probes=probes, checks=())
    )
    assert (found.state, shares(serving)) == ("aborted", {"1.0.0": 100})
    assert "answers probe 2 of 2" in found.reason
    assert serving.traffic.current().number == 1


def test_blue_green_switches_at_once_and_goes_back_at_once(serving: Registry):
    draft = Draft(strategy="blue-green", probes=(Probe(input="great product"),))
    serving.rollouts.start("sentiment@2.0.0", draft)
    assert (serving.rollouts.get().state, shares(serving)) == ("baking", {"2.0.0": 100})
    serving.rollouts.abort()
    assert shares(serving) == {"1.0.0": 100}


def test_who_was_killed_before_the_probes_is_helped_by_the_next_tick(serving: Registry):
    draft = Draft(strategy="blue-green", probes=(Probe(input="great product"),))
    service, context = serving.rollouts, serving._context
    with context.acting(Change()) as act:
        service._write(act, context.version(act.tx, "sentiment@2.0.0"), draft)
    assert (service.get().state, shares(serving)) == ("pending", {"1.0.0": 100})
    assert tick(serving) == ["rollout.begin done"]
    assert shares(serving) == {"2.0.0": 100}


def test_an_abort_that_finds_nothing_to_go_back_to_ends_it_and_says_so_loudly(
    serving: Registry, clock: Clock
):
    draft = Draft(strategy="replace", checks=("error_rate <= 5% sure",))
    serving.rollouts.start("sentiment@2.0.0", draft)
    digest = serving.versions.get("sentiment@1.0.0").digest or ""
    [file] = [path for path in serving.folder.rglob("*") if path.name in (digest, digest[2:])]
    file.unlink()
    answer(serving, {"2.0.0": 30}, failed=["2.0.0"])
    assert tick(serving) == ["rollout.abort refused"]
    assert serving.rollouts.get().state == "aborted"
    assert "the traffic stays as it is" in serving.rollouts.get().reason
    assert shares(serving) == {"2.0.0": 100}
    assert tick(serving) == []
    assert "rollback.refused" in [event.action for event in serving.audit.events()]


def test_what_cannot_begin_is_refused_and_changes_nothing(serving: Registry, clock: Clock):
    before = dump(serving.folder)
    start = serving.rollouts.start
    with pytest.raises(Conflict, match=r"sentiment@1\.0\.0 serves already"):
        start("sentiment@1.0.0", PLAN)
    with pytest.raises(InvalidInput, match="the steps do not rise: 50,10,100"):
        start("sentiment@2.0.0", Draft(steps=(50, 10, 100)))
    with pytest.raises(InvalidInput, match="the last step is 100 %, not 50"):
        start("sentiment@2.0.0", Draft(steps=(10, 50)))
    with pytest.raises(InvalidInput, match="there is no metric eror_rate"):
        start("sentiment@2.0.0", Draft(checks=("eror_rate <= 5%",)))
    with pytest.raises(InvalidInput, match="over has no place in it"):
        start("sentiment@2.0.0", Draft(checks=("error_rate <= 5% over 10m",)))
    with pytest.raises(InvalidInput, match="with replace nothing answers beside the version"):
        start("sentiment@2.0.0", Draft(strategy="replace", checks=("error_rate <= baseline",)))
    with pytest.raises(InvalidInput, match="there is no step of 30 % to approve"):
        start("sentiment@2.0.0", replace(PLAN, approve=(30,)))
    with pytest.raises(NotFound, match="has had no rollout"):
        serving.rollouts.status("sentiment")
    start("sentiment@2.0.0", PLAN, change=Change(dry_run=True))
    assert dump(serving.folder) == before


def test_one_rollout_at_a_time_and_none_of_what_is_archived_or_held(serving: Registry):
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    with pytest.raises(Conflict, match="the rollout sentiment#1 holds the traffic"):
        serving.rollouts.start("sentiment@2.0.0", PLAN)
    with pytest.raises(Conflict, match="the rollout sentiment#1 holds the traffic"):
        serving.traffic.activate("sentiment@1.0.0")
    with pytest.raises(Conflict, match=r"1\.0\.0"):
        serving.versions.archive("sentiment@1.0.0")
    serving.rollouts.abort()
    serving.versions.archive("sentiment@2.0.0")
    with pytest.raises(Conflict, match=r"sentiment@2\.0\.0 is archived"):
        serving.rollouts.retry()
    with pytest.raises(Conflict, match=r"sentiment@2\.0\.0 is archived"):
        serving.rollouts.start("sentiment@2.0.0", PLAN)


def test_a_person_moves_in_between_and_the_tick_plans_anew(serving: Registry, clock: Clock):
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    serving.rollouts.pause()
    answer(serving, {"1.0.0": 40, "2.0.0": 20})
    clock.at += HOUR
    assert tick(serving) == []
    serving.rollouts.resume()
    clock.at += HOUR
    assert tick(serving) == ["rollout.advance done"]


def test_a_clock_a_day_back_or_forth_neither_advances_nor_aborts(serving: Registry, clock: Clock):
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    answer(serving, {"1.0.0": 40, "2.0.0": 5})
    clock.at += DAY
    assert tick(serving) == ["rollout.hold done"]
    clock.at -= 2 * DAY
    assert tick(serving) == []
    clock.at += 2 * DAY + HOUR
    assert tick(serving) == []
    assert serving.rollouts.get().state == "progressing"


def test_the_usual_checks_follow_what_the_model_has(serving: Registry):
    plan = serving.rollouts.lint("sentiment@2.0.0").plan
    assert plan.checks == (
        "error_rate <= 5% sure", "error_rate <= baseline + 2pt sure",
        "p95_latency_ms <= baseline + 50ms sure",
    )  # fmt: skip
    replaced = serving.rollouts.lint("sentiment@2.0.0", Draft(strategy="replace")).plan
    assert replaced.checks == ("error_rate <= 5% sure",)


def test_a_simulation_lets_an_equal_version_pass_and_catches_a_broken_one(
    serving: Registry, clock: Clock
):
    for _ in range(40):
        answer(serving, {"1.0.0": 40})
        clock.at += 15 * MINUTE
    draft = replace(PLAN, bake="1h")
    found = serving.rollouts.simulate(draft=draft, runs=3, breaks=Breaks(fails=0.5))
    equal, fails, _slow = found.trials
    assert (equal.completed, fails.aborted) == (1, 1)
    assert fails.requests is not None
    assert [one.traffic_percent for one in found.passages] == [10, 50, 100]


def test_an_ab_test_begins_with_the_rollout_and_its_verdict_is_followed(
    serving: Registry, clock: Clock
):
    draft = Draft(strategy="ab", interval="1h", metric="accuracy", checks=(), bake="1h")
    serving.rollouts.start("sentiment@2.0.0", draft)
    assert shares(serving) == {"1.0.0": 50, "2.0.0": 50}
    assert tick(serving) == []
    for version, right in (("1.0.0", 0.5), ("2.0.0", 0.9)):
        rows = [
            {"version": version, "output": "positive", "correct": n % 10 < 10 * right}
            for n in range(1000)
        ]
        serving.predictions.record_many(rows, model="sentiment")
    clock.at += 2 * HOUR
    assert tick(serving) == ["rollout.advance done"]
    assert (serving.rollouts.get().state, shares(serving)) == ("baking", {"2.0.0": 100})
    assert serving.experiments.get("sentiment-rollout-1-1").verdict == "ship"
    answer(serving, {"2.0.0": 200})
    clock.at += 2 * HOUR
    assert tick(serving) == ["rollout.complete done"]
    assert serving.health.check().healthy


def test_an_ab_test_that_is_ended_by_hand_ends_its_rollout(serving: Registry, clock: Clock):
    draft = Draft(strategy="ab", interval="1h", checks=())
    serving.rollouts.start("sentiment@2.0.0", draft)
    serving.experiments.stop("sentiment-rollout-1-1")
    assert serving.rollouts.get("sentiment").state == "aborted"
    assert tick(serving) == []
    assert shares(serving) == {"1.0.0": 100}
    serving.rollouts.retry()
    assert shares(serving) == {"1.0.0": 50, "2.0.0": 50}
    serving.rollouts.abort()
    assert shares(serving) == {"1.0.0": 100}
    assert serving.experiments.get("sentiment-rollout-1-2").state == "stopped"
    assert serving.health.check().healthy


def test_a_threshold_pauses_the_rollout_once_and_a_person_goes_on(serving: Registry, clock: Clock):
    serving.thresholds.set(
        None, "avg_latency_ms <= 1ms over 10m min 10", action="pause", change=Change(actor="ada")
    )
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    answer(serving, {"1.0.0": 20, "2.0.0": 20})
    assert "pause done" in tick(serving)
    paused = serving.rollouts.get("sentiment")
    assert paused.state == "paused"
    assert shares(serving) == {"1.0.0": 90, "2.0.0": 10}
    serving.rollouts.resume("sentiment")
    tick(serving)
    assert serving.rollouts.get("sentiment").state == "progressing"


def test_a_threshold_that_rolls_back_ends_the_rollout_and_no_tick_begins_it_again(
    serving: Registry, clock: Clock
):
    clock.at += DAY
    serving.thresholds.set(None, "error_rate <= 5% over 10m min 10", action="rollback")
    serving.rollouts.start("sentiment@2.0.0", replace(PLAN, checks=()))
    answer(serving, {"1.0.0": 20, "2.0.0": 20}, failed=["2.0.0"])
    for _ in range(4):
        tick(serving)
        clock.at += HOUR
    assert shares(serving) == {"1.0.0": 100}
    assert serving.rollouts.get("sentiment").state == "aborted"
    causes = [revision.cause for revision in serving.traffic.history()]
    assert causes.count("rollback") == 1


def test_the_versions_of_an_open_rollout_are_neither_archived_nor_deleted(serving: Registry):
    serving.rollouts.start("sentiment@2.0.0", Draft(strategy="ab"))
    for version in ("sentiment@1.0.0", "sentiment@2.0.0"):
        with pytest.raises(Conflict, match="cannot be"):
            serving.versions.archive(version)
        with pytest.raises(Conflict, match="cannot be"):
            serving.versions.delete(version)


def test_a_test_that_others_end_takes_its_rollout_along_and_frees_the_traffic_once(
    serving: Registry,
):
    serving.rollouts.start("sentiment@2.0.0", Draft(strategy="ab"))
    serving.experiments.stop("sentiment-rollout-1-1")
    assert serving.rollouts.get("sentiment").state == "aborted"
    serving.rollouts.retry("sentiment")
    serving.traffic.rollback()
    assert serving.rollouts.get("sentiment").state == "aborted"
    # what holds the traffic from here on is not freed by what has ended
    serving.rollouts.start("sentiment@2.0.0", PLAN)
    assert tick(serving) == []
    with pytest.raises(Conflict, match="holds the traffic"):
        serving.traffic.route("sentiment", {"1.0.0": 100})
    assert serving.health.check().healthy


def test_an_ab_rollout_may_take_weeks(serving: Registry):
    draft = Draft(strategy="ab", interval=str(14 * DAY // 1_000_000) + "s")
    assert serving.rollouts.start("sentiment@2.0.0", draft).state == "progressing"


@pytest.mark.parametrize("steps", [(99.99999999, 100), (10, 10.000000001, 100)])
def test_steps_that_are_one_in_traffic_do_not_rise(serving: Registry, steps: tuple[float, ...]):
    with pytest.raises(InvalidInput, match="do not rise"):
        serving.rollouts.start("sentiment@2.0.0", replace(PLAN, steps=steps))
