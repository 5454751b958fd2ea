"""Answered means logged: routing, failures, request ids, streams."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import count, islice
from pathlib import Path

import pytest

from mlreg.artifacts.runner import Batch, Failure, Input, Loadable
from mlreg.entities.predictions import Prediction
from mlreg.errors import (
    ArtifactError,
    Conflict,
    InvalidInput,
    NoActiveVersion,
    NotFound,
    PredictionFailed,
    StoreBusy,
)
from mlreg.registry import Registry
from mlreg.services.answers import Request
from mlreg.services.fresh import FRESH_SECONDS
from tests.services.misbehaving import Broken, TooFew, on_texts
from tests.support import Clock, Echo, dump


def rows(registry: Registry) -> int:
    return registry.predictions.last_id()


@pytest.fixture
def alone(sentiment: Registry) -> Registry:
    """`sentiment@1.0.0` serves everything."""
    sentiment.traffic.activate("sentiment@1.0.0")
    return sentiment


@pytest.fixture
def broken(registry: Registry) -> Registry:
    """A model that answers with the text it gets, where it does not go wrong."""
    registry.versions.register("echo@1.0.0", on_texts(Broken()), trust=True)
    registry.traffic.activate("echo@1.0.0")
    return registry


# --- one answer ---------------------------------------------------------------------------------


def test_an_answer_says_who_gave_it_and_is_in_the_log(alone: Registry, clock: Clock):
    answer = alone.predictions.predict("love it", unit="ada", segment={"country": "de", "a": "ü"})
    version = alone.versions.get("sentiment@1.0.0")
    assert (answer.prediction, answer.error) == ("positive", None)
    assert (answer.model, answer.model_version, answer.model_id) == (
        "sentiment",
        "1.0.0",
        version.model_id,
    )
    assert (answer.revision, answer.arm_reason, answer.prediction_id) == (1, "only-arm", 1)
    assert answer.confidence is not None
    assert 0.5 < answer.confidence <= 1
    row = alone.predictions.get(1)
    assert (row.input, row.prediction, row.confidence) == ("love it", "positive", answer.confidence)
    assert (row.unit, row.segment) == ("ada", {"country": "de", "a": "ü"})
    assert (row.role, row.status, row.latency_ms) == ("live", "ok", answer.latency_ms)
    assert row.time.timestamp() == clock.at / 1e6
    assert (row.label, row.correct, row.cost) == (None, None, None)


@pytest.mark.parametrize(
    ("which", "value", "text", "kinds"),
    [
        ("text", "great", "great", str),
        (
            "record",
            {"age": 30, "visits": 2, "plan": "pro"},
            '{"plan": "pro", "age": 30, "visits": 2}',
            int,
        ),
        ("vector", [15, 0.5, -15], "[15, 0.5, -15]", str),
        ("number", (3, 4), "[3, 4]", float),
    ],
)
def test_texts_records_and_vectors_are_answered(
    registry: Registry, artifacts, which: str, value, text: str, kinds: type
):
    registry.versions.register("m@1.0.0", artifacts[which])
    registry.traffic.activate("m@1.0.0")
    one = registry.predictions.predict(value)
    other = registry.predictions.predict(text, is_text=True)
    assert type(one.prediction) is kinds
    assert one.prediction == other.prediction
    assert (one.confidence is None) is (which == "number")
    assert registry.predictions.get(1).input == registry.predictions.get(2).input


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"value": 42}, "takes a text"),
        ({"value": "x", "unit": ""}, "user must not be empty"),
        ({"value": "x", "unit": "a\0b"}, "NUL"),
        ({"value": "x", "unit": 42}, "user must be a text"),
        ({"value": "x", "unit": "x" * 257}, "at most 256"),
        ({"value": "x", "segment": {"a b": "x"}}, "not a name for a segment"),
        ({"value": "x", "segment": {"a": 1}}, "segment a must be a text"),
        ({"value": "x", "request_id": "\ud800"}, "request id is not valid"),
        ({"value": "x", "version": ""}, "neither a version nor an alias"),
        ({"value": "x", "version": "\ud800"}, "neither a version nor an alias"),
        ({"value": "x", "model": "\ud800"}, "not valid Unicode"),
    ],
)
def test_a_request_that_is_refused_is_not_logged(alone: Registry, given: dict, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        alone.predictions.predict(**given)
    assert rows(alone) == 0


def test_without_a_version_that_serves_there_is_no_answer(sentiment: Registry):
    with pytest.raises(NoActiveVersion, match="no version of sentiment is active"):
        sentiment.predictions.predict("great")
    with pytest.raises(NotFound, match="there is no model nobody"):
        sentiment.predictions.predict("great", model="nobody")
    assert sentiment.predictions.predict("great", version="latest").model_version == "2.0.0"


def test_a_forced_version_answers_outside_the_split(serving_registry: Registry):
    for selector in ("2.0.0", "v2", "latest"):
        answer = serving_registry.predictions.predict("great", version=selector)
        assert (answer.model_version, answer.arm_reason) == ("2.0.0", "forced")
    assert {row.role for row in serving_registry.predictions.log()} == {"forced"}
    assert [v.request_count for v in serving_registry.versions.list()] == [0, 0]


def test_a_version_without_artifact_cannot_be_forced(sentiment: Registry):
    sentiment.versions.register("sentiment@3.0.0")
    with pytest.raises(Conflict, match=r"sentiment@3.0.0 has no artifact"):
        sentiment.predictions.predict("great", version="3.0.0")


def test_what_a_call_costs_is_kept_with_it(registry: Registry, artifact: Path):
    registry.versions.register("m@1.0.0", artifact, metadata={"cost_per_request": 0.002})
    registry.traffic.activate("m@1.0.0")
    registry.predictions.predict("great")
    assert registry.predictions.get(1).cost == 0.002
    assert registry.performance.report().models[0].cost_per_request == 0.002


def test_a_missing_row_is_not_found(alone: Registry):
    with pytest.raises(NotFound, match="there is no prediction 7"):
        alone.predictions.get(7)


def test_the_log_can_be_read_by_model_and_version(serving_registry: Registry):
    for version in ("1.0.0", "2.0.0", "2.0.0"):
        serving_registry.predictions.predict("great", version=version)
    log = serving_registry.predictions.log
    assert [row.prediction_id for row in log(version="v2")] == [2, 3]
    assert [row.prediction_id for row in log(model="sentiment", limit=1)] == [3]
    assert [row.prediction_id for row in log(after=1)] == [2, 3]
    with pytest.raises(InvalidInput, match="at least 1"):
        log(limit=0)
    with pytest.raises(NotFound, match="no model nobody"):
        log(model="nobody")


@pytest.mark.parametrize("policy", ["all", "hashed", "none"])
def test_inputs_are_logged_by_the_policy(sentiment: Registry, monkeypatch, policy: str):
    monkeypatch.setenv("MLREG_LOG_INPUTS", policy)
    sentiment.traffic.activate("sentiment@1.0.0")
    with Registry(sentiment.folder) as registry:
        for text in ("secret one", "secret one", "secret two"):
            registry.predictions.predict(text)
        list(registry.predictions.predict_many(["secret one"]))
        inputs = [row.input for row in registry.predictions.log()]
    if policy == "all":
        assert inputs == ["secret one", "secret one", "secret two", "secret one"]
    elif policy == "none":
        assert inputs == [None] * 4
    else:
        assert inputs[0] == inputs[1] == inputs[3] != inputs[2]
        assert str(inputs[0]).startswith("blake2b:")
    if policy != "all":
        assert b"secret" not in b"".join(
            p.read_bytes() for p in registry.folder.glob("registry.db*")
        )


# --- routing ------------------------------------------------------------------------------------


def test_sticky_users_keep_their_version_and_their_reason(serving_registry: Registry):
    serving_registry.traffic.route("sentiment", {}, strategy="sticky")
    for user in ("ada", "grace", "alan"):
        answers = [serving_registry.predictions.predict("great", unit=user) for _ in range(3)]
        assert len({answer.model_version for answer in answers}) == 1
        assert {answer.arm_reason for answer in answers} == {"sticky"}
    assert serving_registry.predictions.predict("great").arm_reason == "no-unit"


def test_turns_go_on_after_the_registry_is_opened_again(serving_registry: Registry):
    serving_registry.traffic.route("sentiment", {}, strategy="round-robin")
    seen: Counter[str | None] = Counter()
    for size in (7, 13, 30, 50):
        with Registry(serving_registry.folder) as registry:
            for _ in range(3):
                seen[registry.predictions.predict("great").model_version] += 1
            for answer in registry.predictions.predict_many(["great"] * (size - 3), chunk=11):
                seen[answer.model_version] += 1
    assert seen == {"1.0.0": 80, "2.0.0": 20}


@pytest.mark.parametrize("bad", ["every other", "blocks"])
def test_inputs_that_cannot_be_read_use_up_no_turns(serving_registry: Registry, bad: str):
    serving_registry.traffic.route("sentiment", {"1.0.0": 50, "2.0.0": 50}, strategy="round-robin")
    inputs = [
        7 if (i % 2 if bad == "every other" else i // 10 % 2) else "great" for i in range(200)
    ]
    answers = list(serving_registry.predictions.predict_many(inputs, chunk=60))
    assert sum(answer.error is not None for answer in answers) == 100
    seen = Counter(answer.model_version for answer in answers if answer.error is None)
    assert seen == {"1.0.0": 50, "2.0.0": 50}


def test_a_refused_input_uses_up_no_turn(serving_registry: Registry):
    serving_registry.traffic.route("sentiment", {"1.0.0": 50, "2.0.0": 50}, strategy="round-robin")
    seen: Counter[str | None] = Counter()
    for _ in range(10):
        seen[serving_registry.predictions.predict("great").model_version] += 1
        with pytest.raises(InvalidInput):
            serving_registry.predictions.predict(7)
    assert seen == {"1.0.0": 5, "2.0.0": 5}


def test_a_change_by_this_registry_is_seen_by_the_next_prediction(alone: Registry):
    assert alone.predictions.predict("great").revision == 1
    alone.traffic.promote("sentiment@2.0.0")
    answer = alone.predictions.predict("great")
    assert (answer.revision, answer.model_version) == (2, "2.0.0")
    alone.traffic.deactivate("sentiment@2.0.0", allow_empty=True)
    with pytest.raises(NoActiveVersion):
        alone.predictions.predict("great")


def test_a_change_by_somebody_else_is_seen_within_a_moment(alone: Registry):
    alone.predictions.predict("great")
    with Registry(alone.folder) as other:
        other.traffic.promote("sentiment@2.0.0")
    seen = [str(alone.predictions.predict("great").model_version) for _ in range(50)]
    assert seen[-1] == "2.0.0"
    assert seen == sorted(seen)


def test_a_change_by_somebody_else_is_seen_by_threads_that_live_for_one_request(alone: Registry):
    """As those of a server: a new one may get the very address of one that has ended."""
    wanted = ["2.0.0", "1.0.0"] * 10
    seen: list[str | None] = []
    with Registry(alone.folder) as other:
        for version in wanted:
            other.traffic.promote(f"sentiment@{version}")
            time.sleep(2 * FRESH_SECONDS)
            thread = threading.Thread(
                target=lambda: seen.append(alone.predictions.predict("great").model_version)
            )
            thread.start()
            thread.join()
    assert seen == wanted


def test_a_second_model_makes_a_nameless_request_ambiguous(alone: Registry):
    alone.predictions.predict("great")
    with Registry(alone.folder) as other:
        other.versions.register("churn@1.0.0")
    alone.traffic.activate("sentiment@1.0.0", percent=50)
    with pytest.raises(InvalidInput, match="which model"):
        [alone.predictions.predict("great") for _ in range(50)]


def test_the_signature_is_that_of_the_version_asked(serving_registry: Registry):
    for version in (None, "2.0.0"):
        assert serving_registry.predictions.signature("sentiment", version).input == "text"


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise", r"ValueError: I cannot answer \\x1b\[31m\\ud800"),
        ("exit", "SystemExit: 3"),
        ("surrogate", "no valid Unicode"),
        ("nan", "NaN"),
        ("none", "None"),
        ("list", "list"),
        ("huge", "beyond 64 bits"),
    ],
)
def test_a_failure_is_logged_and_its_error_carries_the_row(
    broken: Registry, text: str, reason: str
):
    with pytest.raises(PredictionFailed, match=rf"echo@1.0.0 failed: .*{reason}") as caught:
        broken.predictions.predict(text)
    assert caught.value.prediction_id == 1
    row = broken.predictions.get(1)
    assert (row.status, row.prediction, row.confidence) == ("error", None, None)
    assert row.error is not None
    assert row.error.isprintable()
    assert broken.performance.report().models[0].error_rate == 1.0
    assert broken.predictions.predict("fine").prediction == "fine"


def test_a_model_of_the_wrong_shape_fails_and_is_logged(registry: Registry):
    registry.versions.register("few@1.0.0", on_texts(TooFew()), trust=True)
    registry.traffic.activate("few@1.0.0")
    with pytest.raises(PredictionFailed, match="0 outputs for 1 input"):
        registry.predictions.predict("x")
    answers = list(registry.predictions.predict_many(["a", "b"]))
    assert [answer.prediction_id for answer in answers] == [2, 3]
    assert all(answer.error for answer in answers)


def test_a_damaged_artifact_is_an_error_of_the_artifact_and_logged(alone: Registry):
    digest = alone.versions.get("sentiment@1.0.0").digest
    assert digest
    path = alone.folder / "objects" / digest[:2] / digest
    path.chmod(0o600)
    path.write_bytes(b"other")
    with pytest.raises(ArtifactError, match=r"sentiment@1.0.0: .* altered"):
        alone.predictions.predict("great")
    assert alone.predictions.get(1).status == "error"
    assert all(answer.error for answer in alone.predictions.predict_many(["a", "b"]))


class Slow(Echo):
    """A runner whose model never answers in time."""

    def predict(self, model: Loadable, inputs: Sequence[Input]) -> Batch:
        return Batch([Failure("timeout", "no answer within 30 s")] * len(inputs), 30.0)


def test_a_timeout_has_a_status_of_its_own(alone: Registry):
    with Registry(alone.folder, runner=Slow()) as registry:
        with pytest.raises(PredictionFailed, match="no answer within 30 s"):
            registry.predictions.predict("great")
        row = registry.predictions.get(1)
    assert (row.status, row.latency_ms) == ("timeout", 30_000)


def test_a_logged_answer_is_handed_out_even_if_the_fold_must_wait(alone: Registry, monkeypatch):
    monkeypatch.setenv("MLREG_BUSY_TIMEOUT", "0")
    monkeypatch.setattr("mlreg.store.summaries.EVERY", 1)
    with Registry(alone.folder) as registry:
        store = registry.predictions._context.store
        monkeypatch.setattr(store, "write", busy)
        assert registry.predictions.predict("great").prediction_id == 1


def busy(*, durable: bool = True):
    raise StoreBusy("somebody else is writing")


# --- request ids --------------------------------------------------------------------------------


def test_the_same_request_gets_the_same_answer_and_no_second_row(serving_registry: Registry):
    first = serving_registry.predictions.predict("great", request_id="r-1")
    serving_registry.traffic.promote("sentiment@2.0.0")
    for _ in range(5):
        again = serving_registry.predictions.predict("great", request_id="r-1")
        assert asdict(again) == asdict(first)
    assert rows(serving_registry) == 1


def test_a_request_id_with_another_input_is_a_conflict(alone: Registry):
    alone.predictions.predict("great", request_id="r-1")
    with pytest.raises(Conflict, match="r-1 was used for another input"):
        alone.predictions.predict("bad", request_id="r-1")
    assert rows(alone) == 1


def test_an_empty_request_id_is_refused(alone: Registry):
    with pytest.raises(InvalidInput, match="the request id must not be empty"):
        alone.predictions.predict("good", request_id="")
    with pytest.raises(InvalidInput, match="the request id must not be empty"):
        alone.feedback.record(None, "positive", request_id="")
    assert alone.predictions.last_id() == 0


def test_request_ids_are_apart_for_each_model(alone: Registry, artifact: Path):
    alone.versions.register("other@1.0.0", artifact)
    alone.traffic.activate("other@1.0.0")
    for model in ("sentiment", "other"):
        alone.predictions.predict("great", model=model, request_id="r-1")
    assert rows(alone) == 2


def test_a_request_that_failed_may_be_sent_again(broken: Registry):
    for number in (1, 2):
        with pytest.raises(PredictionFailed) as caught:
            broken.predictions.predict("raise", request_id="r-1")
        assert caught.value.prediction_id == number


# --- streams ------------------------------------------------------------------------------------


def test_a_stream_is_answered_in_order_and_bad_inputs_in_their_place(serving_registry: Registry):
    inputs: list[object] = [
        "love it",
        7,
        Request("hate it", unit="ada", segment={"country": "de"}),
        Request("x", problem="line 4 is no JSON"),
        Request("x", unit=""),
        "great",
    ]
    answers = list(serving_registry.predictions.predict_many(inputs, chunk=4))
    assert [a.prediction for a in answers] == ["positive", None, "negative", None, None, "positive"]
    assert [a.prediction_id for a in answers] == [1, None, 2, None, None, 3]
    assert [a.error for a in answers if a.error] == [
        "the model takes a text, not a number",
        "line 4 is no JSON",
        "the user must not be empty",
    ]
    assert answers[1] == unread("the model takes a text, not a number")
    row = serving_registry.predictions.get(2)
    assert (row.unit, row.segment) == ("ada", {"country": "de"})


def unread(problem: str) -> Prediction:
    nothing = dict.fromkeys(Prediction.__json__)
    return Prediction(**{**nothing, "error": problem})  # type: ignore[arg-type]  # all are None


def test_one_failure_does_not_fail_its_neighbours(broken: Registry):
    answers = list(broken.predictions.predict_many(["a", "raise", "b", "nan", "c"]))
    assert [a.prediction for a in answers] == ["a", None, "b", None, "c"]
    assert [bool(a.error) for a in answers] == [False, True, False, True, False]
    assert [r.status for r in broken.predictions.log()] == ["ok", "error", "ok", "error", "ok"]


def test_a_stream_of_nothing_has_no_answers(sentiment: Registry):
    assert list(sentiment.predictions.predict_many([])) == []


def test_a_stream_without_a_version_that_serves_is_refused(sentiment: Registry):
    with pytest.raises(NoActiveVersion):
        next(sentiment.predictions.predict_many(["great"]))


def test_typed_lines_are_read_by_the_signature(registry: Registry, artifacts):
    registry.versions.register("m@1.0.0", artifacts["vector"])
    registry.traffic.activate("m@1.0.0")
    answers = list(registry.predictions.predict_many(["[15, 0, -15]", "15"], is_text=True))
    assert answers[0].prediction == "high"
    assert answers[1].error == "the model takes a list of 3 numbers, not a number"


def test_a_stream_is_read_chunk_by_chunk_and_logged_before_it_is_handed_out(alone: Registry):
    taken = count()
    last = -1

    def endless() -> Iterator[str]:
        nonlocal last
        for last in taken:  # noqa: B007
            yield "great"

    stream = alone.predictions.predict_many(endless(), chunk=10)
    for handed_out in range(1, 45):
        assert next(stream).prediction_id == handed_out
        assert rows(alone) == -(-handed_out // 10) * 10
        # At most one more chunk is under way.
        assert last < rows(alone) + 10


def test_what_was_begun_is_answered_before_a_fault_of_the_source(alone: Registry):
    def faulty() -> Iterator[str]:
        yield from ["great"] * 25
        raise OSError("the pipe broke")

    stream = alone.predictions.predict_many(faulty(), chunk=10)
    assert len(list(islice(stream, 20))) == 20
    with pytest.raises(OSError, match="the pipe broke"):
        next(stream)
    assert rows(alone) == 20


def test_what_was_begun_is_answered_before_nothing_serves_any_more(alone: Registry):
    def texts() -> Iterator[str]:
        yield from ["great"] * 10
        alone.traffic.deactivate("sentiment@1.0.0", allow_empty=True)
        yield "great"

    stream = alone.predictions.predict_many(texts(), chunk=10)
    assert len(list(islice(stream, 10))) == 10
    with pytest.raises(NoActiveVersion):
        next(stream)


def test_the_memory_of_a_stream_does_not_grow_with_it(alone: Registry):
    def peak(length: int) -> int:
        texts = (f"great {i}" for i in range(length))
        tracemalloc.start()
        for _ in alone.predictions.predict_many(texts, chunk=200):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(4000)  # what is imported at the first fold is no part of it
    assert peak(4000) < 1.5 * peak(800) + 200_000


def test_a_stream_sees_a_change_of_traffic_at_its_next_chunk(alone: Registry):
    stream = alone.predictions.predict_many(["great"] * 30, chunk=10)
    head = list(islice(stream, 10))
    alone.traffic.promote("sentiment@2.0.0")
    tail = list(stream)[10:]  # one chunk may be under way already
    assert {a.revision for a in head} == {1}
    assert {(a.revision, a.model_version) for a in tail} == {(2, "2.0.0")}


def test_a_forced_stream_is_logged_as_forced(serving_registry: Registry):
    list(serving_registry.predictions.predict_many(["great"] * 5, version="2.0.0"))
    assert {r.role for r in serving_registry.predictions.log()} == {"forced"}


def test_summaries_keep_up_with_the_log(serving_registry: Registry):
    list(serving_registry.predictions.predict_many(["great"] * 2500, chunk=600))
    marks = dict(dump(serving_registry.folder)["watermarks"])
    assert marks["predictions"] >= 2000
