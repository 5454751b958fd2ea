"""What the units of an experiment did, however the log was folded; and what stays as written."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.clock import from_micros
from mlreg.entities.experiments import Design, Experiment, TestMetric, Variant
from mlreg.errors import Conflict
from mlreg.store.engines.sqlite import sqlite3
from mlreg.store.experiments import ReceiptRow
from mlreg.store.feedback import FeedbackRow
from mlreg.store.predictions import Entry
from mlreg.store.store import Store, Transaction
from mlreg.store.unit_columns import ALWAYS, FROM_LOG, Wanted
from mlreg.store.unit_folds import CUT_FROM
from mlreg.tallies import Marks, Sums
from tests.store.conftest import Seeded, revision_of, seed
from tests.support import DATABASE, dump, raw

SUCCESS_RATE = TestMetric(name="success_rate", kind="share", direction="up", unit="share")
STARS = TestMetric(name="value:stars", kind="mean", direction="up", unit="value")
NAMES = ["clicks", "stars"]
COLUMNS = (*ALWAYS, *(c for c in FROM_LOG if c not in ALWAYS))
WANTED = Wanted(by_user=True, columns=COLUMNS, names=tuple(NAMES), quantiles={}, window=0)
MEASURED = ("success_rate", "error_rate", "accuracy", "label_coverage", "avg_latency_ms",
            "avg_confidence", "cost_per_request", "value:stars", "value:clicks")  # fmt: skip


def draft(seeded: Seeded, test_id: str = "t", *, unit: Any = "user") -> Experiment:
    return Experiment(
        key=0,
        model_key=seeded.model.key,
        design=Design(
            test_id=test_id,
            model=seeded.model.name,
            variants=(
                Variant(variant="control", version="1.0.0", model_id="a", weight=5000),
                Variant(variant="treatment", version="2.0.0", model_id="b", weight=5000),
            ),
            strategy="sticky" if unit == "user" else "random",
            unit=unit,
            metric=SUCCESS_RATE,
            secondary=(STARS,),
        ),
        state="draft",
        salt="salt",
        fingerprint=None,
        created_at=from_micros(0),
        created_by="tester",
    )


def insert(seeded: Seeded, test_id: str = "t", **more: Any) -> Experiment:
    experiment = draft(seeded, test_id, **more)
    with seeded.store.write() as tx:
        key = tx.experiments.insert(experiment, test_id, list(seeded.versions), at=0)
    return replace(experiment, key=key)


def start(seeded: Seeded, experiment: Experiment) -> int:
    with seeded.store.write() as tx:
        started = replace(experiment, fingerprint="f" * 64, revision_before=0)
        tx.experiments.start(started, at=0)
    return experiment.key


def begin(seeded: Seeded, **more: Any) -> int:
    """A running experiment: revisions 1 and 2 are its phases, 3 is not."""
    experiment = insert(seeded, **more)
    with seeded.store.write() as tx:
        for number in (1, 2, 3):
            tx.traffic.append(revision_of(seeded, number, 5000, 5000), {})
        for number in (1, 2):
            tx.experiments.add_phase(experiment, number)
    return start(seeded, experiment)


@pytest.fixture
def key(seeded: Seeded) -> int:
    return begin(seeded)


def answer(
    unit: str | None = "ann",
    version: int = 1,
    revision: int = 1,
    role: int = 0,
    latency_us: int = 1000,
    status: int = 0,
    confidence: float | None = None,
    cost: float | None = None,
) -> Entry:
    output, error = (None, "broke") if status else ('"yes"', None)
    return Entry(
        0, version, revision, role, "sticky", unit, None, None, output,
        confidence, latency_us, status, error, cost,
    )  # fmt: skip


def said(prediction: int, name: str, content: float | None) -> FeedbackRow:
    """A label that is right (1), wrong (0) or not judged (None); or a named value."""
    if name == "label":
        return FeedbackRow(0, prediction, name, '"x"', content, None, "a")
    return FeedbackRow(0, prediction, name, None, None, content, "a")


def add(seeded: Seeded, *rows: Entry | FeedbackRow) -> None:
    with seeded.store.write() as tx:
        for row in rows:
            if isinstance(row, Entry):
                tx.predictions.append(row)
            else:
                tx.feedback.append([row])


def fold_all(seeded: Seeded, key: int, limit: int = 1000, what: Wanted = WANTED) -> None:
    more = True
    while more:
        with seeded.store.write(durable=False) as tx:
            more = fold(tx, key, limit, what)


def fold(tx: Transaction, key: int, limit: int, what: Wanted = WANTED) -> bool:
    """Fold, with labels that are due at once."""
    return tx.experiments.folds.fold(key, what, limit=limit, ripe=tx.predictions.last_id())


def tables(tx: Transaction) -> tuple[list[tuple], list[tuple]]:
    """All that is folded, of every experiment."""
    return (
        tx.connection.execute("select * from experiment_units order by 1, 2, 3, 4").fetchall(),
        tx.connection.execute("select * from experiment_values order by 1, 2, 3, 4, 5").fetchall(),
    )


# --- the log by hand -----------------------------------------------------------------------------

ROWS = """
    select id, unit, revision, version, status, latency_us, confidence, cost from predictions
    where role = 0 and revision in (1, 2) and version in (1, 2)
"""
TRAIL = "select prediction, name, correct, value from feedback order by id"


def measured(tx: Transaction) -> list[tuple[str, int, int, int, dict[str, float]]]:
    """Each row of the experiment: unit, id, revision, version, and what is known of it."""
    newest = {row[:2]: row[2:] for row in tx.connection.execute(TRAIL)}
    found = []
    for key, unit, revision, version, status, latency, confidence, cost in tx.connection.execute(
        ROWS
    ).fetchall():
        seen = {"success_rate": float(status == 0), "error_rate": float(status != 0)}
        label = newest.get((key, "label"))
        seen["label_coverage"] = float(label is not None)
        if label and label[0] is not None:
            seen["accuracy"] = label[0]
        if status == 0:
            seen["avg_latency_ms"] = latency
        if confidence is not None:
            seen["avg_confidence"] = confidence
        if cost is not None:
            seen["cost_per_request"] = cost
        for name in NAMES:
            if (key, name) in newest:
                seen[f"value:{name}"] = newest[key, name][1]
        found.append((unit or "", key, revision, version, seen))
    return found


def torn_of(rows: list) -> set[tuple[str, int]]:
    """Users whom a phase sent to two versions, with the phase."""
    arms = defaultdict(set)
    for unit, _, revision, version, _ in rows:
        arms[unit, revision].add(version)
    return {place for place, found in arms.items() if place[0] and len(found) > 1}


def by_unit(rows: list, metric: str) -> dict[tuple, list[float]]:
    """y and k of each unit, revision and version; a row without a user is a unit of its own."""
    found: dict[tuple, list[float]] = defaultdict(lambda: [0.0, 0.0])
    torn = torn_of(rows)
    for unit, key, revision, version, seen in rows:
        if metric in seen and (unit, revision) not in torn:
            own = found[unit or key, revision, version]
            own[0] += seen[metric]
            own[1] += 1
    return found


def sums_of(rows: list, metric: str) -> dict[tuple[int, int], Sums]:
    cells = defaultdict(list)
    for (_, revision, version), own in by_unit(rows, metric).items():
        cells[revision, version].append(own)
    found = {}
    for cell, units in cells.items():
        y, k = np.array(units).T
        found[cell] = Sums(len(units), y.sum(), k.sum(), y @ y, k @ k, y @ k)
    return found


# Eighths and quarters add up exactly, in any order.
ANSWERS = st.builds(
    answer,
    unit=st.sampled_from([None, "ann", "ben", "eva"]),
    version=st.integers(1, 2),
    revision=st.sampled_from([1, 2, 1, 2, 3]),
    role=st.sampled_from([0, 0, 0, 0, 1, 2]),
    latency_us=st.integers(0, 10**6),
    status=st.sampled_from([0, 0, 1, 2]),
    confidence=st.none() | st.integers(0, 8).map(lambda n: n / 8),
    cost=st.none() | st.integers(0, 1000).map(lambda n: n / 4),
)
FEEDBACK = st.tuples(
    st.integers(0, 30),
    st.sampled_from(["label", "label", "stars", "clicks", "other"]),
    st.sampled_from([None, 0, 1]),
    st.integers(-20, 20),
)
STEPS = st.lists(st.one_of(ANSWERS, ANSWERS, FEEDBACK, st.integers(1, 5)), min_size=15, max_size=60)


def take(tx: Transaction, key: int, step: Any) -> None:
    """Log an answer, say something about an earlier one, or fold so many rows."""
    last = tx.predictions.last_id()
    if isinstance(step, Entry):
        tx.predictions.append(step)
    elif isinstance(step, int):
        fold(tx, key, step)
    elif last:
        place, name, judgement, value = step
        tx.feedback.append([said(1 + place % last, name, judgement if name == "label" else value)])


@pytest.fixture(scope="module")
def running_database(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """A database with a running experiment, to copy."""
    path = tmp_path_factory.mktemp("running") / DATABASE
    shutil.copy(empty_database, path)
    store = Store(path, timeout=5)
    begin(seed(store))
    store.close()
    return path


@contextmanager
def running_copy(database: Path) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(database, Path(folder) / DATABASE)
        store = Store(Path(folder) / DATABASE, timeout=5)
        yield store
        store.close()


# --- folding -------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(steps=STEPS, cuts=st.lists(st.tuples(*[st.integers(0, 40)] * 3), max_size=6))
def test_any_interleaving_equals_one_fold_and_many_small_ones_bit_for_bit(
    running_database: Path, steps: list, cuts: list[tuple[int, int, int]]
):
    with running_copy(running_database) as store:
        for step in steps:
            with store.write() as tx:
                take(tx, 1, step)
        with store.write() as tx:
            while fold(tx, 1, 3):
                pass
            folded, (answers, said_of) = tables(tx), tx.experiments.folds.ends()
            ends = (answers, said_of, answers)
            assert tx.experiments.folds.marks(1) == ends
        places = [sorted(min(cut[i], ends[i]) for cut in cuts) for i in range(3)]
        with store.read() as tx:
            for marks in ([ends], [*zip(*places, strict=True), ends]):
                with tx.experiments.folds.aside(1, WANTED) as fold_to:
                    for mark in marks:
                        fold_to(Marks(*mark), WANTED.window)
                    assert tables(tx) == folded


@settings(max_examples=50, deadline=None)
@given(steps=STEPS, rate=st.floats(-2, 2), weights=st.tuples(*[st.floats(-1, 1)] * 4))
def test_sums_and_spreads_equal_the_rows_themselves(
    running_database: Path, steps: list, rate: float, weights: tuple[float, ...]
):
    cells = [(1, 1, rate, weights[0], 0.0), (1, 2, -rate, 0.0, weights[1]),
             (2, 1, 1.0, weights[2], 0.0), (2, 2, 0.5, 0.0, weights[3])]  # fmt: skip
    with running_copy(running_database) as store, store.write() as tx:
        for step in steps:
            take(tx, 1, step)
        while fold(tx, 1, 7):
            pass
        rows, units = measured(tx), tx.experiments.units
        for metric in MEASURED:
            known = {cell: sums for cell, sums in units.sums(1, metric).items() if sums.n}
            assert known == sums_of(rows, metric)
            expected = spread_of(rows, metric, cells)
            assert units.spread(1, metric, cells) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        check_participants(tx, rows)
        check_torn(tx, rows)


def check_torn(tx: Transaction, rows: list) -> None:
    """Users of two arms within a phase, and all that they did, with the arm that they met first."""
    firsts: dict[tuple[str, int], int] = {}
    for unit, _, revision, version, _ in rows:
        firsts.setdefault((unit, revision), version)
    torn = {place: firsts[place] for place in torn_of(rows)}
    counts = Counter((place[1], first) for place, first in torn.items())
    for metric in ("success_rate", "accuracy", "value:stars"):
        own: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for unit, _, revision, _, seen in rows:
            if metric in seen and (unit, revision) in torn:
                own[unit, revision][0] += seen[metric]
                own[unit, revision][1] += 1
        cells = defaultdict(list)
        for place, (y, k) in own.items():
            cells[place[1], torn[place]].append((y, k))
        found = tx.experiments.units.torn(1, metric)
        assert {cell: count for cell, (count, _) in found.items()} == counts
        assert {cell: sums[:3] for cell, (_, sums) in found.items() if sums.n} == {
            cell: (len(units), *map(sum, zip(*units, strict=True))) for cell, units in cells.items()
        }


def spread_of(rows: list, metric: str, cells: list) -> tuple[float, ...]:
    """Squares and products of what each unit's distances from the rates sum up to; their units."""
    rates = {cell[:2]: cell[2:] for cell in cells}
    own: dict[Any, np.ndarray] = defaultdict(lambda: np.zeros(2))
    behind: tuple[set, set] = (set(), set())
    for (unit, revision, version), (y, k) in by_unit(rows, metric).items():
        rate, in_control, in_treatment = rates[revision, version]
        own[unit] += (y - rate * k) * np.array([in_control, in_treatment])
        for side, weight in enumerate((in_control, in_treatment)):
            behind[side].update({unit} if weight else ())
    distances = np.array([*own.values(), np.zeros(2)])
    products = distances.T @ distances
    return products[0, 0], products[1, 1], products[0, 1], *map(len, behind)


def check_participants(tx: Transaction, rows: list) -> None:
    arms = defaultdict(set)
    for unit, _, _, version, _ in rows:
        arms[unit].add(version)
    arms.pop("", None)
    changed = sum(len(found) > 1 for found in arms.values())
    torn = {unit for unit, _ in torn_of(rows)}
    assert tx.experiments.units.participants(1) == (len(arms), changed, len(torn))
    requests = Counter((revision, version) for _, _, revision, version, _ in rows)
    alone = Counter(row[2:4] for row in rows if not row[0])
    users = Counter(place[1:] for place in {(row[0], *row[2:4]) for row in rows if row[0]})
    assert tx.experiments.units.counts(1) == {
        cell: (users[cell], alone[cell], n) for cell, n in requests.items()
    }


def test_requests_are_units_of_their_own_where_requests_were_split(seeded: Seeded):
    key = begin(seeded, unit="request")
    add(seeded, *[answer("ann", latency_us=n) for n in (1, 2, 3)])
    with seeded.store.write() as tx:
        tx.experiments.folds.fold(key, WANTED._replace(by_user=False, names=()), limit=10)
        sums = tx.experiments.units.sums(key, "avg_latency_ms")
        assert sums == {(1, 1): Sums(n=3, y=6, k=3, yy=14, kk=3, yk=6)}
        assert tx.experiments.units.participants(key) == (0, 0, 0)


@pytest.mark.parametrize(
    ("trail", "expected"),
    [
        ([1], (1, 1, 1)),
        ([0], (1, 1, 0)),
        ([None], (1, 0, 0)),
        ([0, 1], (1, 1, 1)),
        ([1, 0], (1, 1, 0)),
        ([1, 1], (1, 1, 1)),
        ([1, None], (1, 0, 0)),
        ([None, 1, None, 1], (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("limit", [1, 100])
def test_a_correction_counts_as_the_difference(
    seeded: Seeded, key: int, trail: list[int | None], expected: tuple[int, int, int], limit: int
):
    add(seeded, answer())
    for judgement in trail:
        add(seeded, said(1, "label", judgement))
        if limit == 1:
            fold_all(seeded, key, limit)
    fold_all(seeded, key)
    with seeded.store.read() as tx:
        row = tx.connection.execute(
            "select ripe_labelled, judged, correct from experiment_units"
        ).fetchall()
        assert row == [expected]


def test_a_corrected_value_replaces_the_one_before(seeded: Seeded, key: int):
    add(seeded, answer(), said(1, "stars", 2.0), said(1, "other", 9.0))
    fold_all(seeded, key)
    add(seeded, said(1, "stars", 5.0))
    fold_all(seeded, key)
    with seeded.store.read() as tx:
        assert tables(tx)[1] == [(key, "stars", "ann", 1, 1, 1, 5.0, 25.0)]


def test_a_user_is_left_out_of_the_phase_that_tore_them_and_of_no_other(seeded: Seeded, key: int):
    add(seeded, answer("ann"), answer("ann", 2), answer("ann", 1, 2), answer("ben", 2))
    fold_all(seeded, key)
    with seeded.store.read() as tx:
        sums = tx.experiments.units.sums(key, "success_rate")
        assert {cell: own.n for cell, own in sums.items()} == {(1, 2): 1, (2, 1): 1}
        assert tx.experiments.units.participants(key) == (2, 1, 1)
        assert tx.experiments.units.counts(key)[1, 1].users == 1


def test_who_changes_the_arm_between_phases_is_kept(seeded: Seeded, key: int):
    add(seeded, answer("ann"), answer("ann", 2, 2))
    fold_all(seeded, key)
    with seeded.store.read() as tx:
        assert set(tx.experiments.units.sums(key, "success_rate")) == {(1, 1), (2, 2)}
        assert tx.experiments.units.participants(key) == (1, 1, 0)


@pytest.mark.parametrize(
    "stranger", [answer(revision=3), answer(role=1), answer(role=2)], ids=["phase", "shadow", "dry"]
)
def test_what_is_no_part_of_the_experiment_is_not_counted(
    seeded: Seeded, key: int, stranger: Entry
):
    add(seeded, stranger, said(1, "label", 1), said(1, "stars", 3))
    fold_all(seeded, key)
    with seeded.store.read() as tx:
        assert tables(tx) == ([], [])
        assert tx.experiments.folds.marks(key) == (1, 2, 1)


def test_what_came_before_the_start_is_not_counted(seeded: Seeded):
    add(seeded, answer(revision=1), said(1, "label", 1))
    key = begin(seeded)
    with seeded.store.read() as tx:
        assert tx.experiments.folds.marks(key)[:2] == (1, 1)


def test_feedback_that_is_folded_before_its_answer_waits_for_it(seeded: Seeded, key: int):
    add(seeded, *[answer(unit) for unit in ("ann", "ben", "eva")], said(3, "label", 1))
    with seeded.store.write() as tx:
        assert fold(tx, key, 1)
        assert tx.experiments.folds.marks(key) == (1, 1, 1)
    fold_all(seeded, key)
    with seeded.store.read() as tx:
        sums = tx.experiments.units.sums(key, "accuracy")[1, 1]
        assert (sums.n, sums.y, sums.k) == (1, 1, 1)
        assert tx.experiments.units.sums(key, "label_coverage")[1, 1].k == 3


# --- labels that are due, and tails --------------------------------------------------------------


def test_labels_count_if_they_came_before_they_were_due(seeded: Seeded, key: int):
    hourly = WANTED._replace(window=100)
    add(seeded, *[answer(unit) for unit in ("ann", "ben", "eva", "kim")])

    def due(upto: int) -> tuple[float, float]:
        with seeded.store.write() as tx:
            tx.experiments.folds.fold(key, hourly, limit=100, ripe=upto)
            sums = tx.experiments.units.sums(key, "label_coverage")
        return (sums[1, 1].y, sums[1, 1].k) if sums else (0, 0)

    add(seeded, said(1, "label", 1)._replace(at=100), said(3, "label", 1)._replace(at=101))
    assert due(2) == (1, 2)
    add(seeded, said(2, "label", 0)._replace(at=500), said(1, "label", 0)._replace(at=500))
    assert due(2) == (1, 2)  # one came late, and one is a correction
    assert due(3) == (1, 3)
    assert due(1) == (1, 3)  # a mark never goes back
    add(seeded, said(2, "label", 1)._replace(at=90))
    assert due(3) == (2, 3)  # a clock that was put back


def test_another_age_counts_all_labels_anew_and_nothing_else(seeded: Seeded, key: int):
    own = WANTED._replace(window=None, derived=((":mae", "label", "absolute"),))
    add(seeded, *[answer(unit, latency_us=7) for unit in ("ann", "ben", "eva")])
    add(seeded, said(1, "label", 1)._replace(at=5), said(2, "label", 0)._replace(at=50),
        said(1, "stars", 3)._replace(at=5), said(2, "stars", 4)._replace(at=50))  # fmt: skip

    def counted(window: int | None) -> list[float]:
        with seeded.store.write() as tx:
            tx.experiments.folds.labels.set_window(key, own, window)
        fold_all(seeded, key, what=own)
        with seeded.store.read() as tx:
            names = ("accuracy", "label_coverage", "value:stars", "avg_latency_ms")
            return [tx.experiments.units.sums(key, name)[1, 1].k for name in names[:2]] + [
                sum(sums.y for sums in tx.experiments.units.sums(key, name).values())
                for name in names[2:]
            ]

    assert counted(None) == [0, 0, 0, 21]
    assert counted(5) == [1, 3, 3, 21]
    assert counted(50) == [2, 3, 7, 21]
    assert counted(0) == [0, 3, 0, 21]


def test_delays_are_those_of_the_first_word_and_of_this_experiment(seeded: Seeded, key: int):
    add(seeded, answer(revision=3), answer("ann"), answer("ben"))
    add(seeded, said(2, "label", 1)._replace(at=5), said(2, "label", 0)._replace(at=9))
    with seeded.store.read() as tx:
        assert tx.experiments.folds.labels.delays(key, "label") == [(0, 5), (0, None)]
        assert tx.experiments.folds.labels.delays(key, "stars") == [(0, None), (0, None)]


QUANTILE = WANTED._replace(quantiles={"p95_latency_ms": 0.95})


def test_a_cut_is_chosen_when_there_are_answers_enough_and_counts_from_the_first(
    seeded: Seeded, key: int
):
    few = CUT_FROM - 1
    add(seeded, *[answer(f"u{i % 7}", latency_us=i) for i in range(few)])
    fold_all(seeded, key, what=QUANTILE)
    with seeded.store.read() as tx:
        assert tx.experiments.folds.cuts(key) == {}
    add(seeded, *[answer("u8", 2, latency_us=10**6)] * 3)
    fold_all(seeded, key, what=QUANTILE)
    with seeded.store.read() as tx:
        cut = tx.experiments.folds.cuts(key)["p95_latency_ms"]
        assert cut == sorted([*range(few), *[10**6] * 3])[int(0.95 * (few + 3))]
        sums = tx.experiments.units.sums(key, "p95_latency_ms")
        assert (sums[1, 1].y, sums[1, 1].k) == (few - 1 - cut, few)
        assert (sums[1, 2].y, sums[1, 2].k) == (3, 3)


def test_a_batch_is_one_observation_of_latency(seeded: Seeded, key: int):
    call, rest = answer(latency_us=500), answer("ben", latency_us=500)._replace(is_call=False)
    add(seeded, call, rest, rest)
    fold_all(seeded, key)
    with seeded.store.read() as tx:
        assert tx.experiments.units.sums(key, "avg_latency_ms")[1, 1].k == 1
        assert tx.experiments.units.sums(key, "success_rate")[1, 1].k == 3


# --- marks ---------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(steps=STEPS, turns=st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=20))
def test_two_connections_that_fold_by_turns_count_each_row_once_and_marks_only_rise(
    running_database: Path, steps: list, turns: list[tuple[bool, int]]
):
    with running_copy(running_database) as store:
        other = Store(store.path, timeout=5)
        seen = [Marks(0, 0)]
        with store.write() as tx:
            for step in steps:
                take(tx, 1, step)
        for is_other, limit in [*turns, (False, 1000), (True, 1000)]:
            with (other if is_other else store).write(durable=False) as tx:
                fold(tx, 1, limit)
                seen.append(tx.experiments.folds.marks(1))
        with store.read() as tx:
            rows = measured(tx)
            for metric in ("success_rate", "accuracy", "value:stars"):
                known = {c: s for c, s in tx.experiments.units.sums(1, metric).items() if s.n}
                assert known == sums_of(rows, metric)
            ends = tx.experiments.folds.ends()
            assert seen[-1] == (*ends, ends[0])
        for source in zip(*seen, strict=True):
            assert list(source) == sorted(source)
        other.close()


def test_a_fold_of_nothing_is_nothing(seeded: Seeded, key: int):
    add(seeded, answer(), said(1, "label", 1))
    fold_all(seeded, key)
    before = dump(seeded.store.path.parent)
    with seeded.store.write() as tx:
        assert fold(tx, key, 10) is False
    assert dump(seeded.store.path.parent) == before


def test_a_fold_says_whether_rows_are_left(seeded: Seeded, key: int):
    add(seeded, *[answer()] * 5)
    with seeded.store.write() as tx:
        more = [fold(tx, key, 2) for _ in range(4)]
        assert more == [True, True, False, False]


def test_rows_that_were_removed_neither_stop_a_fold_nor_count_others_twice(
    seeded: Seeded, key: int
):
    add(seeded, *[answer()] * 20)
    fold_all(seeded, key)
    with raw(seeded.store.path.parent) as connection:
        connection.execute("delete from predictions where id > 5")
    fold_all(seeded, key)
    add(seeded, *[answer()] * 3)
    fold_all(seeded, key)
    with seeded.store.read() as tx:
        assert tx.experiments.units.counts(key)[1, 1].requests == 23
        assert tx.experiments.folds.marks(key)[:2] == tx.experiments.folds.ends()


def test_only_running_experiments_far_behind_are_folded_on_the_way(
    seeded: Seeded, key: int, monkeypatch: pytest.MonkeyPatch
):
    def folded(count: int) -> int:
        add(seeded, *[answer()] * count)
        with seeded.store.write() as tx:
            tx.experiments.folds.fold_backlogs(limit=100)
            return tx.experiments.folds.marks(key)[0]

    monkeypatch.setattr("mlreg.store.unit_folds.BACKLOG", 10)
    assert [folded(9), folded(1)] == [0, 10]
    with seeded.store.write() as tx:
        tx.experiments.end(tx.experiments.get("t"), "stopped", at=1, verdict=None, winner=None)
    assert folded(20) == 10


def test_a_count_aside_leaves_the_tables_as_they_are(seeded: Seeded, key: int):
    add(seeded, answer(), answer("ben", 2), said(1, "label", 1), said(1, "stars", 4))
    with seeded.store.write() as tx:
        fold(tx, key, 1)
    before = dump(seeded.store.path.parent)
    with seeded.store.read() as tx:
        units, folds = tx.experiments.units, tx.experiments.folds
        half = tables(tx)
        with folds.aside(key, WANTED) as fold_to:
            assert tables(tx) == ([], [])
            fold_to(Marks(*folds.ends()), WANTED.window)
            assert units.participants(key) == (2, 0, 0)
        assert tables(tx) == half
        with pytest.raises(ZeroDivisionError), folds.aside(key, WANTED) as fold_to:
            fold_to(1 / 0, None)
        assert tables(tx) == half
    assert dump(seeded.store.path.parent) == before


# --- what stays as written -----------------------------------------------------------------------


def test_an_experiment_is_read_as_it_was_written(seeded: Seeded):
    experiment = insert(seeded)
    with seeded.store.read() as tx:
        assert tx.experiments.get("t") == experiment
        assert tx.experiments.find("none") is None
        assert tx.experiments.arm_keys(experiment.key) == list(seeded.versions)


def test_phases_tell_the_weights_in_the_order_of_the_design(seeded: Seeded):
    experiment = insert(seeded)
    with seeded.store.write() as tx:
        for number, weights in ((1, (9000, 1000)), (2, (2500, 7500))):
            tx.traffic.append(revision_of(seeded, number, *weights), {})
            tx.experiments.add_phase(experiment, number)
    with seeded.store.read() as tx:
        phases = tx.experiments.get("t").phases
        assert [(p.revision, p.weights) for p in phases] == [(1, (9000, 1000)), (2, (2500, 7500))]


def test_a_model_has_one_running_experiment(seeded: Seeded, key: int):
    other = insert(seeded, "other")
    with pytest.raises(Conflict):
        start(seeded, other)
    with seeded.store.read() as tx:
        assert [e.test_id for e in tx.experiments.newest(state="running")] == ["t"]
    with seeded.store.write() as tx:
        tx.experiments.end(tx.experiments.get("t"), "stopped", at=1, verdict=None, winner=None)
    start(seeded, other)


def test_a_revision_is_a_phase_of_one_experiment(seeded: Seeded, key: int):
    other = insert(seeded, "other")
    with pytest.raises(Conflict), seeded.store.write() as tx:
        tx.experiments.add_phase(other, 1)


def test_one_receipt_is_kept_for_each_slot(seeded: Seeded, key: int):
    rows = [ReceiptRow("look", 2, 0, "0" * 64, "{}"), ReceiptRow("look", 1, 0, "0" * 64, "{}"),
            ReceiptRow("conclusion", 0, 0, "0" * 64, "{}")]  # fmt: skip
    with seeded.store.write() as tx:
        assert [tx.experiments.add_receipt(key, row) for row in rows] == [True] * 3
        again = rows[0]._replace(receipt='{"another": 1}')
        assert not tx.experiments.add_receipt(key, again)
        assert tx.experiments.receipts(key) == [rows[1], rows[0], rows[2]]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("update experiments set design = '{}'", "cannot be changed"),
        ("update experiments set fingerprint = printf('%064d', 1)", "cannot be changed"),
        (
            "update experiments set fingerprint = null, started_at = null, state = 'draft'",
            "cannot be changed",
        ),
        ("update experiments set salt = 'other'", "cannot be changed"),
        ("delete from experiments", "cannot be deleted"),
        ("update experiment_receipts set receipt = '{}'", "cannot be changed"),
        ("update experiment_receipts set at = 5", "cannot be changed"),
        ("delete from experiment_receipts", "cannot be deleted"),
        ("insert into experiment_receipts values (1, 'look', 0, 0, '', '')", "CHECK"),
        ("update experiments set state = 'concluded'", "CHECK"),
    ],
)
def test_no_sql_can_change_what_was_frozen(seeded: Seeded, key: int, statement: str, reason: str):
    with kept(seeded, key), pytest.raises(sqlite3.IntegrityError, match=reason):
        attempt(seeded, statement)


NEW_EXPERIMENT = (
    "into experiments (key, test_id, id_key, model, state, design, salt, created_at, created_by) "
    "values (1, 't', 't', 1, 'draft', '{}', 's', 0, 'x')"
)
NEW_RECEIPT = "into experiment_receipts values (1, 'look', 1, 0, printf('%064d', 1), '{}')"


@pytest.mark.parametrize("row", [NEW_EXPERIMENT, NEW_RECEIPT], ids=["experiment", "receipt"])
@pytest.mark.parametrize("insert", ["insert", "insert or ignore", "insert or replace"])
def test_no_insert_can_take_the_place_of_what_was_frozen(
    seeded: Seeded, key: int, insert: str, row: str
):
    with kept(seeded, key), suppress(sqlite3.IntegrityError):
        attempt(seeded, f"{insert} {row}")


@contextmanager
def kept(seeded: Seeded, key: int) -> Iterator[None]:
    """Whatever the block tries, the experiment and its receipt are as they were."""
    with seeded.store.write() as tx:
        tx.experiments.add_receipt(key, ReceiptRow("look", 1, 0, "0" * 64, '{"kept": 1}'))
        before = tx.experiments.get("t")
    yield
    with seeded.store.read() as tx:
        assert tx.experiments.get("t") == before
        assert [row.receipt for row in tx.experiments.receipts(key)] == ['{"kept": 1}']


def attempt(seeded: Seeded, statement: str) -> None:
    """Run SQL as somebody with a shell would."""
    with raw(seeded.store.path.parent) as connection:
        connection.execute("pragma foreign_keys = on")
        connection.execute(statement)


def test_a_draft_can_still_be_changed_and_deleted(seeded: Seeded):
    insert(seeded)
    attempt(seeded, "update experiments set salt = 'other'")
    attempt(seeded, "delete from experiments")
    with seeded.store.read() as tx:
        assert tx.experiments.newest() == []
        assert tx.experiments.arm_keys(1) == []
