"""Thresholds over a real log: what fires, what it does, once, and what is told of it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from mlreg.clock import DAY, HOUR, MINUTE
from mlreg.entities.predictions import Feedback
from mlreg.entities.thresholds import Alert, Anomaly
from mlreg.entities.traffic import Change
from mlreg.errors import Conflict, InvalidInput, NotFound
from mlreg.registry import Registry
from mlreg.services.moving import View
from mlreg.services.threshold_drafts import Defaults
from mlreg.services.watching import Watcher
from mlreg.store.predictions import Entry
from tests.support import Clock, dump, raw

ERRORS = "error_rate <= 5% over 10m min 10"


@pytest.fixture
def served(sentiment: Registry, clock: Clock) -> Registry:
    """1.0.0 has served for two days, and 2.0.0 took its place a minute ago."""
    sentiment.traffic.activate("sentiment@1.0.0")
    clock.at += 2 * DAY
    sentiment.traffic.activate("sentiment@2.0.0")
    clock.at += MINUTE
    return sentiment


def log(
    registry: Registry, count: int, *, failed: int = 0, latency_ms: float = 5, version: int = 2
) -> None:
    """Log live predictions of now, the failed ones last."""
    with registry._context.store.write() as tx:
        revision = tx.traffic.number(1)
        for n in range(count):
            fails = n >= count - failed
            tx.predictions.append(
                Entry(
                    at=registry._context.clock(), version=version, revision=revision, role=0,
                    arm_reason="", unit=None, segment=None, input=None,
                    output=None if fails else '"yes"', confidence=None if fails else 0.9,
                    latency_us=round(latency_ms * 1000), status=int(fails),
                    error="boom" if fails else None, cost=None,
                )
            )  # fmt: skip


def active(registry: Registry) -> list[tuple[str, str]]:
    return [(a.threshold, a.state) for a in registry.alerts.list(is_active=True)]


def actions(registry: Registry) -> list[str]:
    return [e.action for e in registry.audit.events() if e.action not in ("policy", "register")]


def test_what_is_broken_fires_and_is_over_when_it_holds_again(served: Registry, clock: Clock):
    served.thresholds.set("sentiment", f"{ERRORS} for 2m")
    log(served, 20, failed=10)
    assert served.tick().decisions == ()
    assert active(served) == [("error_rate", "pending")]
    clock.at += 2 * MINUTE
    fired = served.tick().decisions
    assert [(d.what, d.object) for d in fired] == [("alert.firing", "sentiment/error_rate@2.0.0")]
    assert fired[0].findings[0]["value"] == 0.5
    clock.at += 15 * MINUTE
    log(served, 20)
    assert served.tick().decisions == ()
    clock.at += 2 * MINUTE
    assert [d.what for d in served.tick().decisions] == ["alert.resolved"]
    assert active(served) == []
    assert actions(served)[-2:] == ["alert.firing", "alert.resolved"]


def test_a_tick_under_a_stopped_clock_changes_nothing_after_the_first(served: Registry):
    served.thresholds.set("sentiment", f"{ERRORS} for 3 in a row")
    served.thresholds.set("sentiment", "failures_in_a_row < 3", action="rollback")
    served.thresholds.set("sentiment", "success_rate >= 99% over 1h")
    log(served, 20, failed=10)
    assert [d.what for d in served.tick().decisions] == [
        "alert.firing", "alert.firing", "rollback", "alert.resolved", "alert.resolved",
    ]  # fmt: skip
    before = dump(served.folder)
    for _ in range(3):
        assert served.tick().decisions == ()
    assert dump(served.folder) == before


def test_a_rollback_happens_once_and_names_its_finding(served: Registry, clock: Clock):
    served.thresholds.set("sentiment", ERRORS, action="rollback", change=Change(actor="maria"))
    log(served, 20, failed=10)
    served.tick()
    now = served.traffic.current("sentiment")
    assert ([arm.version for arm in now.live], now.cause) == (["1.0.0"], "rollback")
    assert now.actor == "mlreg for tester"
    [made] = served.traffic.rollbacks("sentiment")
    assert made.automatic
    assert "error_rate is 50%, which is > 5%" in made.reason
    [alert] = served.alerts.list()
    assert (alert.state, alert.acted, alert.severity) == ("resolved", now.number, "critical")
    clock.at += HOUR
    served.tick()
    assert served.traffic.current("sentiment") == now


def test_what_failed_before_a_version_was_taken_out_is_not_held_against_it_again(
    served: Registry, clock: Clock
):
    served.thresholds.set("sentiment", "error_rate <= 5% over 100 predictions", action="rollback")
    log(served, 20, failed=10)
    served.tick()
    clock.at += MINUTE
    served.traffic.activate("sentiment@2.0.0", change=Change(reason="the upstream is back"))
    clock.at += MINUTE
    assert served.tick().decisions == ()
    log(served, 20, failed=2)
    assert [d.what for d in served.tick().decisions] == ["alert.firing"]  # it has to cool down
    clock.at += 9 * MINUTE
    assert "rollback" in [d.what for d in served.tick().decisions]


def test_where_nothing_can_be_rolled_back_to_it_is_said_once_and_told(
    served: Registry, clock: Clock
):
    served.versions.archive("sentiment@1.0.0")
    served.thresholds.set("sentiment", ERRORS, action="rollback")
    log(served, 20, failed=10)
    turn = served.tick()
    assert [(d.what, d.outcome) for d in turn.decisions] == [
        ("alert.firing", "done"), ("rollback", "refused"),
    ]  # fmt: skip
    assert "no earlier revision that can serve" in turn.decisions[1].why
    assert actions(served)[-2:] == ["alert.firing", "rollback.refused"]
    clock.at += MINUTE
    assert served.tick().decisions == ()
    assert served.alerts.list()[0].acted == 0


def test_silence_keeps_from_telling_and_not_from_acting(served: Registry, clock: Clock):
    served.thresholds.set("sentiment", ERRORS)
    served.alerts.silence("sentiment", "error_rate", lasting=timedelta(minutes=5))
    log(served, 50, failed=40)
    served.tick()
    assert served.alerts.list()[0].silenced
    assert "alert.firing" not in actions(served)
    clock.at += 6 * MINUTE
    served.tick()
    assert actions(served).count("alert.firing") == 1
    assert served.alerts.list()[0].state == "firing"


def test_a_silence_can_be_ended(served: Registry, clock: Clock):
    served.alerts.silence("sentiment", lasting=timedelta(days=1))
    served.thresholds.set("sentiment", ERRORS)
    log(served, 50, failed=40)
    served.tick()
    clock.at += MINUTE
    served.alerts.silence("sentiment", lasting=timedelta(0))
    served.tick()
    assert actions(served).count("alert.firing") == 1


def test_no_requests_for_a_time_are_an_alert_of_the_model(served: Registry, clock: Clock):
    served.thresholds.set("sentiment", "requests >= 1 over 10m")
    assert served.tick().decisions == ()  # 2.0.0 has served for a minute
    clock.at += 10 * MINUTE
    [fired] = served.tick().decisions
    assert (fired.what, fired.object) == ("alert.firing", "sentiment/requests")
    log(served, 1)
    served.tick()
    clock.at += 5 * MINUTE
    assert [d.what for d in served.tick().decisions] == ["alert.resolved"]


def test_failures_in_a_row_are_counted_from_the_end_of_the_log(served: Registry, clock: Clock):
    served.thresholds.set("sentiment", "failures_in_a_row < 3")
    log(served, 10, failed=2)
    log(served, 3, failed=2)
    assert served.tick().decisions == ()
    log(served, 1, failed=1)
    [fired] = served.tick().decisions
    assert "failures_in_a_row is 3, which is >= 3" in fired.why


def test_late_labels_count_when_they_come(served: Registry, clock: Clock):
    served.thresholds.set("sentiment", "accuracy >= 80% over 1d min 10")
    log(served, 20)
    served.tick()
    clock.at += HOUR
    served.feedback.record_many([Feedback(prediction_id=n, label="no") for n in range(1, 16)])
    [fired] = served.tick().decisions
    assert "accuracy is 0%" in fired.why


def test_a_threshold_that_is_gone_takes_its_alerts_along(served: Registry, clock: Clock):
    served.thresholds.set("sentiment", ERRORS)
    log(served, 20, failed=10)
    served.tick()
    served.thresholds.remove("sentiment", "error_rate")
    [ended] = served.tick().decisions
    assert (ended.what, ended.why) == (
        "alert.resolved", "the policy has this threshold no longer",
    )  # fmt: skip


def test_of_two_that_look_at_once_one_moves_an_alert(served: Registry):
    served.thresholds.set("sentiment", ERRORS, action="rollback")
    log(served, 20, failed=10)
    barrier = threading.Barrier(4)
    turns = []

    def tick() -> None:
        with Registry(served.folder, actor="tester", clock=served._context.clock) as own:
            barrier.wait()
            turns.append(own.tick())

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [d.what for turn in turns for d in turn.decisions]
    assert sorted(done) == ["alert.firing", "alert.resolved", "rollback"]
    assert len(served.traffic.rollbacks("sentiment")) == 1


def test_a_person_acknowledges_once(served: Registry):
    served.thresholds.set("sentiment", ERRORS)
    log(served, 20, failed=10)
    served.tick()
    [alert] = served.alerts.list()
    seen = served.alerts.acknowledge(alert.alert, change=Change(actor="maria"))
    assert (seen.acknowledged_by, actions(served)[-1]) == ("maria", "alert.acknowledged")
    with pytest.raises(Conflict, match="was acknowledged by maria"):
        served.alerts.acknowledge(alert.alert)
    with pytest.raises(NotFound, match="there is no alert 99"):
        served.alerts.acknowledge(99)


def test_an_anomaly_rests_on_past_hours(sentiment: Registry, clock: Clock):
    sentiment.traffic.activate("sentiment@1.0.0")
    sentiment.thresholds.set("sentiment", anomaly=Anomaly("avg_latency_ms", 3))
    for day in range(10):
        log(sentiment, 30, latency_ms=10 + day % 3, version=1)
        clock.at += DAY
    log(sentiment, 30, latency_ms=12, version=1)
    clock.at += 20 * MINUTE
    assert sentiment.tick().decisions == ()
    log(sentiment, 60, latency_ms=90, version=1)
    clock.at += MINUTE
    [fired] = sentiment.tick().decisions
    assert "the median of this hour on 10 past days" in fired.why


def test_what_cannot_be_told_keeps_no_other_from_being(served: Registry):
    served.thresholds.set("sentiment", "accuracy >= yesterday over 1d")
    served.thresholds.set("sentiment", ERRORS)
    log(served, 20, failed=10)
    assert [d.object for d in served.tick().decisions] == ["sentiment/error_rate@2.0.0"]


def test_the_usual_triggers_are_thresholds_as_any_other(served: Registry):
    usual = served.thresholds.set_defaults("sentiment")
    assert [one.condition for one in usual] == [
        "error_rate <= 10% over 10m min 20",
        "avg_latency_ms <= 10000ms over 10m min 20",
        "success_rate >= 95% over 10m min 20",
    ]
    own = Defaults(0.8, 0.05, 200, 0.6, window=100, in_a_row=3)
    five = served.thresholds.set_defaults("sentiment", own, action="rollback")
    assert [one.condition for one in five] == [
        "accuracy >= 80% over 100 predictions min 30",
        "error_rate <= 5% over 100 predictions min 20",
        "avg_latency_ms <= 200ms over 100 predictions min 20",
        "avg_confidence >= 60% over 100 predictions min 20",
        "failures_in_a_row < 3",
    ]
    assert len(served.thresholds.list("sentiment")) == 6  # success_rate stayed


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("error_rat <= 5%", "there is no metric error_rat"),
        ("error_rate <= 5% over 0m", "not between a moment and ten years"),
        ("requests >= baseline", "requests is held against a number alone"),
        ("failures_in_a_row < 3 sure", "failures_in_a_row is held against a number alone"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(served: Registry, condition: str, why: str):
    before = dump(served.folder)
    with pytest.raises(InvalidInput, match=why):
        served.thresholds.set("sentiment", condition)
    assert dump(served.folder) == before


def test_plans_say_what_pending_alerts_wait_for(served: Registry, clock: Clock):
    served.thresholds.set("sentiment", f"{ERRORS} for 5m")
    log(served, 20, failed=10)
    served.tick()
    [coming] = served.tick(foresees=True).upcoming
    assert (coming.what, coming.object) == ("alert.firing", "sentiment/error_rate@2.0.0")
    assert coming.time is not None


def test_alerts_come_back_as_they_were_written(served: Registry):
    served.thresholds.set("sentiment", ERRORS)
    log(served, 20, failed=10)
    served.tick()
    [alert] = served.alerts.list()
    assert isinstance(alert, Alert)
    assert alert == served.alerts.get(alert.alert)
    assert served.health.check(quick=True).healthy


def test_a_plan_only_reads(served: Registry):
    served.thresholds.set("sentiment", ERRORS, action="rollback")
    log(served, 20, failed=10)
    with served._context.folded() as tx:
        view = View(served._context, tx, served._context.clock())
        assert [s.what for s in Watcher().plan(view)] == ["alert.firing"]
    with raw(served.folder) as connection:
        assert connection.execute("select count(*) from alerts").fetchone() == (0,)
