"""Precision, recall and F1 are those of scikit-learn; their intervals cover what they should."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from mlreg.stats.agreement import Agreement, agreement

SCORES = {"precision": (1, 0), "recall": (0, 1), "f1": (1, 1)}
# Of two classes that are rare and often mistaken, and of three.
WORLDS = {
    "rare": np.array([[0.80, 0.06], [0.04, 0.10]]),
    "three": np.array([[0.30, 0.05, 0.05], [0.03, 0.25, 0.02], [0.05, 0.05, 0.20]]),
}


def scored(pairs, score: str, classes: str) -> Agreement:
    by_answer, by_label = SCORES[score]
    found = agreement(pairs, classes, by_answer=by_answer, by_label=by_label)
    assert found is not None
    return found


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[str, str]]):
    answers, labels = zip(*pairs, strict=True)
    classes = sorted({*answers, *labels})
    counts = Counter(pairs)
    expected = precision_recall_fscore_support(labels, answers, average="macro", zero_division=0)
    each = precision_recall_fscore_support(labels, answers, labels=classes, zero_division=0)
    for place, score in enumerate(SCORES):
        assert scored(counts, score, classes).estimate.value == pytest.approx(expected[place])
        for name, value in zip(classes, each[place], strict=True):
            by_answer, by_label = SCORES[score]
            own = agreement(counts, [name], by_answer=by_answer, by_label=by_label)
            assert value == pytest.approx(own.estimate.value if own else 0.0)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("classes", ["a", "all"])
def test_the_interval_covers_the_truth_as_often_as_it_says(world: str, score: str, classes: str):
    shares = WORLDS[world]
    names = "abc"[: len(shares)]
    cells = [(answer, label) for answer in names for label in names]
    meant = names if classes == "all" else classes
    truth = scored(dict(zip(cells, shares.ravel() * 1e6, strict=True)), score, meant)
    rng = np.random.default_rng(5)
    draws = rng.multinomial(300, shares.ravel(), size=1500)
    found = [scored(dict(zip(cells, draw.tolist(), strict=True)), score, meant) for draw in draws]
    covered = sum(
        low <= truth.estimate.value <= high for low, high in (f.interval() for f in found)
    )
    # 1500 runs at 95 % have a standard error of 0.6 points.
    assert 0.93 <= covered / len(draws) <= 0.985
    spread = float(np.std([f.estimate.value for f in found]))
    typical = float(np.mean([f.estimate.se for f in found]))
    assert typical == pytest.approx(spread, rel=0.1)


def test_what_is_always_right_is_as_sure_as_its_cases():
    found = scored({("a", "a"): 40}, "f1", "a")
    assert (found.estimate.value, found.estimate.se) == (1.0, 0.0)
    low, high = found.interval()
    assert (low, high) == (pytest.approx(40 / (40 + 1.959964**2)), 1.0)  # Wilson's of 40 in 40


def test_failures_and_other_classes_are_missed_labels_and_no_class_of_their_own():
    pairs = {("a", "a"): 6, ("null", "a"): 2, ("*", "a"): 2, ("a", "*"): 4}
    assert scored(pairs, "recall", "a").estimate.value == 0.6
    assert scored(pairs, "precision", "a").estimate.value == 0.6


def test_nothing_to_divide_by_is_no_score():
    assert agreement({}, [], by_answer=1, by_label=1) is None
    assert agreement({("a", "a"): 0}, ["a"], by_answer=1, by_label=1) is None
    assert agreement({("a", "b"): 3}, ["b"], by_answer=1, by_label=0) is None
    single = scored({("a", "a"): 1}, "f1", "a")
    assert math.isinf(single.estimate.se)
    assert single.interval().high == 1.0
