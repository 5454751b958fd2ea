"""Tallies merge in any order to the same numbers, bit for bit."""

from __future__ import annotations

import statistics
from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.tallies import (
    ACCURACY,
    LARGEST_MEASURE,
    Moments,
    Tally,
    bucket_edges,
    bucket_of,
    pack_histogram,
    unpack_histogram,
)

MEASURES = st.floats(-LARGEST_MEASURE, LARGEST_MEASURE)
ROWS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 10**9),
        st.none() | st.floats(0, 1),
        st.none() | st.floats(0, 100),
    ),
    max_size=30,
)


def tally_of(rows: list[tuple[bool, int, float | None, float | None]]) -> Tally:
    tally = Tally()
    tally.add([(latency, int(not ok), conf, cost, 1) for ok, latency, conf, cost in rows])
    return tally


@given(st.lists(MEASURES, max_size=20), st.randoms())
def test_moments_do_not_depend_on_the_order(values: list[float], random):
    one, other = Moments(), Moments()
    for value in values:
        one.add(value)
    random.shuffle(values)
    middle = len(values) // 2
    parts = Moments(), Moments()
    for part, some in zip(parts, (values[:middle], values[middle:]), strict=True):
        for value in some:
            part.add(value)
    other.merge(parts[0])
    other.merge(parts[1])
    assert one == other == Moments.load(one.dump())
    assert one.mean == other.mean


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=20))
def test_mean_and_variance_are_those_of_the_statistics_module(values: list[float]):
    moments = Moments()
    for value in values:
        moments.add(value)
    assert moments.mean == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-20)
    assert moments.variance == pytest.approx(statistics.variance(values), rel=1e-9, abs=1e-20)


def test_a_small_spread_on_a_large_mean_is_not_lost():
    moments = Moments()
    for value in (1e12 + 1, 1e12 + 2, 1e12 + 3):
        moments.add(value)
    assert moments.variance == 1.0


@given(st.lists(MEASURES, min_size=1, max_size=10), MEASURES)
def test_what_is_taken_back_leaves_no_trace(values: list[float], extra: float):
    moments, expected = Moments(), Moments()
    for value in values:
        moments.add(value)
        expected.add(value)
    moments.add(extra)
    moments.add(extra, -1)
    assert moments == expected


def test_few_values_have_no_mean_or_variance():
    moments = Moments()
    assert (moments.mean, moments.variance) == (None, None)
    moments.add(3.0)
    assert (moments.mean, moments.variance) == (3.0, None)


@given(st.integers(1, 10**13))
def test_a_latency_lies_in_its_bucket(micros: int):
    lower, upper = bucket_edges(bucket_of(micros))
    assert lower * (1 - 1e-9) <= micros / 1000 <= upper * (1 + 1e-9)


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_is_within_one_percent_of_the_observed_one(latencies: list[int], q: float):
    tally = tally_of([(True, latency, None, None) for latency in latencies])
    observed = sorted(latencies)[max(1, ceil(q * len(latencies))) - 1] / 1000
    assert tally.latency_quantile_ms(q) == pytest.approx(observed, rel=ACCURACY * 1.0001)


@given(ROWS, ROWS)
def test_merged_tallies_equal_the_tally_of_all_rows(one, other):
    merged, reverse = tally_of(one), tally_of(other)
    merged.merge(tally_of(other))
    reverse.merge(tally_of(one))
    assert merged == reverse == tally_of(one + other)


@given(ROWS)
def test_failures_count_as_requests_and_have_no_latency(rows):
    tally = tally_of(rows)
    answered = [latency for ok, latency, _, _ in rows if ok]
    assert (tally.requests, tally.errors) == (len(rows), len(rows) - len(answered))
    assert tally.latency_n == len(answered) == tally.histogram.total()
    expected = statistics.fmean(answered) / 1000 if answered else None
    assert tally.latency_mean_ms == pytest.approx(expected)
    if len(answered) > 1:
        assert tally.calls.variance == pytest.approx(statistics.variance(answered))


def test_an_empty_tally_has_no_latencies():
    tally = Tally()
    assert tally.latency_mean_ms is tally.calls.variance is tally.latency_quantile_ms(0.5) is None


def test_the_rows_of_a_batch_are_one_observation_of_its_latency():
    tally = Tally()
    tally.add([(50, 0, None, None, place == 0) for place in range(10)])
    assert (tally.latency_n, tally.calls.n) == (10, 1)
    assert tally.latency_mean_ms == 0.05


def test_feedback_can_be_corrected():
    tally = Tally()
    tally.judge(labelled=1, judged=1, correct=1)
    tally.judge(labelled=-1, judged=-1, correct=-1)
    tally.judge(labelled=1, judged=1, correct=0)
    assert (tally.labelled, tally.judged, tally.correct) == (1, 1, 0)


def test_named_values_merge_by_name():
    one, other = Tally(), Tally()
    one.values["rating"] = Moments(1, 2, 4)
    other.values = {"rating": Moments(1, 3, 9), "revenue": Moments(1, 1, 1)}
    one.merge(other)
    assert one.values == {"rating": Moments(2, 5, 13), "revenue": Moments(1, 1, 1)}


@given(st.dictionaries(st.integers(0, 2000), st.integers(1, 2**60)))
def test_a_histogram_survives_the_store(counts: dict[int, int]):
    assert unpack_histogram(pack_histogram(Counter(counts))) == Counter(counts)
