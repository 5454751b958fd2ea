"""Labels of equal age: what is young or late decides nothing, in whatever order it comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlreg.clock import DAY, HOUR
from mlreg.entities.analyses import Analysis
from mlreg.entities.predictions import Feedback
from mlreg.registry import Registry
from tests.services.experimenting import ARMS, Rows, begin, look
from tests.support import Clock, raw

COUNT = 500


def asked(part: str) -> Rows:
    """One answer for each of 500 users of each arm."""
    return [
        {"unit": f"{part}-{variant}-{i}", "variant": variant, "output": 1}
        for variant in ARMS[2]
        for i in range(COUNT)
    ]


def ask(registry: Registry, part: str) -> int:
    """Log a day's answers; returns the id of the first."""
    first = registry.predictions.last_id() + 1
    registry.external.record_many("t", asked(part))
    return first


def tell(registry: Registry, first: int, *, which: Any = None, right: float = 0.8) -> None:
    """Label a day's answers, of which the first in each arm are right."""
    registry.feedback.record_many(
        Feedback(prediction_id=first + arm * COUNT + i, correct=i < right * COUNT)
        for arm in (0, 1)
        for i in range(COUNT)
        if which is None or which(arm, i < right * COUNT)
    )


def peek(registry: Registry) -> Analysis:
    return look(registry)


@pytest.mark.parametrize("window", ["2d", None])
def test_wrong_answers_that_are_labelled_late_make_nobody_better(
    tested: Registry, clock: Clock, window: str | None
):
    """What is wrong in the treatment is labelled on the second day, all else at once."""
    begin(tested, clock, metric="accuracy", label_window=window, days=4)
    late: int | None = None
    for day in range(6):
        first = ask(tested, str(day))
        clock.at += HOUR
        tell(tested, first, which=lambda arm, is_right: arm == 0 or is_right)
        clock.at += DAY - HOUR
        if late is not None:
            tell(tested, late, which=lambda arm, is_right: arm == 1 and not is_right)
        late = first
        assert peek(tested).verdict != "ship"
    found = peek(tested)
    if window:
        assert found.primary.diff == 0
        assert found.label_window_seconds == 2 * 86_400


def test_a_window_is_what_labels_are_seen_to_take_until_a_look_rests_on_it(
    tested: Registry, clock: Clock
):
    begin(tested, clock, metric="accuracy", days=4)
    assert peek(tested).label_window_seconds is None
    first = ask(tested, "a")
    assert peek(tested).primary.treatment.n_units == 0
    clock.at += 20 * HOUR
    tell(tested, first)
    young = peek(tested)
    assert young.label_window_seconds == 86_400
    assert young.primary.treatment.n_units == 0  # they are not a day old
    assert young.looks == ()
    assert "control has 0 users with a label at the age of 1 day;" in young.recommendation
    clock.at += 5 * HOUR
    settled = peek(tested)
    assert settled.primary.treatment.n_units == COUNT
    assert len(settled.looks) == 1
    assert any("come within 1 day, which 95 %" in told for told in settled.assumptions)
    second = ask(tested, "b")
    clock.at += 10 * DAY
    tell(tested, second)
    found = peek(tested)
    assert found.label_window_seconds == 86_400
    assert found.primary.treatment.n_units == COUNT  # what came later does not count
    assert found.gates[2].gate == "label_coverage"
    assert "50.0% and 50.0% of the predictions that are 1 day old" in found.gates[2].detail


def test_a_correction_counts_if_it_comes_in_time(tested: Registry, clock: Clock):
    begin(tested, clock, metric="accuracy", label_window="2d", days=4)
    first = ask(tested, "a")
    clock.at += DAY
    tell(tested, first, right=0.0)
    clock.at += HOUR
    tell(tested, first, which=lambda arm, _: arm == 1, right=0.5)
    clock.at += DAY
    assert peek(tested).primary.diff == 0.5
    tell(tested, first, which=lambda arm, _: arm == 0, right=1.0)
    assert peek(tested).primary.diff == 0.5


def test_values_count_at_an_age_like_labels(tested: Registry, clock: Clock):
    begin(tested, clock, metric="value:stars", label_window="1d", mode="always-valid", mde=None,
          baseline=None, days=4)  # fmt: skip
    first = ask(tested, "a")
    rate = [
        Feedback(prediction_id=first + i, name="stars", value=3 + i % 3) for i in range(2 * COUNT)
    ]
    clock.at += HOUR
    tested.feedback.record_many(rate[:COUNT])
    clock.at += HOUR
    assert peek(tested).primary.control.n_units == 0
    tested.feedback.record_many(rate[COUNT:])
    clock.at += DAY
    found = peek(tested)
    assert (found.primary.control.n_units, found.primary.treatment.n_units) == (COUNT, COUNT)
    assert found.primary.treatment.missing_rate == 0


def test_a_winner_that_rests_on_missing_labels_says_so(tested: Registry, clock: Clock):
    begin(tested, clock, metric="accuracy", label_window="1h", days=4)
    first = ask(tested, "a")
    registry_rows = [
        Feedback(prediction_id=first + arm * COUNT + i, correct=i % 10 < (7, 9)[arm])
        for arm in (0, 1)
        for i in range(0, COUNT - 100 + 1)
    ]
    tested.feedback.record_many(registry_rows)
    clock.at += DAY
    found = peek(tested)
    assert found.verdict == "ship"
    low = found.primary.diff_ci[0] if found.primary.diff_ci else 0.0
    missing = found.primary.treatment.missing_rate or 0.0
    assert missing == pytest.approx(99 / 500)
    assert found.primary.tipping_point == pytest.approx(low / missing)
    assert ("would undo it" in found.recommendation) == (low / missing <= 0.05)


def test_a_report_compares_what_was_fed_back_by_predictions_that_are_old_enough(
    tested: Registry, clock: Clock
):
    """Of today's answers all but the wrong ones of the newer version are labelled by now."""
    begin(tested, clock, strategy="random", days=0)
    late: int | None = None
    for day in range(6):
        first = ask(tested, str(day))
        clock.at += 3 * HOUR
        tell(tested, first, which=lambda arm, is_right: arm == 0 or is_right)
        if late is not None:
            tell(tested, late, which=lambda arm, is_right: arm == 1 and not is_right)
        late = first
        clock.at += 9 * HOUR
    found = tested.performance.report("m")
    (accuracy,) = [c for c in found.comparisons if c.metric == "accuracy"]
    assert (accuracy.baseline_value, accuracy.candidate_value) == (0.8, 0.8)
    assert "coverage" not in accuracy.warnings
    assert found.verdict == "inconclusive"
    (told,) = [text for text in found.assumptions if text.startswith("feedback is seen to take")]
    assert "up to 1 day" in told


def test_a_report_waits_for_nothing_where_feedback_comes_at_once(tested: Registry, clock: Clock):
    begin(tested, clock, strategy="random", days=0)
    first = ask(tested, "a")
    tell(tested, first)
    found = tested.performance.report("m")
    assert "accuracy" in {c.metric for c in found.comparisons}
    assert not any("feedback" in text for text in found.assumptions)


def test_a_report_without_predictions_of_age_compares_no_accuracy(tested: Registry, clock: Clock):
    begin(tested, clock, strategy="random", days=0)
    first = ask(tested, "a")
    clock.at += 2 * HOUR
    tell(tested, first, which=lambda _, is_right: is_right)
    found = tested.performance.report("m")
    assert "accuracy" not in {c.metric for c in found.comparisons}
    assert {m.accuracy for m in found.models} == {1.0}
    tell(tested, first, which=lambda _, is_right: not is_right)
    found = tested.performance.report("m")
    assert "accuracy" in {c.metric for c in found.comparisons}  # no label is still to come


def test_an_experiment_of_an_older_mlreg_counts_its_labels_anew(
    tested: Registry, clock: Clock, tmp_path: Path
):
    """As after the migration: the units are gone and the marks are where the test began."""
    begin(tested, clock, metric="accuracy", days=4)
    first = ask(tested, "a")
    tell(tested, first)
    clock.at += DAY
    before = peek(tested)
    with raw(tmp_path / ".mlreg") as connection:
        connection.execute("delete from experiment_units")
        connection.execute(
            "update experiments set predictions_upto = predictions_from, feedback_upto = 0, "
            "ripe_upto = predictions_from, label_window = null, label_window_fixed = 0"
        )
        connection.commit()
    after = peek(tested)
    assert after.primary.control == before.primary.control
    assert after.exposure == before.exposure


def test_labels_that_come_within_the_minute_need_not_be_waited_for(tested: Registry, clock: Clock):
    begin(tested, clock, metric="accuracy", days=4)
    first = ask(tested, "a")
    clock.at += HOUR // 3600
    tell(tested, first)
    found = peek(tested)
    assert found.primary.treatment.n_units == COUNT
    assert not any("come within" in told for told in found.assumptions)
    second = ask(tested, "b")
    assert peek(tested).primary.treatment.n_units == COUNT
    clock.at += HOUR // 7200
    tell(tested, second)
    assert peek(tested).primary.treatment.n_units == 2 * COUNT
