"""Shadows are asked behind the answer, logged beside it, and never in its way."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mlreg.artifacts.worker import WorkerRunner
from mlreg.clock import DAY
from mlreg.entities.predictions import Prediction
from mlreg.entities.shadows import ShadowComparison
from mlreg.errors import Conflict, InvalidInput, NotFound, PredictionFailed
from mlreg.registry import Registry, open_registry
from mlreg.services.shadows import asking
from tests.services.misbehaving import Broken, on_texts
from tests.support import Clock, raw

WAIT = 120.0


class Hanging(Broken):
    """Never answers."""

    def _answer(self, text: str) -> Any:
        time.sleep(3600)


class Leaving(Broken):
    """Takes its process down."""

    def _answer(self, text: str) -> Any:
        os._exit(3)


class Yes(Broken):
    """Answers `yes`, but `no` to what has a `?`."""

    def _answer(self, text: str) -> Any:
        return "no" if "?" in text else "yes"


@pytest.fixture
def m(registry: Registry) -> Registry:
    """`m@1.0.0` echoes what it is asked; 2.0.0 waits to be its shadow."""
    registry.versions.register("m@1.0.0", on_texts(Broken()), trust=True)
    registry.versions.register("m@2.0.0", on_texts(Yes()), trust=True)
    registry.traffic.activate("m@1.0.0")
    return registry


def follow(registry: Registry, *versions: str) -> None:
    registry.traffic.route("m", {}, shadows=versions)


def ask(registry: Registry, *texts: str) -> list[Prediction]:
    """Ask, and wait for the shadows."""
    answers = [registry.predictions.predict(text, model="m") for text in texts]
    assert registry.shadows.drain(WAIT)
    return answers


def rows(registry: Registry) -> list[tuple[str, str, Any, Any]]:
    """Version, role, answer and whether it was right, of the log."""
    found = registry.predictions.log(limit=100)
    return [(row.model_version, row.role, row.prediction, row.correct) for row in found]


def only(registry: Registry, **wanted: Any) -> ShadowComparison:
    found = registry.shadows.report("m", **wanted)
    assert len(found.comparisons) == 1
    return found.comparisons[0]


# --- asking ---------------------------------------------------------------------------------------


def test_a_shadow_answers_what_was_asked_live_and_is_paired_with_it(m: Registry):
    follow(m, "2.0.0")
    first, second = ask(m, "yes", "sure?")
    assert (first.prediction, second.prediction) == ("yes", "sure?")
    assert first.model_version == second.model_version == "1.0.0"
    assert sorted(rows(m), key=lambda row: row[1]) == [
        ("1.0.0", "live", "yes", None),
        ("1.0.0", "live", "sure?", None),
        ("2.0.0", "shadow", "yes", None),
        ("2.0.0", "shadow", "no", None),
    ]
    found = only(m)
    assert (found.pairs, found.same, found.agreement) == (2, 1, 0.5)
    assert [(c.live, c.shadow, c.pairs) for c in found.changes] == [("sure?", "no", 1)]


def test_a_batch_is_asked_as_a_batch_and_each_answer_is_paired(m: Registry):
    follow(m, "2.0.0")
    answers = list(m.predictions.predict_many(["yes", "no?", "maybe?"], model="m"))
    assert m.shadows.drain(WAIT)
    assert [answer.prediction for answer in answers] == ["yes", "no?", "maybe?"]
    assert only(m).pairs == 3
    calls = [row.latency_ms for row in m.predictions.log(version="2.0.0", model="m")]
    assert len(calls) == 3


def test_forced_answers_and_repeated_requests_are_not_followed(m: Registry):
    follow(m, "2.0.0")
    m.predictions.predict("yes", model="m", version="2.0.0")
    m.predictions.predict("yes", model="m", request_id="r1")
    m.predictions.predict("yes", model="m", request_id="r1")
    assert m.shadows.drain(WAIT)
    assert [row[1] for row in rows(m)] == ["forced", "live", "shadow"]


def test_a_live_failure_is_followed_too(m: Registry):
    follow(m, "2.0.0")
    with pytest.raises(PredictionFailed, match="I cannot"):
        m.predictions.predict("raise", model="m")
    assert m.shadows.drain(WAIT)
    found = only(m)
    assert (found.live_failed, found.shadow_failed, found.same) == (1, 0, 0)
    assert found.changes[0].live is None


def test_shadows_count_in_no_report_of_who_answers(m: Registry):
    follow(m, "2.0.0")
    answers = ask(m, *["yes"] * 5)
    m.feedback.record(answers[0].prediction_id, "yes")
    report = m.performance.report("m")
    assert [(v.version, v.request_count) for v in report.models if v.request_count] == [
        ("1.0.0", 5)
    ]
    assert {v.version: v.request_count for v in m.versions.list("m")} == {"1.0.0": 5, "2.0.0": 0}
    assert m.health.check().healthy


def test_a_shadow_that_takes_other_inputs_fails_and_says_so(
    m: Registry, artifacts: dict[str, Path]
):
    m.versions.register("m@3.0.0", artifacts["vector"])
    follow(m, "3.0.0")
    ask(m, "yes")
    row = m.predictions.log(model="m", version="3.0.0")[0]
    assert row.error is not None
    assert "it takes other inputs" in row.error
    assert only(m).shadow_failed == 1


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "status"), [(Hanging(), "timeout"), (Leaving(), "error")], ids=["hangs", "dies"]
)
def test_a_shadow_that_hangs_or_dies_leaves_the_live_answers_alone(
    tmp_path: Path, m: Registry, monkeypatch: pytest.MonkeyPatch, estimator: Any, status: str
):
    m.versions.register("m@3.0.0", on_texts(estimator), trust=True)
    follow(m, "3.0.0")
    monkeypatch.setenv("MLREG_SHADOW_TIMEOUT", "0.5")
    monkeypatch.setattr(asking, "REST_SECONDS", 3600.0)
    with open_registry(tmp_path) as other:
        answers = ask(other, "yes", "no")
        assert [answer.prediction for answer in answers] == ["yes", "no"]
        row = other.predictions.log(model="m", version="3.0.0")[0]
        assert row.status == status
        # It is left alone for a while, and what it is not asked is counted.
        ask(other, "yes", "no", "perhaps")
        dropped = other.shadows.report("m").shadows[0].dropped
        assert dropped["resting"] >= 3


def test_a_shadow_that_nobody_trusts_here_any_more_is_not_run(m: Registry):
    m.trust.revoke("m@2.0.0")
    m.traffic.route("m", {}, shadows=[])
    follow(m, "2.0.0")
    ask(m, "yes")
    assert only(m).shadow_failed == 1


def test_what_does_not_fit_the_queue_is_counted(m: Registry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking, "MOST_ROWS", 2)
    monkeypatch.setattr(asking, "GATHER_SECONDS", 0.5)
    follow(m, "2.0.0")
    ask(m, *["yes"] * 2000)
    found = m.shadows.report("m").shadows[0]
    assert found.followed == 2000
    assert found.dropped["full"] >= 1
    assert found.asked + found.dropped["full"] == 2000


def test_what_is_under_way_is_asked_when_the_registry_is_closed(tmp_path: Path, m: Registry):
    follow(m, "2.0.0")
    with open_registry(tmp_path) as other:
        other.predictions.predict("yes", model="m")
    found = m.shadows.report("m").shadows[0]
    assert found.asked + sum(found.dropped.values()) == 1


def test_callers_from_several_threads_are_each_followed_once(m: Registry):
    follow(m, "2.0.0")
    threads = [Thread(target=ask, args=(m, *["yes"] * 20)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert m.shadows.drain(WAIT)
    assert only(m).pairs == 80


@pytest.mark.process
def test_a_forked_child_asks_for_itself_and_not_for_its_parent(tmp_path: Path, m: Registry):
    follow(m, "2.0.0")
    m.predictions.predict("mine", model="m")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            m.predictions.predict("its", model="m")
            code = 0 if m.shadows.drain(WAIT) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert m.shadows.drain(WAIT)
    assert only(m).pairs == 2


# --- labels ---------------------------------------------------------------------------------------


def test_a_label_on_either_settles_both(m: Registry):
    follow(m, "2.0.0")
    first, second = ask(m, "yes", "sure?")
    shadow = m.shadows.queue("m")[0]
    assert shadow.prediction_id == second.prediction_id
    receipt = m.feedback.record(first.prediction_id, "yes")
    m.feedback.record(shadow.shadow_prediction_id, "no")
    assert receipt.recorded == 1
    assert {row[:3]: row[3] for row in rows(m)} == {
        ("1.0.0", "live", "yes"): True,
        ("1.0.0", "live", "sure?"): False,
        ("2.0.0", "shadow", "yes"): True,
        ("2.0.0", "shadow", "no"): True,
    }
    counts = only(m).labelled
    assert counts is not None
    assert (counts.both, counts.only_live, counts.only_shadow) == (1, 0, 1)
    assert m.shadows.queue("m") == []


def test_a_correction_settles_both_again_and_a_repetition_nothing(m: Registry):
    follow(m, "2.0.0")
    (answer,) = ask(m, "sure?")
    m.feedback.record(answer.prediction_id, "no")
    assert m.feedback.record(answer.prediction_id, "no").duplicates == 1
    m.feedback.record(answer.prediction_id, "sure?")
    assert [row[3] for row in rows(m)] == [True, False]
    assert m.health.check().healthy


def test_a_label_that_came_before_the_shadow_settles_it_as_well(m: Registry):
    first, second = ask(m, "yes", "sure?")
    m.feedback.record(first.prediction_id, correct=True)
    m.feedback.record(second.prediction_id, "no")
    m.shadows.replay("2.0.0", "m", since=timedelta(days=1))
    assert [row[3] for row in rows(m)] == [True, False, True, True]
    assert m.health.check().healthy


@pytest.mark.parametrize(("said", "expected"), [(True, [True, None]), (False, [False, None])])
def test_a_judgement_of_one_answer_says_nothing_of_another_one(
    m: Registry, said: bool, expected: list[bool | None]
):
    follow(m, "2.0.0")
    (answer,) = ask(m, "sure?")
    m.feedback.record(answer.prediction_id, correct=said)
    assert [row[3] for row in rows(m)] == expected
    labelled = only(m).labelled
    assert labelled is not None
    assert labelled.pairs == 0


def test_values_beside_a_label_are_of_the_answer_that_was_given(m: Registry):
    follow(m, "2.0.0")
    (answer,) = ask(m, "yes")
    m.feedback.record(answer.prediction_id, "yes", values={"clicks": 1})
    shadow = m.predictions.log(model="m", version="2.0.0")[0]
    trail = m.predictions.trail(shadow.prediction_id)
    assert [said.name for said in trail.feedback] == ["label"]
    assert trail.same_input == (answer.prediction_id,)


# --- the report -----------------------------------------------------------------------------------


def test_the_report_says_which_is_better_and_by_how_much(m: Registry):
    follow(m, "2.0.0")
    answers = list(m.predictions.predict_many([f"q{i}?" for i in range(40)], model="m"))
    assert m.shadows.drain(WAIT)
    for answer in answers[:20]:
        m.feedback.record(answer.prediction_id, "no")
    found = only(m)
    assert found.verdict == "shadow-better"
    assert found.difference.estimate == 1.0
    assert found.difference.p_value < 0.05 < (found.difference.lower or 0)
    assert found.summary.startswith("2.0.0 is better than 1.0.0: it is right on 100.0 % of")


def test_a_report_knows_each_pair_of_versions_and_can_be_asked_for_one(m: Registry):
    m.versions.register("m@3.0.0", on_texts(Yes()), trust=True)
    follow(m, "2.0.0", "3.0.0")
    ask(m, "yes")
    m.traffic.route("m", {"2.0.0": 100})
    ask(m, "no?")
    met = [(c.shadow, c.live, c.pairs) for c in m.shadows.report("m").comparisons]
    assert met == [("2.0.0", "1.0.0", 1), ("3.0.0", "1.0.0", 1), ("3.0.0", "2.0.0", 1)]
    assert only(m, version="3.0.0", against="2.0.0").agreement == 1.0
    assert [(s.version, s.active) for s in m.shadows.report("m").shadows] == [
        ("2.0.0", False),
        ("3.0.0", True),
    ]


def test_the_coverage_is_of_the_window_of_the_report(m: Registry, clock: Clock):
    follow(m, "2.0.0")
    ask(m, "yes", "no?")
    clock.at += DAY
    ask(m, "yes")
    m.predictions.predict("forced", model="m", version="1.0.0")
    for since, number in ((None, 3), (timedelta(hours=1), 1), (timedelta(days=2), 3)):
        (found,) = m.shadows.report("m", since=since).shadows
        assert (found.asked, found.followed) == (number, number)


def test_a_report_without_pairs_is_no_error(m: Registry):
    assert m.shadows.report("m").shadows == ()
    follow(m, "2.0.0")
    found = m.shadows.report("m")
    assert [(s.version, s.asked) for s in found.shadows] == [("2.0.0", 0)]
    assert found.comparisons == ()


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_an_odd_level_is_refused(m: Registry, alpha: float):
    with pytest.raises(InvalidInput, match="alpha lies between 0 and 1"):
        m.shadows.report("m", alpha=alpha)


def test_numbers_are_compared_by_how_far_they_are_off(
    registry: Registry, artifacts: dict[str, Path]
):
    from sklearn.dummy import DummyRegressor

    near = DummyRegressor().fit([[0.0, 0.0], [1.0, 1.0]], [10.0, 10.0])
    registry.versions.register("n@1.0.0", artifacts["number"])
    registry.versions.register("n@2.0.0", near)
    registry.traffic.activate("n@1.0.0")
    registry.traffic.route("n", {}, shadows=["2.0.0"])
    inputs = [[float(i % 20), float(i % 4)] for i in range(300)]
    answers = list(registry.predictions.predict_many(inputs, model="n"))
    assert registry.shadows.drain(WAIT)
    for answer in answers:
        assert isinstance(answer.prediction, float)
        registry.feedback.record(answer.prediction_id, answer.prediction + 0.5)
    (found,) = registry.shadows.report("n").comparisons
    assert found.difference.measure == "mae"
    assert found.difference.estimate is not None
    assert found.difference.estimate > 1
    assert found.verdict == "live-better"
    assert (found.changes, found.labelled, found.labels) == ((), None, 300)


# --- the queue ------------------------------------------------------------------------------------


def test_the_queue_has_each_disagreement_once_until_it_has_a_label(m: Registry):
    follow(m, "2.0.0")
    answers = ask(m, "yes", "a?", "yes", "b?", "c?")
    queue = m.shadows.queue("m")
    assert {row.input for row in queue} == {"a?", "b?", "c?"}
    assert {(row.live_version, row.shadow_version) for row in queue} == {("1.0.0", "2.0.0")}
    assert m.shadows.queue("m", limit=2) == queue[:2]
    m.feedback.record(answers[1].prediction_id, "no")
    assert {row.input for row in m.shadows.queue("m")} == {"b?", "c?"}


def test_a_queue_of_nothing_is_refused(m: Registry):
    with pytest.raises(InvalidInput, match="at least 1, not 0"):
        m.shadows.queue("m", limit=0)


# --- replay ---------------------------------------------------------------------------------------


@pytest.fixture
def past(m: Registry) -> Registry:
    """Five answers that nobody followed."""
    ask(m, "yes", "a?", "yes", "b?", "c?")
    return m


def test_a_replay_asks_each_input_of_the_log_once(past: Registry):
    tried = past.shadows.replay("2.0.0", "m", since=timedelta(days=1), dry_run=True)
    assert (tried.replayed, tried.dry_run) == (5, True)
    assert len(rows(past)) == 5
    done = past.shadows.replay("2.0.0", "m", since=timedelta(days=1))
    assert (done.replayed, done.failed, done.not_kept) == (5, 0, 0)
    assert past.shadows.replay("2.0.0", "m", since=timedelta(days=1)).replayed == 0
    found = only(past)
    assert (found.pairs, found.replayed, found.same, found.latency) == (5, 5, 2, None)


def test_a_replay_leaves_out_what_was_followed_and_what_the_version_answered_itself(past: Registry):
    follow(past, "2.0.0")
    ask(past, "followed")
    past.traffic.route("m", {"2.0.0": 100})
    ask(past, "its own")
    assert past.shadows.replay("2.0.0", "m", since=timedelta(days=1)).replayed == 5
    assert only(past, version="2.0.0").pairs == 6


def test_a_replay_that_was_cut_off_goes_on_where_it_was(
    past: Registry, monkeypatch: pytest.MonkeyPatch
):
    from mlreg.services.shadows import replaying

    monkeypatch.setattr(replaying, "_PIECE", 2)

    def enough(done: int, whole: int) -> None:
        assert whole == 5
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        past.shadows.replay("2.0.0", "m", since=timedelta(days=1), progress=enough)
    assert only(past).pairs == 2
    assert past.shadows.replay("2.0.0", "m", since=timedelta(days=1)).replayed == 3


def test_two_replays_at_once_pair_each_input_once(past: Registry, tmp_path: Path):
    def again() -> None:
        with open_registry(tmp_path) as other:
            other.shadows.replay("2.0.0", "m", since=timedelta(days=10_000))

    threads = [Thread(target=again) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert only(past).pairs == 5
    assert len(rows(past)) == 10


@pytest.mark.parametrize("policy", ["none", "hashed"])
def test_a_replay_says_so_where_the_log_keeps_no_inputs(
    m: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
):
    monkeypatch.setenv("MLREG_LOG_INPUTS", policy)
    with open_registry(tmp_path) as other:
        ask(other, "secret")
        with pytest.raises(Conflict, match="keeps no inputs"):
            other.shadows.replay("2.0.0", "m", since=timedelta(days=1))
        follow(other, "2.0.0")
        ask(other, "secret", "sure?")
        assert only(other).pairs == 2
        assert other.shadows.queue("m")[0].input != "sure?"
    with raw(tmp_path / ".mlreg") as connection:
        kept = connection.execute("select count(*) from predictions where input like '%secret%'")
        assert kept.fetchone() == (0,)


def test_a_replay_that_has_asked_all_that_is_kept_has_nothing_left_to_do(
    past: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    past.shadows.replay("2.0.0", "m", since=timedelta(days=1))
    monkeypatch.setenv("MLREG_LOG_INPUTS", "hashed")
    with open_registry(tmp_path) as other:
        ask(other, "secret")
        done = other.shadows.replay("2.0.0", "m", since=timedelta(days=10_000))
    assert (done.replayed, done.not_kept) == (0, 1)


def test_what_cannot_be_asked_cannot_be_replayed(past: Registry):
    past.versions.register("m@5.0.0", external=True)
    with pytest.raises(Conflict, match="run by a program of yours"):
        past.shadows.replay("5.0.0", "m", since=timedelta(days=1))
    with pytest.raises(NotFound, match=r"9\.9\.9"):
        past.shadows.replay("9.9.9", "m", since=timedelta(days=1))


@pytest.mark.process
def test_the_process_of_a_shadow_lets_others_go_first(m: Registry):
    follow(m, "2.0.0")
    ask(m, "yes")
    runner = m.predictions.asking._runner
    assert isinstance(runner, WorkerRunner)
    (lane,) = runner._lanes.values()
    assert lane._process._pid is not None
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, lane._process._pid) == min(own + 10, 19)
