"""Summaries equal what the rows say, however the log was folded, bit for bit."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.clock import DAY, HOUR
from mlreg.store.feedback import FeedbackRow
from mlreg.store.predictions import Entry
from mlreg.store.store import Store, Transaction
from mlreg.store.summaries import Cell, Cells
from mlreg.tallies import LARGEST_MEASURE, OTHER, Moments, Tally
from tests.store.conftest import Seeded, seed
from tests.support import DATABASE, dump

START = 20_000 * DAY - 3 * HOUR  # so that a day ends within the first hours

PREDICTIONS = st.tuples(
    st.just("predict"),
    st.integers(0, 6 * HOUR),  # after START
    st.integers(1, 2),  # version
    st.integers(1, 2),  # revision
    st.integers(0, 2),  # role
    st.integers(0, 10**8),  # latency
    st.integers(0, 2),  # status
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, LARGEST_MEASURE),
    st.sampled_from(['"yes"', '"no"', "3", "2.5", "-1e+300", "[1]", "true"]),
)
FEEDBACK = st.tuples(
    st.just("feedback"),
    st.integers(0, 30),
    st.sampled_from(["right", "wrong", "unjudged"]),
    st.sampled_from(['"yes"', '"no"', '"x"', "3", "0.1"]),
)
VALUES = st.tuples(
    st.just("value"),
    st.integers(0, 30),
    st.sampled_from(["rating", "revenue"]),
    st.floats(-LARGEST_MEASURE, LARGEST_MEASURE),
)
CLASSES = ('"yes"', '"no"', '"x"', "3", "true")
NUMBERS = {"3": 3.0, "2.5": 2.5, "-1e+300": -1e300, "0.1": 0.1}
FOLDS = st.tuples(st.just("fold"), st.integers(1, 5))
STEPS = st.lists(st.one_of(PREDICTIONS, PREDICTIONS, FEEDBACK, VALUES, FOLDS), max_size=40)


@contextmanager
def copied(database: Path) -> Iterator[Seeded]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(database, Path(folder) / DATABASE)
        store = Store(Path(folder) / DATABASE, timeout=5)
        yield seed(store)
        store.close()


def entry(
    at: int,
    version: int = 1,
    revision: int = 1,
    role: int = 0,
    latency_us: int = 1000,
    status: int = 0,
    confidence: float | None = None,
    cost: float | None = None,
    output: str = '"yes"',
) -> Entry:
    said, error = (None, "broke") if status else (output, None)
    return Entry(
        START + at, version, revision, role, "random", None, None, None, said,
        confidence, latency_us, status, error, cost,
    )  # fmt: skip


def take(tx: Transaction, step: tuple) -> None:
    """Do one step of an interleaving."""
    kind, *values = step
    last = tx.predictions.last_id()
    if kind == "predict":
        tx.predictions.append(entry(*values))
    elif kind == "fold":
        tx.summaries.fold(limit=values[0])
    elif last:
        prediction = 1 + values[0] % last
        correct = {"right": 1, "wrong": 0}.get(values[1])
        label = (START, prediction, "label", values[-1], correct, None, "a")
        named = (START, prediction, values[1], None, None, values[-1], "a")
        tx.feedback.append([FeedbackRow(*(label if kind == "feedback" else named))])


def fold_all(tx: Transaction, limit: int = 1000) -> None:
    while tx.summaries.fold(limit=limit):
        pass


def recomputed(tx: Transaction, since: int = 0, until: int = 2**62) -> Cells:
    """Tallies of the rows themselves, by the plainest of means."""
    cells: Cells = defaultdict(Tally)
    where, outputs = {}, {}
    for (
        key,
        at,
        version,
        revision,
        role,
        latency,
        status,
        confidence,
        cost,
        output,
    ) in tx.connection.execute(
        "select id, at, version, revision, role, latency_us, status, confidence, cost, output "
        "from predictions"
    ).fetchall():
        if since <= at < until:
            where[key], outputs[key] = cells[Cell(version, revision, role)], output
            where[key].add([(latency, status, confidence, cost, 1)])
            if output in CLASSES:
                where[key].answers[output] += 1
    newest = {}
    for prediction, name, correct, value, label in tx.connection.execute(
        "select prediction, name, correct, value, label from feedback order by id"
    ).fetchall():
        newest[prediction, name] = correct, value, label
    for (prediction, name), (correct, value, label) in newest.items():
        if prediction not in where:
            continue
        if name == "label":
            judged = correct is not None
            where[prediction].judge(labelled=1, judged=judged, correct=correct or 0)
            if judged and (outputs[prediction] in (*CLASSES, None)) and label in CLASSES:
                where[prediction].pairs[outputs[prediction] or "null", label] += 1
            elif not judged and label in NUMBERS and outputs[prediction] in NUMBERS:
                error = NUMBERS[outputs[prediction]] - NUMBERS[label]
                error = max(error, -LARGEST_MEASURE)
                for part, of in (
                    ("signed", error),
                    ("absolute", abs(error)),
                    ("squared", error**2),
                ):
                    where[prediction].deviations.setdefault(part, Moments()).add(of)
        else:
            where[prediction].values.setdefault(name, Moments()).add(value)
    return dict(cells)


def total(tx: Transaction, first: int | None = None, last: int | None = None) -> Cells:
    """What the summaries hold, over all time or over hours."""
    found: Cells = {}
    for version in (1, 2):
        if first is None or last is None:
            found |= tx.summaries.all_time(version)
        else:
            found |= tx.summaries.whole_hours(version, first, last)
    return found


def without_nothing(cells: Cells) -> Cells:
    """Without sums that were taken back as a whole."""
    for tally in cells.values():
        tally.values = {n: m for n, m in tally.values.items() if m.n}
        tally.deviations = {n: m for n, m in tally.deviations.items() if m.n}
    return cells


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, first=st.integers(0, 60), hours=st.integers(1, 60))
def test_any_interleaving_equals_the_rows_and_a_rebuild_bit_for_bit(
    empty_database: Path, steps: list[tuple], first: int, hours: int
):
    with copied(empty_database) as seeded:
        for step in steps:
            with seeded.store.write() as tx:
                take(tx, step)
        with seeded.store.write() as tx:
            fold_all(tx, limit=3)
            assert not tx.summaries.is_behind()
            assert without_nothing(total(tx)) == recomputed(tx)
            start = START // HOUR - 26 + first
            expected = recomputed(tx, start * HOUR, (start + hours) * HOUR)
            assert without_nothing(total(tx, start, start + hours)) == expected
        before = dump(seeded.store.path.parent)["summaries"]
        with seeded.store.write() as tx:
            tx.summaries.rebuild()
            assert total(tx) == {}
            fold_all(tx)
        assert dump(seeded.store.path.parent)["summaries"] == before


def test_the_first_fifty_classes_are_the_same_however_the_log_is_folded(seeded: Seeded):
    names = [f'"c{number % 61}"' for number in range(200)]
    with seeded.store.write() as tx:
        ids = tx.predictions.append_many([entry(n, output=name) for n, name in enumerate(names)])
        said = [(key, names[key * 7 % 200]) for key in ids]
        rows = [FeedbackRow(0, key, "label", label, 0, None, "a") for key, label in said]
        tx.feedback.append(rows + [row._replace(label='"new"') for row in rows[:20]])
        fold_all(tx, limit=3)
        tally = total(tx)[Cell(1, 1, 0)]
        assert set(tally.answers) == {*names[:50], OTHER}
        assert tally.answers.total() == 200
        assert len({name for pair in tally.pairs for name in pair} - {OTHER}) == 50
        assert tally.pairs.total() == 200
    before = dump(seeded.store.path.parent)["summaries"]
    with seeded.store.write() as tx:
        tx.summaries.rebuild()
        fold_all(tx, limit=77)
    assert dump(seeded.store.path.parent)["summaries"] == before


def test_a_fold_of_nothing_is_nothing(seeded: Seeded):
    with seeded.store.write() as tx:
        assert tx.summaries.fold(limit=10) is False
        assert tx.summaries.is_behind() is False


def test_a_fold_says_whether_rows_may_be_left(seeded: Seeded):
    with seeded.store.write() as tx:
        tx.predictions.append_many([entry(n) for n in range(5)])
        assert [tx.summaries.fold(limit=2) for _ in range(4)] == [True, True, False, False]


def test_rows_that_were_removed_do_not_stop_the_fold(seeded: Seeded):
    with seeded.store.write() as tx:
        tx.predictions.append_many([entry(n) for n in range(50)])
        tx.connection.execute("delete from predictions where id between 3 and 40")
        fold_all(tx, limit=5)
        assert not tx.summaries.is_behind()
        assert total(tx)[Cell(1, 1, 0)].requests == 12


def test_request_counts_include_what_is_not_folded_and_only_live_ones(seeded: Seeded):
    with seeded.store.write() as tx:
        tx.predictions.append_many([entry(0), entry(0, 2), entry(0, role=2), entry(0, status=1)])
        assert tx.summaries.request_counts() == {1: 2, 2: 1}
        tx.summaries.fold(limit=2)
        assert tx.summaries.request_counts() == {1: 2, 2: 1}
        fold_all(tx)
        assert tx.summaries.request_counts() == {1: 2, 2: 1}


def test_many_who_fold_at_once_count_each_row_once(seeded: Seeded):
    with seeded.store.write() as tx:
        ids = tx.predictions.append_many([entry(n * 1000, 1 + n % 2) for n in range(3000)])
        tx.feedback.append([FeedbackRow(0, key, "label", '"x"', key % 2, None, "a") for key in ids])

    def fold() -> None:
        more = True
        while more:
            with seeded.store.write(durable=False) as tx:
                more = tx.summaries.fold(limit=100)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(fold) for _ in range(6)]:
            done.result()
    with seeded.store.read() as tx:
        assert total(tx) == recomputed(tx)
