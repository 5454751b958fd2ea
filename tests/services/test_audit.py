"""The audit trail: one event for each change, in its transaction."""

from __future__ import annotations

import pytest

from mlreg.entities.traffic import Change
from mlreg.errors import NotFound
from mlreg.registry import Registry
from tests.support import Clock


def test_every_change_of_state_is_one_event_and_nothing_else_is(
    registry: Registry, artifacts, clock: Clock
):
    versions, traffic = registry.versions, registry.traffic
    expected = ["init"]

    def done(*actions: str) -> None:
        expected.extend(actions)
        assert [event.action for event in registry.audit.events()] == expected

    done()
    versions.register("m@1.0.0", artifacts["text"])
    done("register")
    versions.register("m@2.0.0")
    done("register")
    versions.attach("m@2.0.0", artifacts["other_text"])
    done("attach")
    versions.alias("m@1.0.0", "challenger")
    done("alias")
    traffic.activate("m@1.0.0")
    done("activate")
    traffic.activate("m@1.0.0")
    done()
    traffic.route("m", {"1.0.0": 50, "2.0.0": 50})
    done("route")
    traffic.promote("m@2.0.0")
    done("promote", "alias")
    traffic.rollback("m", change=Change(dry_run=True))
    done()
    traffic.rollback("m")
    done("rollback")
    traffic.deactivate("m@2.0.0")
    done("deactivate")
    versions.archive("m@2.0.0")
    done("archive")
    versions.archive("m@2.0.0", restore=True)
    done("restore")
    versions.delete("m@2.0.0")
    done("delete")
    registry.predictions.predict("great")
    registry.feedback.record(1, "positive")
    versions.list()
    registry.performance.report()
    done()
    assert registry.health.check().healthy


def test_an_event_holds_the_state_before_and_after(serving_registry: Registry):
    serving_registry.traffic.promote("sentiment@2.0.0", change=Change(reason="better", actor="ada"))
    promoted, crowned = serving_registry.audit.events()[-2:]
    assert promoted.before is not None
    assert promoted.after is not None
    assert [arm["traffic_percent"] for arm in promoted.before["arms"]] == [80.0, 20.0]  # type: ignore[attr-defined]  # JSON
    assert [arm["traffic_percent"] for arm in promoted.after["arms"]] == [100.0]  # type: ignore[attr-defined]  # JSON
    assert (promoted.actor, promoted.reason, promoted.model) == ("ada", "better", "sentiment")
    assert crowned.object == "sentiment@2.0.0"


def test_events_can_be_read_by_model_and_time(registry: Registry, clock: Clock):
    registry.versions.register("a@1.0.0")
    clock.at += 10
    registry.versions.register("b@1.0.0")
    assert [e.object for e in registry.audit.events(model="a")] == ["a@1.0.0"]
    assert [e.object for e in registry.audit.events(since=clock.at)][-1] == "b@1.0.0"
    with pytest.raises(NotFound, match="no model c"):
        registry.audit.events(model="c")


def test_order_is_by_sequence_even_when_the_clock_jumps_back(registry: Registry, clock: Clock):
    registry.versions.register("a@1.0.0")
    clock.at -= 3600 * 1_000_000
    registry.versions.register("a@2.0.0")
    assert [e.object for e in registry.audit.events(model="a")] == ["a@1.0.0", "a@2.0.0"]
    assert registry.health.check().healthy


def test_what_was_written_while_the_clock_stood_before_1970_is_listed(
    sentiment: Registry, clock: Clock
):
    clock.at = -5 * 1_000_000
    sentiment.traffic.activate("sentiment@1.0.0")
    sentiment.predictions.predict("great")
    assert sentiment.audit.events()[-1].action == "activate"
    assert len(sentiment.predictions.log()) == 1
    assert [event.action for event in sentiment.audit.events(since=0)] == [
        "init",
        "register",
        "register",
    ]
    assert sentiment.predictions.log(since=0) == []
