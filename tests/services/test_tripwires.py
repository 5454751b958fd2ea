"""Thresholds on the path of predictions: who answers holds them against the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mlreg.clock import DAY, MINUTE
from mlreg.entities.predictions import AnswerReceipt
from mlreg.errors import PredictionFailed
from mlreg.registry import Registry
from mlreg.services.answers import Request
from mlreg.services.threshold_drafts import Defaults
from tests.services.misbehaving import Choosy, on_texts
from tests.support import Clock


@pytest.fixture
def chat(registry: Registry, clock: Clock) -> Registry:
    """`chat`: 1.0.0 stood for a day, and 2.0.0 serves; programs of the user's run both."""
    registry.versions.register("chat@1.0.0", external=True)
    registry.versions.register("chat@2.0.0", external=True)
    registry.traffic.promote("chat@1.0.0")
    clock.at += DAY
    registry.traffic.promote("chat@2.0.0")
    return registry


def fail(registry: Registry, times: int = 1) -> list[AnswerReceipt]:
    return [registry.predictions.record("chat", error="no") for _ in range(times)]


def answer(registry: Registry, times: int = 1) -> list[AnswerReceipt]:
    return [registry.predictions.record("chat", output="yes") for _ in range(times)]


def serving(registry: Registry) -> list[str]:
    return [arm.version for arm in registry.traffic.current("chat").live]


def test_failures_in_a_row_roll_back_at_once(chat: Registry):
    chat.thresholds.set_defaults("chat", Defaults(in_a_row=3), action="rollback")
    fail(chat, 2), answer(chat), fail(chat, 2)
    assert serving(chat) == ["2.0.0"]
    (tripped,) = fail(chat)
    assert serving(chat) == ["1.0.0"]
    assert tripped.recorded == 1
    assert tripped.rollback is not None
    assert (tripped.rollback.automatic, tripped.rollback.to_version) == (True, "1.0.0")
    assert tripped.warning is not None
    assert tripped.warning.startswith("rolled back: 2.0.0 → 1.0.0: chat@2.0.0: failures_in_a_row")
    assert chat.predictions.get(tripped.prediction_id or 0).model_version == "2.0.0"
    assert all(receipt.warning is None for receipt in answer(chat, 3))


def test_each_full_window_is_looked_at_and_none_before(chat: Registry):
    chat.thresholds.set_defaults(
        "chat", Defaults(max_error_rate=0.05, window=50), action="rollback"
    )
    for _ in range(12):
        answer(chat, 3), fail(chat)
    assert serving(chat) == ["2.0.0"]  # 48 answers, a quarter of them failed
    assert answer(chat)[0].rollback is None
    assert answer(chat)[0].rollback is not None
    assert serving(chat) == ["1.0.0"]


def test_forced_and_repeated_answers_fill_no_window(chat: Registry):
    chat.thresholds.set_defaults(
        "chat", Defaults(max_error_rate=0.05, window=20), action="rollback"
    )
    fail(chat, 19)
    chat.predictions.record("chat", output="a", request_id="r")
    assert serving(chat) == ["1.0.0"]
    chat.traffic.promote("chat@2.0.0")
    again = [chat.predictions.record("chat", output="a", request_id="r") for _ in range(30)]
    assert {receipt.duplicates for receipt in again} == {1}


def test_without_a_threshold_that_rolls_back_there_is_an_alert_alone(chat: Registry):
    chat.thresholds.set_defaults("chat", Defaults(in_a_row=2))
    assert all(receipt.rollback is None for receipt in fail(chat, 5))
    (alert,) = chat.alerts.list(model="chat")
    assert (alert.state, alert.threshold, alert.version) == ("firing", "failures_in_a_row", "2.0.0")
    assert serving(chat) == ["2.0.0"]


def test_windows_of_time_are_looked_at_once_a_minute(chat: Registry, clock: Clock):
    chat.thresholds.set("chat", "error_rate <= 5% over 10m min 20", action="rollback")
    answer(chat, 100)
    assert not any(receipt.rollback for receipt in fail(chat, 100))  # the minute has been looked at
    clock.at += MINUTE
    assert any(receipt.rollback for receipt in fail(chat, 100))


def test_windows_of_time_are_left_to_the_tick_where_there_is_one(chat: Registry, clock: Clock):
    chat.thresholds.set("chat", "error_rate <= 5% over 10m min 20", action="rollback")
    chat.tick()
    clock.at += 2 * MINUTE
    assert not any(receipt.rollback for receipt in fail(chat, 200))
    clock.at += 2 * MINUTE  # none came any more
    assert any(receipt.rollback for receipt in fail(chat, 100))


def test_many_at_once_fill_a_window_too(chat: Registry):
    chat.thresholds.set_defaults(
        "chat", Defaults(max_error_rate=0.05, window=50), action="rollback"
    )
    receipt = chat.predictions.record_many([{"error": "no"}] * 120, model="chat")
    assert receipt.recorded == 120
    assert receipt.rollback is not None
    assert serving(chat) == ["1.0.0"]


def test_where_nothing_is_left_the_answer_goes_out_and_an_event_says_so(registry: Registry):
    registry.versions.register("chat@1.0.0", external=True)
    registry.traffic.promote("chat@1.0.0")
    registry.thresholds.set_defaults("chat", Defaults(in_a_row=2), action="rollback")
    assert [receipt.recorded for receipt in fail(registry, 6)] == [1] * 6
    told = [event for event in registry.audit.events() if event.action == "rollback.refused"]
    assert len(told) == 1


def test_it_is_once_for_one_cause(chat: Registry, clock: Clock):
    chat.thresholds.set_defaults("chat", Defaults(in_a_row=2), action="rollback")
    fail(chat, 2)
    for _ in range(10):  # what it went back to fails as well
        fail(chat)
    assert len(chat.traffic.rollbacks("chat")) == 1
    assert serving(chat) == ["1.0.0"]


@pytest.fixture
def choosy(registry: Registry, clock: Clock) -> Registry:
    """`m`: 1.0.0 stood for a day; 2.0.0 serves and fails at all but the word `known`."""
    registry.versions.register("m@1.0.0", on_texts(Choosy()), trust=True)
    registry.versions.register("m@2.0.0", on_texts(Choosy()), trust=True)
    registry.traffic.promote("m@1.0.0")
    clock.at += DAY
    registry.traffic.promote("m@2.0.0")
    registry.thresholds.set_defaults(
        "m", Defaults(in_a_row=3, max_error_rate=0.2, window=10), action="rollback"
    )
    return registry


def test_the_failure_that_trips_it_is_logged_and_raised_with_the_rollback(choosy: Registry):
    raised = []
    for _ in range(3):
        with pytest.raises(PredictionFailed, match="unknown") as caught:
            choosy.predictions.predict("strange")
        raised.append(caught.value)
    assert [error.rollback is not None for error in raised] == [False, False, True]
    assert choosy.predictions.predict("known").model_version == "1.0.0"
    assert choosy.predictions.last_id() == 4


def test_the_answer_that_trips_it_is_given_and_carries_the_warning(choosy: Registry):
    for text in ["known", "strange"] * 4 + ["known"]:
        try:
            assert choosy.predictions.predict(text).warning is None
        except PredictionFailed:
            continue
    last = choosy.predictions.predict("known")
    assert (last.prediction, last.model_version) == ("known", "2.0.0")
    assert last.rollback is not None
    assert last.warning is not None
    assert "error_rate is 40%" in last.warning


def test_of_many_the_last_one_carries_it(choosy: Registry):
    found = list(choosy.predictions.predict_many([Request("strange")] * 6 + [Request("known")] * 6))
    assert [answer.warning is not None for answer in found] == [False] * 11 + [True]
    assert choosy.traffic.current("m").live[0].version == "1.0.0"


def test_a_forced_failure_trips_nothing(choosy: Registry):
    for _ in range(12):
        with pytest.raises(PredictionFailed, match="unknown") as caught:
            choosy.predictions.predict("strange", version="2.0.0")
        assert caught.value.rollback is None
    assert choosy.alerts.list(model="m") == []


Open = Callable[[], Registry]


@pytest.fixture
def others(chat: Registry, clock: Clock) -> Sequence[Registry]:
    """Three programs that use the registry."""
    chat.thresholds.set_defaults(
        "chat", Defaults(max_error_rate=0.05, window=30), action="rollback"
    )
    folder: Path = chat.folder
    return [chat, *(Registry(folder, actor=f"p{n}", clock=clock) for n in range(2))]


def test_a_window_is_filled_by_all_programs_together(others: Sequence[Registry]):
    made = [fail(others[n % 3])[0].rollback for n in range(30)]
    assert [n for n, rollback in enumerate(made) if rollback] == [29]
    for other in others[1:]:
        other.close()
