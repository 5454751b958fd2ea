"""The prediction log finds times by bisecting its key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.clock import SECOND
from mlreg.store.predictions import DISORDER
from tests.store.conftest import Seeded
from tests.store.test_summaries import START, copied, entry


def log_of(seeded: Seeded, times: list[int]) -> None:
    with seeded.store.write() as tx:
        tx.predictions.append_many([entry(at) for at in times])


@settings(max_examples=50, deadline=None)
@given(
    times=st.lists(st.integers(0, 600 * SECOND), max_size=40).map(sorted),
    jitter=st.lists(st.integers(0, DISORDER // 2), min_size=40, max_size=40),
    since=st.integers(0, 600 * SECOND),
)
def test_the_bisected_id_is_never_behind_a_row_of_the_time(
    empty_database, times: list[int], jitter: list[int], since: int
):
    times = [at + extra for at, extra in zip(times, jitter, strict=False)]
    with copied(empty_database) as seeded:
        log_of(seeded, times)
        with seeded.store.read() as tx:
            first = tx.predictions.first_id(START + since)
            older = tx.predictions.last_older(START + since)
        assert older + 1 == next((k for k, at in enumerate(times, 1) if at > since), older + 1)
        assert all(at <= since for at in times[:older])
        assert older <= len(times)
        inside = [key for key, at in enumerate(times, start=1) if at >= since]
        assert first <= min(inside, default=len(times) + 1)
        # and it does not read the whole log to be safe
        far = [key for key, at in enumerate(times, start=1) if at < since - 2 * DISORDER]
        assert first > max(far, default=0)


def test_an_empty_log_has_no_last_id(seeded: Seeded):
    with seeded.store.read() as tx:
        assert tx.predictions.last_id() == 0
        assert tx.predictions.first_id(START) == 1
        assert tx.predictions.newest(limit=5) == []


def test_rows_appended_together_have_consecutive_ids_in_order(seeded: Seeded):
    with seeded.store.write() as tx:
        tx.predictions.append(entry(0))
        ids = tx.predictions.append_many([entry(n) for n in (5, 6, 7)])
    assert list(ids) == [2, 3, 4]
    with seeded.store.read() as tx:
        assert [row.prediction_id for row in tx.predictions.newest(limit=3)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("limit", "after", "since", "expected"),
    [
        (2, None, 0, [9, 10]),
        (3, 0, 0, [1, 2, 3]),
        (3, 8, 0, [9, 10]),
        (3, 10, 0, []),
        (99, None, START + 50 * SECOND, [6, 7, 8, 9, 10]),
        (2, None, START + 50 * SECOND, [9, 10]),
        (2, 3, START + 50 * SECOND, [6, 7]),
    ],
)
def test_the_log_is_read_from_its_end_or_followed(
    seeded: Seeded, limit: int, after: int | None, since: int, expected: list[int]
):
    log_of(seeded, [n * 10 * SECOND for n in range(10)])
    with seeded.store.read() as tx:
        rows = tx.predictions.newest(limit=limit, after=after, since=since)
    assert [row.prediction_id for row in rows] == expected


def test_the_log_can_be_narrowed_to_a_model_a_version_and_failures(seeded: Seeded):
    with seeded.store.write() as tx:
        tx.predictions.append_many([entry(0, 1), entry(0, 2), entry(0, 1, status=1)])
    with seeded.store.read() as tx:
        assert len(tx.predictions.newest(limit=9, model_key=seeded.model.key)) == 3
        assert tx.predictions.newest(limit=9, model_key=99) == []
        assert [r.model_version for r in tx.predictions.newest(limit=9, version_key=2)] == ["2.0.0"]
        failed = tx.predictions.newest(limit=9, errors=True)
    assert [(row.status, row.error, row.prediction) for row in failed] == [("error", "broke", None)]
