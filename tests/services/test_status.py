"""All at a glance: who serves, how it does, what is wrong, and what comes next."""

from __future__ import annotations

import pytest

from mlreg.clock import DAY, HOUR, from_micros
from mlreg.entities.experiments import Draft
from mlreg.errors import NotFound
from mlreg.registry import Registry
from mlreg.services.threshold_drafts import Defaults
from tests.support import Clock


@pytest.fixture
def chat(registry: Registry, clock: Clock) -> Registry:
    """`chat` is served by 2.0.0 since an hour; `idle` by nobody."""
    for ref in ("chat@1.0.0", "chat@2.0.0", "idle@1.0.0"):
        registry.versions.register(ref, external=True)
    registry.traffic.promote("chat@1.0.0")
    clock.at += 3 * DAY
    registry.traffic.promote("chat@2.0.0")
    return registry


def test_an_empty_registry_has_a_status(registry: Registry):
    found = registry.status()
    assert (found.models, found.upcoming, found.last_tick) == ((), (), None)


def test_it_says_who_serves_since_when_and_what_that_did_in_the_last_day(
    chat: Registry, clock: Clock
):
    began = from_micros(clock.at)
    chat.predictions.record("chat", error="no")  # more than a day before the end
    clock.at += 2 * DAY
    for n in range(4):
        chat.predictions.record("chat", output="a", label="ab"[n % 2], latency_ms=10.0)
    chat.predictions.record("chat", error="no")
    clock.at += HOUR
    status = chat.status()
    assert [model.model for model in status.models] == ["chat", "idle"]
    found, idle = status.models
    assert (found.revision, found.since, found.policy) == (2, began, 0)
    (one,) = found.serving
    assert (one.version, one.traffic_percent, one.since) == ("2.0.0", 100, began)
    assert (one.requests, one.error_rate, one.labelled, one.accuracy) == (5, 0.2, 4, 0.5)
    assert one.p95_latency_ms == pytest.approx(10, rel=0.02)
    assert (idle.revision, idle.serving, idle.since) == (0, (), None)


def test_it_says_what_is_wrong_and_what_was_done(chat: Registry):
    chat.thresholds.set_defaults("chat", Defaults(in_a_row=2))
    for _ in range(2):
        chat.predictions.record("chat", error="no")
    (alert,) = chat.status("chat").models[0].alerts
    assert (alert.threshold, alert.state, alert.version) == ("failures_in_a_row", "firing", "2.0.0")
    chat.traffic.rollback("chat")
    last = chat.status("chat").models[0].last_rollback
    assert last is not None
    assert (last.from_version, last.to_version, last.automatic) == ("2.0.0", "1.0.0", False)
    assert chat.status("idle").models[0].last_rollback is None


def test_it_says_what_is_under_way_and_what_comes_next(chat: Registry, clock: Clock):
    chat.experiments.create("tone", Draft(control="chat@2.0.0", treatments=["chat@1.0.0"]))
    assert chat.status("chat").models[0].tests == ()
    chat.experiments.start("tone")
    (test,) = chat.status("chat").models[0].tests
    assert (test.test_id, test.control, test.treatments) == ("tone", "2.0.0", ("1.0.0",))
    chat.thresholds.set("chat", "failures_in_a_row < 2 for 10m")
    for _ in range(2):
        chat.predictions.record("chat", version="2.0.0", error="no")
    chat.tick()
    status = chat.status()
    assert status.last_tick == from_micros(clock.at)
    assert [one.what for one in status.upcoming] == ["alert.firing"]


def test_a_model_that_is_not_there_has_none(chat: Registry):
    with pytest.raises(NotFound, match="there is no model nobody"):
        chat.status("nobody")


def test_looking_changes_nothing(chat: Registry):
    before = chat.audit.events()
    assert chat.status() == chat.status()
    assert chat.audit.events() == before
