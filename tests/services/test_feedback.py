"""Feedback arrives late, twice, wrong and in bulk, and is credited to what answered."""

from __future__ import annotations

import math

import pytest

from mlreg.entities.predictions import Feedback
from mlreg.errors import InvalidInput, NotFound
from mlreg.registry import Registry
from mlreg.services.feedback import CHUNK
from mlreg.store.feedback import FeedbackRow
from mlreg.store.predictions import Entry
from tests.services.misbehaving import Broken, on_texts
from tests.support import Clock, dump


@pytest.fixture
def alone(sentiment: Registry) -> Registry:
    """`sentiment@1.0.0` serves everything and has answered "great" with `positive`."""
    sentiment.traffic.activate("sentiment@1.0.0")
    sentiment.predictions.predict("great")
    return sentiment


def trail(registry: Registry, prediction: int = 1) -> list[FeedbackRow]:
    with registry.feedback._context.store.read() as tx:
        return tx.feedback.trail(prediction)


def accuracy(registry: Registry) -> float | None:
    return registry.performance.report().models[0].accuracy


def log(registry: Registry, *outputs: str | None, version: int = 1) -> None:
    """Rows as a model would have left them; None is a failure."""
    with registry.feedback._context.store.write() as tx:
        tx.predictions.append_many(
            [
                Entry(
                    registry.feedback._context.clock(), version, 1, 0, "random", None, None, None,
                    output, None, 1000, int(output is None), None if output else "broke", None,
                )
                for output in outputs
            ]
        )  # fmt: skip


def test_a_label_tells_whether_the_answer_was_right(alone: Registry):
    alone.predictions.predict("great")
    assert alone.feedback.record(1, "positive").recorded == 1
    alone.feedback.record(2, "negative")
    assert (accuracy(alone), alone.predictions.get(1).correct) == (0.5, True)
    assert (alone.predictions.get(2).label, alone.predictions.get(2).correct) == ("negative", False)


def test_a_judgement_needs_no_label(alone: Registry):
    alone.feedback.record(1, correct=False)
    row = alone.predictions.get(1)
    assert (row.label, row.correct) == (None, False)


def test_a_judgement_wins_over_a_comparison_with_the_label(alone: Registry):
    alone.feedback.record(1, "Positive!", correct=True)
    assert (alone.predictions.get(1).label, accuracy(alone)) == ("Positive!", 1.0)


def test_a_repetition_is_a_duplicate_and_a_correction_is_news(alone: Registry):
    receipts = [
        alone.feedback.record(1, label)
        for label in ("positive", "positive", "negative", "positive")
    ]
    assert [(r.recorded, r.duplicates) for r in receipts] == [(1, 0), (0, 1), (1, 0), (1, 0)]
    assert accuracy(alone) == 1.0
    assert alone.performance.report().models[0].labelled_count == 1
    assert [row.label for row in trail(alone)] == ['"positive"', '"negative"', '"positive"']


def test_a_repetition_leaves_the_first_in_the_trail(alone: Registry, clock: Clock):
    said: list[dict] = [{"label": "positive"}, {"values": {"stars": 4}}, {"correct": True}]
    for entry in said:
        first = clock.at
        alone.feedback.record(1, **entry, actor="ada")
        clock.at += 1_000_000
        assert alone.feedback.record(1, **entry, actor="bob").duplicates == 1
        assert (trail(alone)[-1].at, trail(alone)[-1].actor) == (first, "ada")
    assert [row.name for row in trail(alone)] == ["label", "stars", "label"]


def test_what_was_said_before_a_correction_is_news_again_for_each_name(alone: Registry):
    for value in (4, 4.0, 5, 5, 4):
        alone.feedback.record(1, "positive", values={"stars": value, "price": 1})
    assert [row.value for row in trail(alone) if row.name == "stars"] == [4, 5, 4]
    assert [row.name for row in trail(alone)].count("price") == 1
    assert [row.name for row in trail(alone)].count("label") == 1


def test_a_judgement_beside_the_same_label_is_news(alone: Registry):
    for correct in (None, True, True, False):
        alone.feedback.record(1, "negative", correct=correct)
    assert [row.correct for row in trail(alone)] == [0, 1, 0]


def test_what_was_answered_cannot_be_the_right_label_and_incorrect(alone: Registry):
    with pytest.raises(InvalidInput, match="is what was answered for prediction 1"):
        alone.feedback.record(1, "positive", correct=False)
    assert trail(alone) == []


def test_labels_that_are_sent_again_leave_the_tables_as_they_were(sentiment: Registry):
    log(sentiment, *['"yes"'] * (2 * CHUNK))
    labels = [
        Feedback(prediction_id=n, label="yes" if n % 4 else "no") for n in range(1, 2 * CHUNK + 1)
    ]
    sentiment.feedback.record_many(labels + labels[:10])
    report = sentiment.performance.report().models
    before = dump(sentiment.folder)["feedback"]
    receipt = sentiment.feedback.record_many(labels)
    assert (receipt.recorded, receipt.duplicates) == (0, 2 * CHUNK)
    assert dump(sentiment.folder)["feedback"] == before
    assert len(before) == 2 * CHUNK
    assert sentiment.performance.report().models == report


def test_the_newest_counts_also_within_one_bulk(alone: Registry):
    said = ["positive", "negative", "negative"]
    receipt = alone.feedback.record_many([Feedback(prediction_id=1, label=label) for label in said])
    assert (receipt.recorded, receipt.duplicates, receipt.unknown) == (2, 1, ())
    assert accuracy(alone) == 0.0


def test_who_said_it_and_when_is_kept(alone: Registry, clock: Clock):
    clock.at += 1_000_000
    alone.feedback.record(1, "positive", actor="ada")
    alone.feedback.record(1, "negative")
    assert [(row.actor, row.at) for row in trail(alone)] == [
        ("ada", clock.at),
        ("tester", clock.at),
    ]


def test_unknown_predictions_are_named_and_the_others_recorded(alone: Registry):
    with pytest.raises(NotFound, match="there is no prediction 99"):
        alone.feedback.record(99, "positive")
    entries = [Feedback(prediction_id=n, label="positive") for n in (7, 1, 2**63 - 1, 7)]
    receipt = alone.feedback.record_many(entries)
    assert (receipt.recorded, receipt.unknown) == (1, (7, 2**63 - 1))


def test_late_feedback_is_credited_to_the_version_and_revision_that_answered(
    alone: Registry, clock: Clock
):
    alone.traffic.promote("sentiment@2.0.0")
    clock.at += 21 * 24 * 3600 * 1_000_000
    alone.predictions.predict("great")
    alone.feedback.record(1, "negative")
    alone.feedback.record(2, "positive")
    old, new = alone.performance.report().models
    assert (old.version, old.accuracy, new.version, new.accuracy) == ("1.0.0", 0.0, "2.0.0", 1.0)
    with alone.feedback._context.store.read() as tx:
        cells = tx.summaries.all_time(1)
    assert {cell.revision: tally.labelled for cell, tally in cells.items()} == {1: 1}


def test_feedback_on_a_forced_prediction_is_kept_apart_from_the_split(alone: Registry):
    answer = alone.predictions.predict("great", version="1.0.0")
    alone.feedback.record(answer.prediction_id, "negative")
    report = alone.performance.report().models[0]
    assert (report.labelled_count, report.accuracy, report.forced_count) == (0, None, 1)


@pytest.mark.parametrize(
    ("answer", "label", "correct"),
    [
        ('"1"', "1", True),
        ('"1"', 1, True),
        ('"true"', True, True),
        ('"yes"', "Yes", False),
        ("1", "1", True),
        ("1", "1.0", True),
        ("1", 1.0, True),
        ("1", "one", False),
        ("1", "1.5", False),
        ("1", "1e999", False),
        ("1", "nan", False),
        ("0", "", None),
        ("true", "true", True),
        ("true", "TRUE", True),
        ("true", True, True),
        ("true", 1, True),
        ("true", "0", False),
        ("true", "yes", False),
        ("false", "true", False),
        ("9007199254740993", "9007199254740993", True),
    ],
)
def test_labels_are_compared_in_the_type_of_the_answer(
    sentiment: Registry, answer: str, label, correct: bool | None
):
    log(sentiment, answer)
    if correct is None:
        with pytest.raises(InvalidInput, match="is empty"):
            sentiment.feedback.record(1, label)
        return
    sentiment.feedback.record(1, label)
    assert sentiment.predictions.get(1).correct is correct


def test_a_failure_is_never_right(registry: Registry):
    registry.versions.register("echo@1.0.0", on_texts(Broken()), trust=True)
    registry.traffic.activate("echo@1.0.0")
    list(registry.predictions.predict_many(["raise", "fine"]))
    for prediction, label in ((1, "raise"), (2, "fine")):
        registry.feedback.record(prediction, label)
    assert accuracy(registry) == 0.5
    registry.feedback.record(1, correct=True)
    assert accuracy(registry) == 0.5


def test_a_predicted_number_is_neither_right_nor_wrong(registry: Registry, artifacts):
    registry.versions.register("price@1.0.0", artifacts["number"])
    registry.traffic.activate("price@1.0.0")
    registry.predictions.predict([1, 2])
    log(registry, None)
    for prediction in (1, 2):
        registry.feedback.record(prediction, 3.0)
    report = registry.performance.report().models[0]
    assert (report.labelled_count, report.accuracy) == (2, None)
    registry.feedback.record(1, correct=True)
    assert accuracy(registry) == 1.0


def test_a_classifier_whose_labels_are_floats_is_judged(registry: Registry):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(CountVectorizer(), LogisticRegression())
    registry.versions.register("m@1.0.0", model.fit(["good", "bad"], [1.0, 0.0]))
    registry.traffic.activate("m@1.0.0")
    list(registry.predictions.predict_many(["good", "good", "bad"]))
    for prediction, label in ((1, "1"), (2, 0), (3, 0.0)):
        registry.feedback.record(prediction, label)
    assert accuracy(registry) == pytest.approx(2 / 3)


def test_named_values_are_averaged_and_can_be_corrected(alone: Registry):
    alone.predictions.predict("great")
    alone.feedback.record(1, values={"rating": 2, "revenue": -1.5})
    alone.feedback.record(2, "positive", values={"rating": 5})
    alone.feedback.record(1, values={"rating": 4})
    report = alone.performance.report().models[0]
    assert report.values == {"rating": 4.5, "revenue": -1.5}
    assert report.labelled_count == 1
    assert alone.feedback.record(1, values={"rating": 4.0}).duplicates == 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "needs a label, a judgement or a value"),
        ({"label": " "}, "label for prediction 1 is empty"),
        ({"label": "a\0"}, "NUL"),
        ({"label": "\ud800"}, "not valid Unicode"),
        ({"label": "x" * 1001}, "at most 1000"),
        ({"label": math.nan}, "must be finite"),
        ({"label": ["x"]}, "must be a text or a number, not list"),
        ({"correct": 2}, "must be true or false"),
        ({"correct": "no"}, "must be true or false"),
        ({"values": {"rating": math.nan}}, "between"),
        ({"values": {"rating": math.inf}}, "between"),
        ({"values": {"rating": 1e300}}, "between"),
        ({"values": {"rating": 10**400}}, "between"),
        ({"values": {"rating": True}}, "rating must be a number"),
        ({"values": {"rating": "5"}}, "rating must be a number"),
        ({"values": {"label": 1}}, "cannot be called 'label'"),
        ({"values": {"a b": 1}}, "not a name for a feedback value"),
        ({"label": "x", "actor": "\ud800"}, "actor is not valid"),
    ],
)
def test_feedback_that_says_nothing_sensible_is_refused(alone: Registry, given: dict, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        alone.feedback.record(1, **given)
    assert trail(alone) == []


@pytest.mark.parametrize("key", [0, -1, 2**63, 10**30, True, "1", 1.0])
def test_what_is_no_id_is_refused(alone: Registry, key):
    with pytest.raises(InvalidInput, match="is not the id of a prediction"):
        alone.feedback.record(key, "positive")


def test_an_entry_without_content_is_refused(alone: Registry):
    with pytest.raises(InvalidInput, match="says nothing"):
        alone.feedback.record_many([Feedback(prediction_id=1)])


def test_twenty_thousand_labels_go_in_one_call_with_progress(sentiment: Registry):
    rows = 20_000
    log(sentiment, *['"yes"'] * rows)
    labels = (Feedback(prediction_id=n, label="yes" if n % 4 else "no") for n in range(1, rows + 1))
    seen: list[int] = []
    receipt = sentiment.feedback.record_many(labels, progress=seen.append)
    assert (receipt.recorded, receipt.unknown, receipt.duplicates) == (rows, (), 0)
    assert seen == [CHUNK] * (rows // CHUNK)
    report = sentiment.performance.report().models[0]
    assert (report.labelled_count, report.accuracy) == (rows, 0.75)


def test_what_was_cut_off_half_way_can_be_sent_again(sentiment: Registry):
    log(sentiment, *['"yes"'] * (CHUNK + 10))
    good = [Feedback(prediction_id=n, label="yes") for n in range(1, CHUNK + 11)]
    with pytest.raises(InvalidInput, match="says nothing"):
        sentiment.feedback.record_many([*good, Feedback(prediction_id=1)])
    receipt = sentiment.feedback.record_many(good)
    assert (receipt.recorded, receipt.duplicates) == (10, CHUNK)
    assert sentiment.performance.report().models[0].labelled_count == CHUNK + 10
