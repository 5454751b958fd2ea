"""Reports say what the rows say, over any window."""

from __future__ import annotations

import random
import statistics
from math import ceil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlreg.clock import DAY, HOUR, SECOND, to_micros
from mlreg.entities.reports import PerformanceReport, VersionPerformance
from mlreg.errors import InvalidInput, NotFound
from mlreg.registry import Registry
from mlreg.store.feedback import FeedbackRow
from mlreg.store.predictions import Entry
from tests.support import Clock

SPAN = 60 * HOUR
ROWS = 900


def entry(at: int, version: int = 1, **columns) -> Entry:
    values = {
        "revision": 1, "role": 0, "arm_reason": "random", "unit": None, "segment": None,
        "input": None, "output": '"yes"', "confidence": 0.5, "latency_us": 1000, "status": 0,
        "error": None, "cost": None,
    } | columns  # fmt: skip
    if values["status"]:
        values |= {"output": None, "error": "broke", "confidence": None}
    return Entry(at=at, version=version, **values)


def write(registry: Registry, entries: list[Entry], feedback: list[FeedbackRow] | None = None):
    with registry.performance._context.store.write() as tx:
        tx.predictions.append_many(entries)
        tx.feedback.append(feedback or [])


def versions(report: PerformanceReport) -> dict[str, VersionPerformance]:
    return {entry.version: entry for entry in report.models}


# --- windows ------------------------------------------------------------------------------------


@pytest.fixture
def filled(sentiment: Registry, clock: Clock) -> list[tuple[Entry, int | None, float | None]]:
    """Sixty hours of predictions, each with its judgement and rating if it has them."""
    rng = random.Random(7)
    start = clock.at - SPAN
    times = sorted(start + rng.randrange(SPAN) for _ in range(ROWS))
    # Commit order and time agree but for a moment.
    times = [at + rng.randrange(2 * SECOND) - SECOND for at in times]
    rows, feedback = [], []
    for key, at in enumerate(times, start=1):
        row = entry(
            at,
            rng.choice([1, 1, 1, 2]),
            revision=rng.choice([1, 2]),
            role=rng.choice([0, 0, 0, 2]),
            latency_us=int(rng.lognormvariate(8, 1)) + 1,
            status=rng.choice([0] * 9 + [1]),
            cost=rng.choice([None, rng.random()]),
        )
        judged, rating = rng.choice([None, 0, 1]), rng.choice([None, rng.random() * 5])
        said = [] if judged is None else [1 - judged, judged]  # the first one is corrected
        feedback += [FeedbackRow(at, key, "label", '"x"', n, None, "a") for n in said]
        if rating is not None:
            feedback.append(FeedbackRow(at, key, "rating", None, None, rating, "a"))
        rows.append((row, judged, rating))
    write(sentiment, [row for row, _, _ in rows], feedback)
    return rows


EDGES = st.one_of(
    st.integers(0, SPAN),
    st.integers(0, 60).map(lambda hours: hours * HOUR),
    st.integers(0, ROWS - 1).map(lambda row: -row - 1),  # the very time of a row
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(one=EDGES, other=st.none() | EDGES, align=st.sampled_from([1, HOUR, DAY]))
def test_any_window_equals_a_count_of_its_rows(
    sentiment: Registry, clock: Clock, filled, one: int, other: int | None, align: int
):
    def moment(edge: int) -> int:
        if edge < 0:
            return filled[-edge - 1][0].at
        return (clock.at - SPAN + edge) // align * align

    since, until = moment(one), None if other is None else moment(other)
    if until is not None and since >= until:
        since, until = until, since + 1
    report = sentiment.performance.report(since=since, until=until)
    end = 2**62 if until is None else until
    for number, version in enumerate(("1.0.0", "2.0.0"), start=1):
        inside = [
            (row, judged, rating)
            for row, judged, rating in filled
            if since <= row.at < end and row.version == number
        ]
        assert_counts(versions(report).get(version), inside)


def assert_counts(found: VersionPerformance | None, inside) -> None:
    live = [item for item in inside if item[0].role == 0]
    if not live:
        assert found is None
        return
    assert found is not None
    assert found.request_count == len(live)
    assert found.forced_count == len(inside) - len(live)
    answered = [row.latency_us / 1000 for row, _, _ in live if row.status == 0]
    judged = [correct for _, correct, _ in live if correct is not None]
    ratings = [rating for _, _, rating in live if rating is not None]
    costs = [row.cost for row, _, _ in live if row.cost is not None]
    assert found.error_rate == (len(live) - len(answered)) / len(live)
    assert found.labelled_count == len(judged)
    assert found.accuracy == (sum(judged) / len(judged) if judged else None)
    assert found.label_coverage == len(judged) / len(live)
    assert found.values.get("rating") == pytest.approx(mean(ratings))
    assert found.cost_per_request == pytest.approx(mean(costs))
    assert found.avg_latency_ms == pytest.approx(mean(answered))
    if answered:
        for q, value in ((0.5, found.p50_latency_ms), (0.95, found.p95_latency_ms)):
            observed = sorted(answered)[ceil(q * len(answered)) - 1]
            assert value == pytest.approx(observed, rel=0.0101)


def mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None


def test_a_window_without_beginning_or_end_is_everything(sentiment: Registry, filled, clock: Clock):
    everything = sentiment.performance.report()
    assert sum(entry.request_count for entry in everything.models) == sum(
        row.role == 0 for row, _, _ in filled
    )
    assert sentiment.performance.report(since=0).models == everything.models
    assert sentiment.performance.report(until=clock.at + DAY).models == everything.models
    assert everything.since is None
    assert to_micros(everything.until) == clock.at


def test_a_window_ends_before_its_until(sentiment: Registry, clock: Clock):
    at = clock.at - HOUR
    write(sentiment, [entry(at)])
    assert (
        versions(sentiment.performance.report(since=at, until=at + 1))["1.0.0"].request_count == 1
    )
    assert sentiment.performance.report(since=at + 1).models == ()
    assert sentiment.performance.report(until=at).models == ()


def test_an_empty_window_is_refused(sentiment: Registry, clock: Clock):
    with pytest.raises(InvalidInput, match="since is not before until"):
        sentiment.performance.report(since=clock.at, until=clock.at)


def test_a_window_in_the_future_has_nothing(sentiment: Registry, clock: Clock):
    write(sentiment, [entry(clock.at)])
    assert sentiment.performance.report(since=clock.at + DAY).models == ()


def test_a_clock_that_jumped_back_makes_no_negative_window(sentiment: Registry, clock: Clock):
    write(sentiment, [entry(clock.at)])
    clock.at -= DAY
    write(sentiment, [entry(clock.at)])
    report = sentiment.performance.report()
    assert report.models[0].request_count == 2
    assert sentiment.performance.report(since=clock.at - HOUR).models[0].request_count >= 1


# --- the report ---------------------------------------------------------------------------------


def test_shares_rates_and_intervals_are_those_of_the_live_requests(
    sentiment: Registry, clock: Clock
):
    write(
        sentiment,
        [entry(clock.at, 1) for _ in range(30)]
        + [entry(clock.at, 2, status=int(n < 3)) for n in range(10)]
        + [entry(clock.at, 2, role=2)] * 5,
    )
    one, other = sentiment.performance.report().models
    assert (one.traffic_share, other.traffic_share) == (0.75, 0.25)
    assert (one.error_rate, other.error_rate, other.forced_count) == (0.0, 0.3, 5)
    # scipy 1.17.1: binomtest(3, 10).proportion_ci(0.95, "wilson")
    assert other.error_rate_ci == pytest.approx((0.10779126740630078, 0.6032218525388546))
    assert (one.accuracy, one.accuracy_ci, one.cost_per_request) == (None, None, None)
    assert one.avg_confidence == 0.5


def test_a_version_that_serves_is_shown_before_its_first_request(serving_registry: Registry):
    report = serving_registry.performance.report()
    assert [(m.version, m.request_count, m.traffic_share) for m in report.models] == [
        ("1.0.0", 0, None),
        ("2.0.0", 0, None),
    ]
    assert (report.baseline, report.verdict) == (None, "inconclusive")
    assert report.recommendation == "There are no predictions yet."


def test_the_baseline_is_the_champion_else_the_oldest_of_a_split_else_the_one_named(
    sentiment: Registry, clock: Clock
):
    write(sentiment, [entry(clock.at, 1), entry(clock.at, 2), entry(clock.at, 2)])
    assert sentiment.performance.report().baseline == "1.0.0"
    sentiment.versions.alias("sentiment@2.0.0", "champion")
    assert sentiment.performance.report().baseline == "2.0.0"
    sentiment.versions.alias("sentiment@1.0.0", "champion")
    assert sentiment.performance.report().baseline == "1.0.0"
    assert sentiment.performance.report(baseline="v2").baseline == "2.0.0"
    sentiment.versions.register("sentiment@3.0.0")
    with pytest.raises(NotFound, match=r"sentiment@3.0.0 has no predictions in this window"):
        sentiment.performance.report(baseline="3.0.0")
    with pytest.raises(NotFound, match="has no version"):
        sentiment.performance.report(baseline="9.0.0")


def test_a_better_version_is_recommended_by_its_id(sentiment: Registry, clock: Clock):
    answers = [entry(clock.at, 1 + n % 2) for n in range(1000)]
    labels = [
        FeedbackRow(clock.at, key, "label", '"x"', int(key % 2 == 0 or key % 3 > 0), None, "a")
        for key in range(1, 1001)
    ]
    write(sentiment, answers, labels)
    report = sentiment.performance.report(baseline="1.0.0")
    assert report.verdict == "ship"
    assert report.best == sentiment.versions.get("sentiment@2.0.0").model_id
    assert report.recommendation.startswith("Ship 2.0.0: accuracy")


@pytest.mark.parametrize("strategy", ["random", "round-robin", "sticky"])
def test_counts_that_contradict_the_split_make_a_report_invalid(
    serving_registry: Registry, clock: Clock, strategy
):
    serving_registry.traffic.route("sentiment", {"1.0.0": 50, "2.0.0": 50}, strategy=strategy)
    write(serving_registry, [entry(clock.at, 1 + (n % 5 == 0), revision=2) for n in range(500)])
    report = serving_registry.performance.report()
    assert (report.verdict == "invalid") is (strategy != "sticky")
    if strategy != "sticky":
        assert report.recommendation.startswith("Invalid: revision 2 split its 500 predictions")


@pytest.mark.parametrize(("strategy", "said"), [("random", 0), ("round-robin", 0), ("sticky", 1)])
def test_a_report_says_where_users_were_split_and_requests_are_counted(
    serving_registry: Registry, clock: Clock, strategy, said: int
):
    serving_registry.traffic.route("sentiment", {"1.0.0": 50, "2.0.0": 50}, strategy=strategy)
    write(serving_registry, [entry(clock.at, 1 + n % 2, revision=2) for n in range(500)])
    assert len(serving_registry.performance.report().assumptions) == said
    nobody = serving_registry.performance.report(since=clock.at + HOUR, until=clock.at + 2 * HOUR)
    assert nobody.assumptions == ()


def test_a_deleted_version_raises_no_false_alarm(serving_registry: Registry, clock: Clock):
    rows = [entry(clock.at, 1 + (n % 5 == 0), segment='{"c":"de"}') for n in range(500)]
    write(serving_registry, rows)
    serving_registry.traffic.promote("sentiment@2.0.0")
    serving_registry.versions.delete("sentiment@1.0.0")
    report = serving_registry.performance.report(by="c")
    assert report.verdict == "inconclusive"
    assert [(m.version, m.segment, m.request_count) for m in report.models] == [
        ("2.0.0", "de", 100)
    ]


def test_segments_are_reported_value_by_value(sentiment: Registry, clock: Clock):
    write(
        sentiment,
        [
            entry(clock.at, 1, segment='{"c":"de","a.b":"x"}'),
            entry(clock.at, 2, segment='{"c":"de"}', status=1),
            entry(clock.at, 1, segment='{"c":"fr"}'),
            entry(clock.at, 1),
            entry(clock.at - DAY, 1, segment='{"c":"de"}'),
            entry(clock.at, 1, segment='{"c":"de"}', role=2),
        ],
        [FeedbackRow(clock.at, 1, "label", '"x"', 1, None, "a")],
    )
    report = sentiment.performance.report(by="c", since=clock.at - HOUR)
    assert [(m.segment, m.version, m.request_count, m.traffic_share) for m in report.models] == [
        ("de", "1.0.0", 1, 0.5),
        ("de", "2.0.0", 1, 0.5),
        ("fr", "1.0.0", 1, 1.0),
        (None, "1.0.0", 1, 1.0),
    ]
    assert (report.models[0].accuracy, report.models[1].error_rate, report.by) == (1.0, 1.0, "c")
    assert [m.segment for m in sentiment.performance.report(by="a.b").models] == ["x", None, None]
    with pytest.raises(InvalidInput, match="not a name for a segment"):
        sentiment.performance.report(by='c"')


def test_models_are_reported_apart(sentiment: Registry, clock: Clock):
    sentiment.versions.register("churn@1.0.0")
    write(sentiment, [entry(clock.at, 1), entry(clock.at, 3)])
    for name, count in (("sentiment", 1), ("churn", 1)):
        assert [m.request_count for m in sentiment.performance.report(name).models] == [count]
    with pytest.raises(NotFound, match="there is no model nobody"):
        sentiment.performance.report("nobody")


# --- compare ------------------------------------------------------------------------------------


def test_two_versions_are_compared_offline_and_live(sentiment: Registry, clock: Clock):
    found = sentiment.performance.compare("sentiment@1.0.0", "sentiment@2.0.0")
    accuracy = found.offline[0]
    assert (accuracy.metric, accuracy.left, accuracy.right) == ("accuracy", 0.85, 0.9)
    assert accuracy.difference == pytest.approx(0.05)
    assert found.live is None
    write(sentiment, [entry(clock.at, 1), entry(clock.at, 2)])
    live = sentiment.performance.compare("sentiment@1.0.0", "sentiment@2.0.0").live
    assert live is not None
    assert (live.baseline, len(live.models)) == ("1.0.0", 2)
    sentiment.versions.register("other@1.0.0", metrics={"f1": 0.5})
    other = sentiment.performance.compare("sentiment@1.0.0", "other@1.0.0")
    assert other.live is None
    assert [(m.metric, m.left, m.right, m.difference) for m in other.offline] == [
        ("accuracy", 0.85, None, None),
        ("f1", None, 0.5, None),
    ]


def test_a_report_is_of_the_split_in_force_once_each_version_was_asked_enough(
    serving_registry: Registry,
):
    registry = serving_registry
    list(registry.predictions.predict_many(["good"] * 50))
    registry.traffic.activate("sentiment@2.0.0", percent=50)
    began = registry.traffic.current().created_at
    list(registry.predictions.predict_many(["good"] * 150))
    assert registry.performance.report().revision is None
    list(registry.predictions.predict_many(["good"] * 150))
    report = registry.performance.report()
    assert (report.revision, report.since) == (2, began)
    assert sum(entry.request_count for entry in report.models) == 300
    everything = registry.performance.report(since=0)
    assert (everything.revision, everything.since) == (None, None)
    assert sum(entry.request_count for entry in everything.models) >= 300
    assert registry.performance.report(by="revision").revision is None


def test_a_version_alone_is_reported_with_all_that_came_before(serving_registry: Registry):
    registry = serving_registry
    list(registry.predictions.predict_many(["good"] * 300))
    registry.traffic.activate("sentiment@2.0.0", percent=100)
    list(registry.predictions.predict_many(["good"] * 200))
    report = registry.performance.report()
    assert report.revision is None
    assert {entry.version for entry in report.models} == {"1.0.0", "2.0.0"}
