"""Answers that programs of the user's gave for a model that they run themselves."""

from __future__ import annotations

import pytest

from mlreg.entities.experiments import Outcome
from mlreg.errors import Conflict, InvalidInput, NoActiveVersion, NotFound
from mlreg.registry import Registry


@pytest.fixture
def chat(registry: Registry) -> Registry:
    """`chat` with two versions that nobody here can run; the first one serves."""
    registry.versions.register("chat@1.0.0", external=True)
    registry.versions.register("chat@2.0.0", external=True)
    registry.traffic.activate("chat@1.0.0")
    return registry


def test_an_external_version_serves_and_can_be_returned_to(chat: Registry):
    chat.traffic.promote("chat@2.0.0")
    back = chat.traffic.rollback("chat")
    assert [arm.version for arm in back.live] == ["1.0.0"]
    assert chat.health.check().healthy


def test_an_external_version_has_no_artifact_and_gets_none(chat: Registry):
    with pytest.raises(Conflict, match=r"chat@1\.0\.0 is run by a program of yours"):
        chat.versions.attach("chat@1.0.0", b"bytes")
    with pytest.raises(InvalidInput, match="has an artifact, or a program of yours runs it"):
        chat.versions.register("chat@3.0.0", b"bytes", external=True)
    assert not chat.versions.register("chat@3.0.0").external
    with pytest.raises(Conflict, match="has no artifact, only metadata"):
        chat.traffic.activate("chat@3.0.0")


def test_mlreg_cannot_ask_an_external_version(chat: Registry):
    with pytest.raises(Conflict, match="which mlreg cannot ask"):
        chat.predictions.predict("hello")
    assert chat.predictions.last_id() == 0


def test_an_answer_given_elsewhere_is_a_row_like_any_other(chat: Registry):
    receipt = chat.predictions.record(
        "chat", output="Hello!", unit="ann", latency_ms=310.5, confidence=0.75, cost=0.002,
        values={"rating": 4}, label="Hello!",
    )  # fmt: skip
    assert (receipt.version, receipt.revision, receipt.recorded) == ("1.0.0", 1, 1)
    row = chat.predictions.get(receipt.prediction_id or 0)
    assert (row.role, row.status, row.prediction) == ("live", "ok", "Hello!")
    assert (row.latency_ms, row.confidence, row.cost, row.unit) == (310.5, 0.75, 0.002, "ann")
    assert (row.correct, row.arm_reason) == (True, "only-arm")
    (seen,) = [m for m in chat.performance.report("chat").models if m.version == "1.0.0"]
    assert (seen.request_count, seen.accuracy) == (1, 1.0)


def test_a_failure_elsewhere_is_logged_as_one(chat: Registry):
    failed = chat.predictions.record("chat", error="timed out")
    row = chat.predictions.get(failed.prediction_id or 0)
    assert (row.status, row.error, row.prediction) == ("error", "timed out", None)


def test_a_request_id_is_recorded_once_whatever_serves_by_then(chat: Registry):
    first = chat.predictions.record("chat", output="a", request_id="r1")
    chat.traffic.promote("chat@2.0.0")
    again = chat.predictions.record("chat", output="a", request_id="r1")
    assert (again.prediction_id, again.version) == (first.prediction_id, "1.0.0")
    assert (again.recorded, again.duplicates) == (0, 1)
    with pytest.raises(Conflict, match="the request id r1 was used for another answer"):
        chat.predictions.record("chat", output="b", request_id="r1")
    assert chat.predictions.last_id() == 1


def test_what_was_recorded_is_acknowledged_again_whether_several_serve_or_none(chat: Registry):
    answer = {"output": "a", "unit": "ann", "request_id": "r1"}
    chat.predictions.record("chat", answer)
    chat.traffic.route("chat", {"1.0.0": 50, "2.0.0": 50})
    assert chat.predictions.record("chat", answer).duplicates == 1
    chat.traffic.deactivate("chat@1.0.0")
    chat.traffic.deactivate("chat@2.0.0", allow_empty=True)
    assert chat.predictions.record("chat", answer).duplicates == 1
    chat.predictions.checker("chat")(Outcome(**answer))
    assert chat.predictions.last_id() == 1


def test_a_late_answer_is_credited_to_the_last_revision_that_its_version_served_in(chat: Registry):
    chat.traffic.promote("chat@2.0.0")
    late = chat.predictions.record("chat", version="1.0.0", output="a")
    assert (late.version, late.revision) == ("1.0.0", 1)
    with pytest.raises(NotFound, match=r"chat@2\.0\.0 did not serve in revision 1"):
        chat.predictions.record("chat", version="2.0.0", revision=1, output="a")
    with pytest.raises(NotFound, match="chat has no revision 9"):
        chat.predictions.record("chat", version="2.0.0", revision=9, output="a")


def test_an_answer_of_another_model_is_not_logged_for_this_one(chat: Registry):
    chat.versions.register("other@1.0.0", external=True)
    with pytest.raises(InvalidInput, match=r"other@1\.0\.0 is a version of other, .* for chat"):
        chat.predictions.record("chat", version="other@1.0.0", output="x")
    assert chat.predictions.last_id() == 0
    assert chat.predictions.record("chat", version="chat@1.0.0", output="x").version == "1.0.0"


def test_where_several_serve_the_answer_must_say_which(chat: Registry):
    chat.traffic.route("chat", {"1.0.0": 50, "2.0.0": 50})
    with pytest.raises(InvalidInput, match="2 versions of chat serve: which one answered"):
        chat.predictions.record("chat", output="a", unit="ann")
    chat.traffic.route("chat", {}, strategy="sticky")
    for unit in ("ann", "ben", "eva", "kim"):
        picked = chat.traffic.explain("chat", unit).version
        assert chat.predictions.record("chat", output="a", unit=unit).version == picked


def test_what_has_never_served_answers_nobody(chat: Registry):
    with pytest.raises(Conflict, match=r"chat@2\.0\.0 has never served"):
        chat.predictions.record("chat", version="2.0.0", output="a")
    chat.traffic.deactivate("chat@1.0.0", allow_empty=True)
    with pytest.raises(NoActiveVersion, match="no version of chat is active"):
        chat.predictions.record("chat", output="a")
    assert chat.predictions.record("chat", version="1.0.0", output="a").revision == 1


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"latency_ms": -1}, "latency_ms must lie between 0"),
        ({"latency_ms": float("nan")}, "latency_ms must be a finite number"),
        ({"confidence": 1.5}, "confidence must lie between 0 and 1"),
        ({"error": "x", "success": True}, "an answer with an error cannot be a success"),
        ({"version": 1.0}, "the version must be a text"),
        ({"revision": True}, "the revision must be a whole number"),
        ({"variant": "control"}, "variants are of tests"),
        ({"outptu": "a"}, "an answer has no field outptu"),
        ({"unit": ""}, "the user must not be empty"),
        ({"output": object()}, "the output cannot be written as JSON"),
    ],
)
def test_a_wrong_field_is_refused_and_nothing_is_logged(chat: Registry, said: dict, problem: str):
    with pytest.raises(InvalidInput, match=problem):
        chat.predictions.record("chat", **said)
    assert chat.predictions.last_id() == 0


def test_many_are_recorded_once_however_often_they_are_sent(chat: Registry):
    answers = [{"output": str(n), "request_id": f"r{n}"} for n in range(2500)]
    first = chat.predictions.record_many(answers, model="chat")
    assert (first.recorded, first.duplicates) == (2500, 0)
    again = chat.predictions.record_many([*answers, {"output": "x"}])
    assert (again.recorded, again.duplicates) == (1, 2500)
    assert chat.versions.list("chat")[0].request_count == 2501


def test_a_version_with_an_artifact_may_be_run_elsewhere_too(serving_registry: Registry):
    receipt = serving_registry.predictions.record("sentiment", version="1.0.0", output="positive")
    assert receipt.recorded == 1
