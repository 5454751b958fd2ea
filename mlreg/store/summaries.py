"""Summaries of the log, kept up to a watermark, so that reading them does not grow with history.

Whoever crosses a multiple of `EVERY` rows, or reads, folds what lies above the watermarks. One
writer at a time holds the lock, so each row is folded exactly once. Tallies are exact, so the
summaries can be dropped and rebuilt to the same numbers.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from mlreg.clock import DAY, HOUR
from mlreg.store.engines import Connection
from mlreg.store.folds import CORRECTIONS, FEEDBACK, LOG, ends, fold
from mlreg.store.rows import damaged, restored
from mlreg.tallies import Marks, Moments, Tally, pack_histogram, unpack_histogram

EVERY = 1000
SOURCES = (LOG, FEEDBACK)
ALL_TIME, DAILY, HOURLY = 0, 1, 2

MARKS = "select source, upto from watermarks"
SET_MARK = "update watermarks set upto = :upto where source = :source"
LOG_ROWS = """
    select version, revision, role, at, latency_us, status, confidence, cost, is_call
    from predictions
    where id > :after and id <= :upto
"""
FEEDBACK_ROWS = f"""
    select p.version, p.revision, p.role, p.at, f.name, f.correct, f.value,
        o.id, o.correct, o.value
    {CORRECTIONS}
    where f.id > :after and f.id <= :upto
"""  # constants of the package
# Each prediction of a range with the feedback that counts now.
EDGE_FEEDBACK = """
    select p.version, p.revision, p.role, p.at, f.name, f.correct, f.value
    from predictions p
    join feedback f on f.prediction = p.id
    where p.id >= :first and p.id <= :last and p.at >= :since and p.at < :until and f.id = (
        select max(id) from feedback where prediction = p.id and name = f.name
    )
"""
EDGE_ROWS = """
    select version, revision, role, latency_us, status, confidence, cost, is_call
    from predictions
    where id >= :first and id <= :last and at >= :since and at < :until
"""
STORED = """
    select requests, errors, labelled, judged, correct, latency, confidence, cost, histogram,
        named_values
    from summaries
    where version = :version and grain = :grain and bucket = :bucket and revision = :revision
        and role = :role
"""
STORE = """
    insert into summaries (version, revision, role, grain, bucket, requests, errors, labelled,
        judged, correct, latency, confidence, cost, histogram, named_values)
    values (:version, :revision, :role, :grain, :bucket, :requests, :errors, :labelled,
        :judged, :correct, :latency, :confidence, :cost, :histogram, :named_values)
    on conflict (version, grain, bucket, revision, role) do update set
        requests = excluded.requests, errors = excluded.errors, labelled = excluded.labelled,
        judged = excluded.judged, correct = excluded.correct, latency = excluded.latency,
        confidence = excluded.confidence, cost = excluded.cost, histogram = excluded.histogram,
        named_values = excluded.named_values
"""
OF_VERSION = """
    select revision, role, requests, errors, labelled, judged, correct, latency, confidence, cost,
        histogram, named_values
    from summaries
    where version = :version and grain = :grain and bucket >= :first and bucket < :last
"""
COUNTS = """
    select version, sum(n) from (
        select version, requests as n from summaries where grain = 0 and role = 0
        union all
        select version, 1 from predictions
        where role = 0 and id > :mark
    ) counted
    group by version
"""
DROP = "delete from summaries"
TABLES = ("summaries", "watermarks")


class Cell(NamedTuple):
    """What a tally is kept by."""

    version: int
    revision: int
    role: int


Cells = dict[Cell, Tally]
Hours = dict[tuple[Cell, int], Tally]


class Summaries:
    """Folds and reads summaries on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def is_behind(self) -> bool:
        """Whether rows lie above a watermark."""
        pairs = zip(self.marks(), ends(self._connection), strict=True)
        return any(mark < end for mark, end in pairs)

    def fold(self, *, limit: int) -> bool:
        """Fold up to `limit` rows of each source; call it in a write. True if rows may be left."""
        connection = self._connection
        return fold(
            connection,
            self.marks(),
            ends(connection),
            limit=limit,
            count=lambda after, upto: self.merge(tallied(connection, after, upto)),
            reach=self._reach,
        )

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let this connection alone see, and fold into, copies of the summaries.

        For the length of the block, which must lie in a transaction.
        """
        with self._connection.twins(*TABLES, filled=True):
            yield

    def rebuild(self) -> None:
        """Forget all summaries; the next fold starts from the first row."""
        self._connection.execute(DROP)
        self._reach(Marks(0, 0))

    def all_time(self, version: int) -> Cells:
        """A version's tallies over all time."""
        return self._read(version, ALL_TIME, 0, 1)

    def whole_hours(self, version: int, first: int, last: int) -> Cells:
        """A version's tallies over the hours `first` (included) to `last` (excluded)."""
        hours_a_day = DAY // HOUR
        first_day, last_day = -(-first // hours_a_day), last // hours_a_day
        if first_day >= last_day:
            return self._read(version, HOURLY, first, last)
        cells = self._read(version, HOURLY, first, first_day * hours_a_day)
        merge_cells(cells, self._read(version, DAILY, first_day, last_day))
        merge_cells(cells, self._read(version, HOURLY, last_day * hours_a_day, last))
        return cells

    def edge(self, *, first_id: int, last_id: int, since: int, until: int) -> Cells:
        """Tallies of the rows themselves, for a window's ends that are no whole hours."""
        window = {"first": first_id, "last": last_id, "since": since, "until": until}
        cells: Cells = defaultdict(Tally)
        for version, revision, role, *measures in self._connection.execute(EDGE_ROWS, window):
            _count(cells[Cell(version, revision, role)], *measures)
        for row in self._connection.execute(EDGE_FEEDBACK, window):
            version, revision, role, _, name, correct, value = row
            _judge(cells[Cell(version, revision, role)], name, correct, value, 1)
        return cells

    def request_counts(self) -> dict[int, int]:
        """Live predictions of each version over all time, folded or not."""
        mark = {"mark": self.marks().predictions}
        return dict(self._connection.execute(COUNTS, mark).fetchall())

    def marks(self) -> Marks:
        """How far the summaries cover the log and the feedback."""
        found = dict(self._connection.execute(MARKS).fetchall())
        for source in SOURCES:
            if source not in found:
                raise damaged("watermarks", source)  # to take it for 0 would count rows twice
        return Marks(found[LOG], found[FEEDBACK])

    def _reach(self, marks: Marks) -> None:
        for source in SOURCES:
            mark = {"source": source, "upto": getattr(marks, source)}
            self._connection.execute(SET_MARK, mark)

    def merge(self, hours: Hours) -> None:
        """Add tallies of hours to those of all times, days and hours."""
        for (cell, hour), tally in hours.items():
            for grain, bucket in ((ALL_TIME, 0), (DAILY, hour * HOUR // DAY), (HOURLY, hour)):
                self._merge(cell, grain, bucket, tally)

    def _merge(self, cell: Cell, grain: int, bucket: int, tally: Tally) -> None:
        key = {**cell._asdict(), "grain": grain, "bucket": bucket}
        row = self._connection.execute(STORED, key).fetchone()
        merged = _from_row(row, key) if row else Tally()
        merged.merge(tally)
        self._connection.execute(STORE, key | _columns(merged))

    def _read(self, version: int, grain: int, first: int, last: int) -> Cells:
        cells: Cells = defaultdict(Tally)
        window = {"version": version, "grain": grain, "first": first, "last": last}
        for revision, role, *columns in self._connection.execute(OF_VERSION, window):
            key = {"version": version, "revision": revision, "role": role, "grain": grain}
            cells[Cell(version, revision, role)].merge(_from_row(columns, key))
        return cells


def tallied(connection: Connection, after: Marks, upto: Marks) -> Hours:
    """The rows of the log, and those of the feedback, behind the first marks up to the second."""
    hours: Hours = defaultdict(Tally)
    log = {"after": after.predictions, "upto": upto.predictions}
    for version, revision, role, at, *measures in connection.execute(LOG_ROWS, log):
        _count(hours[Cell(version, revision, role), at // HOUR], *measures)
    for row in connection.execute(FEEDBACK_ROWS, {"after": after.feedback, "upto": upto.feedback}):
        version, revision, role, at, name, correct, value, old, old_correct, old_value = row
        tally = hours[Cell(version, revision, role), at // HOUR]
        if old is not None:
            _judge(tally, name, old_correct, old_value, -1)
        _judge(tally, name, correct, value, 1)
    return hours


def merge_cells(cells: Cells, more: Cells) -> None:
    """Add tallies cell by cell."""
    for cell, tally in more.items():
        cells.setdefault(cell, Tally()).merge(tally)


def by_role(cells: Cells) -> dict[tuple[int, int], Tally]:
    """A tally for each version and role, over all revisions."""
    found: dict[tuple[int, int], Tally] = defaultdict(Tally)
    for cell, tally in cells.items():
        found[cell.version, cell.role].merge(tally)
    return found


def _count(
    tally: Tally,
    latency_us: int,
    status: int,
    confidence: float | None,
    cost: float | None,
    is_call: int,
) -> None:
    tally.add(
        ok=status == 0,
        latency_us=latency_us,
        confidence=confidence,
        cost=cost,
        is_call=bool(is_call),
    )


def _judge(tally: Tally, name: str, correct: int | None, value: float | None, times: int) -> None:
    if value is not None:
        tally.values.setdefault(name, Moments()).add(value, times)
    else:
        judged = correct is not None
        tally.judge(labelled=times, judged=times * judged, correct=times * (correct or 0))


def _columns(tally: Tally) -> dict[str, object]:
    return {
        "requests": tally.requests,
        "errors": tally.errors,
        "labelled": tally.labelled,
        "judged": tally.judged,
        "correct": tally.correct,
        "latency": f"{tally.latency_n} {tally.latency_total} {tally.calls.dump()}",
        "confidence": tally.confidence.dump(),
        "cost": tally.cost.dump(),
        "histogram": pack_histogram(tally.histogram),
        "named_values": json.dumps({n: m.dump() for n, m in sorted(tally.values.items())}),
    }


def _from_row(row: list | tuple, key: Mapping[str, object]) -> Tally:  # type: ignore[type-arg]  # mixed columns
    requests, errors, labelled, judged, correct, latency, confidence, cost, histogram, named = row
    with restored("summaries", key):
        if not (0 <= correct <= judged <= labelled and 0 <= errors <= requests):
            raise ValueError("counts that no rows can have")
        n, total, calls = latency.split(maxsplit=2)
        return Tally(
            requests=requests,
            errors=errors,
            labelled=labelled,
            judged=judged,
            correct=correct,
            latency_n=int(n),
            latency_total=int(total),
            calls=Moments.load(calls),
            histogram=unpack_histogram(histogram),
            confidence=Moments.load(confidence),
            cost=Moments.load(cost),
            values={name: Moments.load(text) for name, text in json.loads(named).items()},
        )
