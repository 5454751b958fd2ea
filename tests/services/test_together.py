"""Versions are compared where they ran together, by what was split, and as far as labels allow."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from mlreg.clock import DAY
from mlreg.entities.reports import MetricComparison, PerformanceReport
from mlreg.registry import Registry
from mlreg.services import together
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.ratios import compare_ratios
from mlreg.store.feedback import FeedbackRow
from mlreg.store.predictions import Entry
from tests.services.test_performance import entry, write
from tests.support import Clock

Judged = tuple[Entry, int | None]
Users = dict[int, list[tuple[int, int]]]


def judged(registry: Registry, clock: Clock, rows: Iterable[Judged]) -> None:
    """Write predictions, each with its judgement if it has one, behind those that are there."""
    with registry.performance._context.store.read() as tx:
        first = tx.predictions.last_id() + 1
    listed = list(rows)
    feedback = [
        FeedbackRow(clock.at, first + n, "label", '"x"', correct, None, "a")
        for n, (_, correct) in enumerate(listed) if correct is not None
    ]  # fmt: skip
    write(registry, [row for row, _ in listed], feedback)


def answered(
    clock: Clock, version: int, revision: int, right: int, wrong: int, **columns
) -> list[Judged]:
    row = entry(clock.at, version, revision=revision, **columns)
    return [(row, int(n < right)) for n in range(right + wrong)]


def accuracy(report: PerformanceReport) -> MetricComparison:
    return next(c for c in report.comparisons if c.metric == "accuracy")


def test_versions_of_different_weeks_are_not_comparable(sentiment: Registry, clock: Clock):
    judged(sentiment, clock, answered(clock, 1, 1, 800, 200))
    clock.at += 7 * DAY
    judged(sentiment, clock, answered(clock, 2, 2, 950, 50))
    report = sentiment.performance.report()
    assert (report.verdict, report.best, report.comparisons) == ("inconclusive", None, ())
    assert report.recommendation.startswith("Not comparable: 1.0.0 and 2.0.0 ran at different")
    live = sentiment.performance.compare("sentiment@1.0.0", "sentiment@2.0.0").live
    assert live is not None
    assert (live.verdict, live.recommendation) == ("inconclusive", report.recommendation)


def test_a_ramp_while_the_weeks_get_easier_shows_no_difference(sentiment: Registry, clock: Clock):
    rows = [*answered(clock, 1, 2, 1260, 540), *answered(clock, 2, 2, 140, 60)]  # 70 % of both
    rows += [*answered(clock, 1, 3, 900, 100), *answered(clock, 2, 3, 900, 100)]  # 90 % of both
    judged(sentiment, clock, rows)
    report = sentiment.performance.report()
    assert accuracy(report).difference == pytest.approx(0)
    assert (accuracy(report).verdict, report.verdict) == ("inconclusive", "inconclusive")


def test_what_was_asked_of_one_version_alone_does_not_count(sentiment: Registry, clock: Clock):
    split = [*answered(clock, 1, 2, 400, 100), *answered(clock, 2, 2, 400, 100)]
    judged(sentiment, clock, [*answered(clock, 1, 1, 0, 1000), *split])
    report = sentiment.performance.report()
    assert (accuracy(report).baseline_value, accuracy(report).difference) == (0.8, 0)
    assert report.assumptions == (
        "2.0.0 is compared with 1.0.0 by the 1,000 of their 2,000 predictions from revisions that "
        "split traffic between them",
    )


def test_the_same_gain_in_two_revisions_ships(sentiment: Registry, clock: Clock):
    for revision in (2, 3):
        judged(sentiment, clock, answered(clock, 1, revision, 400, 100))
        judged(sentiment, clock, answered(clock, 2, revision, 450, 50))
    report = sentiment.performance.report()
    assert report.verdict == "ship"
    found = accuracy(report)
    assert (found.difference, found.method) == (pytest.approx(0.1), "stratified")
    # Cochran 1954, equal phases with a common rate of 0.85 each: z = 0.1 / sqrt(0.000255) = 6.262
    assert found.p_value == pytest.approx(3.8e-10, rel=0.05)


def test_labels_that_came_more_often_for_one_version_decide_nothing(
    sentiment: Registry, clock: Clock
):
    unlabelled: list[Judged] = [(entry(clock.at, 2), None)] * 100
    judged(sentiment, clock, [
        *answered(clock, 1, 1, 400, 100), *answered(clock, 2, 1, 395, 5), *unlabelled,
    ])  # fmt: skip
    report = sentiment.performance.report()
    assert (report.verdict, accuracy(report).verdict) == ("inconclusive", "inconclusive")
    assert "coverage" in accuracy(report).warnings
    assert report.recommendation == (
        "No verdict: labels came for 80.0 % of the predictions of 2.0.0 and 100.0 % of those of "
        "1.0.0 (p < 0.001), so accuracy is not comparable."
    )


def test_two_metrics_that_can_decide_share_the_level(sentiment: Registry, clock: Clock):
    rows = [*answered(clock, 1, 1, 800, 200), *answered(clock, 2, 1, 836, 164)]
    judged(sentiment, clock, rows)
    alone = accuracy(sentiment.performance.report())
    assert (alone.verdict, alone.p_value) == ("better", pytest.approx(0.037, abs=0.001))
    write(sentiment, [entry(clock.at, version, status=1) for version in (1, 2) for _ in range(30)])
    shared = accuracy(sentiment.performance.report())
    assert (shared.verdict, shared.p_value) == ("inconclusive", alone.p_value)
    assert shared.difference_ci is not None
    assert alone.difference_ci is not None
    assert shared.difference_ci[0] < 0 < alone.difference_ci[0]


# --- users ---------------------------------------------------------------------------------------


@pytest.fixture
def sticky(serving_registry: Registry) -> Registry:
    serving_registry.traffic.route("sentiment", {"1.0.0": 50, "2.0.0": 50}, strategy="sticky")
    return serving_registry


def ask(registry: Registry, clock: Clock, users: int, times: int) -> Users:
    """Users who are each mostly right or mostly wrong, those of 2.0.0 more often right."""
    found: Users = {1: [], 2: []}
    for version in (1, 2):
        for n in range(users):
            asked = times + n % 3
            right = asked - 1 if n % 10 < 5 + version else 1
            rows = answered(clock, version, 2, right, asked - right, unit=f"{version}-{n}")
            judged(registry, clock, rows)
            found[version].append((right, asked))
    return found


def test_users_who_come_back_are_counted_once(sticky: Registry, clock: Clock):
    users = ask(sticky, clock, 60, 20)
    report = sticky.performance.report(baseline="1.0.0")
    found = accuracy(report)
    arms = [JointMoments.from_values(*map(list, zip(*users[v], strict=True))) for v in (1, 2)]
    expected = compare_ratios(*arms)
    assert (found.method, found.verdict, report.verdict) == ("delta", "inconclusive",
        "inconclusive")  # fmt: skip
    assert found.difference == pytest.approx(expected.difference)
    assert found.p_value == pytest.approx(expected.p_value, rel=0.1)
    assert report.assumptions == (
        "users were split, and errors are counted by user (60 or more of 1.0.0 and of 2.0.0)",
    )


def test_few_users_decide_nothing_however_often_they_ask(sticky: Registry, clock: Clock):
    for version, right in ((1, 20), (2, 90)):
        for n in range(12):
            rows = answered(clock, version, 2, right, 100 - right, unit=f"{version}-{n}")
            judged(sticky, clock, rows)
    report = sticky.performance.report(baseline="1.0.0")
    assert "small_users" in accuracy(report).warnings
    assert report.verdict == "inconclusive"


def test_requests_that_name_no_user_stand_alone(sticky: Registry, clock: Clock):
    rows = [*answered(clock, 1, 2, 400, 100), *answered(clock, 2, 2, 460, 40)]
    judged(sticky, clock, rows)
    assert sticky.performance.report(baseline="1.0.0").verdict == "ship"


def test_more_predictions_than_a_report_counts_by_user_give_no_verdict(
    sticky: Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    ask(sticky, clock, 50, 20)
    monkeypatch.setattr(together, "MOST_ROWS", 500)
    report = sticky.performance.report(baseline="1.0.0")
    assert report.verdict == "inconclusive"
    assert "mlreg abtest" in report.recommendation
    assert (accuracy(report).p_value, accuracy(report).difference_ci) == (None, None)
    assert "by_user" in accuracy(report).warnings
