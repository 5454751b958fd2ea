"""Summaries of the log, kept up to a watermark, so that reading them does not grow with history.

Whoever crosses a multiple of `EVERY` rows, or reads, folds what lies above the watermarks. One
writer at a time holds the lock, so each row is folded exactly once. Tallies are exact, so the
summaries can be dropped and rebuilt to the same numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mlreg.clock import DAY, HOUR
from mlreg.store.classes import Classes, VersionClasses
from mlreg.store.engines import Connection
from mlreg.store.folds import CORRECTIONS, FEEDBACK, LOG, ends, fold
from mlreg.store.rows import damaged
from mlreg.store.summary_rows import KEY, NUMBERS, columns_of, tally_of
from mlreg.tallies import Marks, Measured, Moments, Tally, deviation

EVERY = 1000
_AT_ONCE = 1000
SOURCES = (LOG, FEEDBACK)
ALL_TIME, DAILY, HOURLY = 0, 1, 2

MARKS = "select source, upto from watermarks"
SET_MARK = "update watermarks set upto = :upto where source = :source"
LOG_ROWS = """
    select version, revision, role, at, latency_us, status, confidence, cost, is_call, output
    from predictions
    where id > :after and id <= :upto order by id
"""
FEEDBACK_ROWS = f"""
    select p.version, p.revision, p.role, p.at, p.output, f.name, f.correct, f.value, f.label,
        o.id, o.correct, o.value, o.label
    {CORRECTIONS}
    where f.id > :after and f.id <= :upto order by f.id
"""  # constants of the package
# Each prediction of a range with the feedback that counts now.
EDGE_FEEDBACK = """
    select p.version, p.revision, p.role, p.output, f.name, f.correct, f.value, f.label
    from predictions p
    join feedback f on f.prediction = p.id
    where p.id >= :first and p.id <= :last and p.at >= :since and p.at < :until
        and (cast(:version as bigint) is null or p.version = :version) and f.id = (
        select max(id) from feedback where prediction = p.id and name = f.name
    )
"""
EDGE_ROWS = """
    select version, revision, role, latency_us, status, confidence, cost, is_call, output
    from predictions
    where id >= :first and id <= :last and at >= :since and at < :until
        and (cast(:version as bigint) is null or version = :version)
"""
_NUMBERS, _ALL = ", ".join(NUMBERS), (*KEY, *NUMBERS)
STORED = f"""
    select {_NUMBERS} from summaries
    where version = :version and grain = :grain and bucket = :bucket and revision = :revision
        and role = :role
"""  # noqa: S608  # constants of this module
STORE = f"""
    insert into summaries ({", ".join(_ALL)}) values ({", ".join(f":{name}" for name in _ALL)})
    on conflict (version, grain, bucket, revision, role) do update set
        {", ".join(f"{name} = excluded.{name}" for name in NUMBERS)}
"""  # noqa: S608  # constants of this module
OF_VERSION = f"""
    select bucket, revision, role, {_NUMBERS} from summaries
    where version = :version and grain = :grain and bucket >= :first and bucket < :last
"""  # noqa: S608  # constants of this module
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


class Span(NamedTuple):
    """A tally of a time that begins at an instant."""

    at: int
    cell: Cell
    tally: Tally


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
        return {span.cell: span.tally for span in self._read(version, ALL_TIME, 0, 1)}

    def whole_hours(self, version: int, first: int, last: int) -> Cells:
        """A version's tallies over the hours `first` (included) to `last` (excluded)."""
        cells: Cells = {}
        for span in self.spans(version, first, last):
            merge_cells(cells, {span.cell: span.tally})
        return cells

    def spans(self, version: int, first: int, last: int, *, hourly: bool = False) -> Iterator[Span]:
        """The same hour by hour, whole days at once unless `hourly`."""
        hours_a_day = DAY // HOUR
        first_day, last_day = -(-first // hours_a_day), last // hours_a_day
        if hourly or first_day >= last_day:
            yield from self._read(version, HOURLY, first, last)
            return
        yield from self._read(version, HOURLY, first, first_day * hours_a_day)
        yield from self._read(version, DAILY, first_day, last_day)
        yield from self._read(version, HOURLY, last_day * hours_a_day, last)

    def edge(
        self, *, first_id: int, last_id: int, since: int, until: int, version: int | None = None
    ) -> Cells:
        """Tallies of the rows themselves, for a window's ends that are no whole hours.

        Args:
            first_id: The first row.
            last_id: The last one.
            since: From when on, in microseconds.
            until: Until when; excluded.
            version: Of this one alone; None: of all.
        """
        window = {
            "first": first_id, "last": last_id, "since": since, "until": until, "version": version,
        }  # fmt: skip
        cells: Cells = defaultdict(Tally)
        classes = Classes(self._connection)
        counted = _Counted(classes)
        for row in self._connection.execute(EDGE_ROWS, window):
            counted.add(row[:3], row[3:8], row[8])
        cells |= {Cell(*key): tally for key, tally in counted.tallies().items()}
        for row in self._connection.execute(EDGE_FEEDBACK, window).fetchall():
            version, revision, role, output, *said = row
            tally = cells[Cell(version, revision, role)]
            _judge(tally, classes.of(version), output, *said, times=1)
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
        merged = tally_of(row, key) if row else Tally()
        merged.merge(tally)
        self._connection.execute(STORE, key | columns_of(merged))

    def _read(self, version: int, grain: int, first: int, last: int) -> Iterator[Span]:
        window = {"version": version, "grain": grain, "first": first, "last": last}
        size = DAY if grain == DAILY else HOUR
        rows = self._connection.execute(OF_VERSION, window).fetchall()
        for bucket, revision, role, *columns in rows:
            key = {"version": version, "revision": revision, "role": role, "grain": grain}
            yield Span(bucket * size, Cell(version, revision, role), tally_of(columns, key))


def tallied(
    connection: Connection, after: Marks, upto: Marks, *, into: Connection | None = None
) -> Hours:
    """The rows of the log, and those of the feedback, behind the first marks up to the second.

    The summaries that they belong to may be `into` another database.
    """
    hours: Hours = defaultdict(Tally)
    classes = Classes(into or connection)
    log = {"after": after.predictions, "upto": upto.predictions}
    counted = _Counted(classes)
    for row in connection.execute(LOG_ROWS, log):
        counted.add((*row[:3], row[3] // HOUR), row[4:9], row[9])
    hours |= {(Cell(*key[:3]), key[3]): tally for key, tally in counted.tallies().items()}
    for row in connection.execute(FEEDBACK_ROWS, {"after": after.feedback, "upto": upto.feedback}):
        version, revision, role, at, output, name, *said = row
        tally = hours[Cell(version, revision, role), at // HOUR]
        correct, value, label, old, *before = said
        if old is not None:
            _judge(tally, classes.of(version), output, name, *before, times=-1)
        _judge(tally, classes.of(version), output, name, correct, value, label, times=1)
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


class _Counted:
    """Rows of the log by what their tallies are kept by; many are added to a tally at once."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._waiting: dict[tuple[int, ...], list[Measured]] = defaultdict(list)
        self._tallies: dict[tuple[int, ...], Tally] = defaultdict(Tally)

    def add(self, key: tuple[int, ...], row: Measured, output: str | None) -> None:
        """Count a row; the first number of the key is its version."""
        waiting = self._waiting[key]
        waiting.append(row)
        # All but the first of each class go the short way: this is asked of each row of the log.
        classes = self._classes.of(key[0])
        name = output if output in classes.answers else classes.answer(output)
        if name is not None:
            self._tallies[key].answers[name] += 1
        if len(waiting) >= _AT_ONCE:
            self._tallies[key].add(waiting)
            waiting.clear()

    def tallies(self) -> dict[tuple[int, ...], Tally]:
        """What was counted, by key."""
        for key, waiting in self._waiting.items():
            self._tallies[key].add(waiting)
        self._waiting.clear()
        return self._tallies


def _judge(
    tally: Tally,
    classes: VersionClasses,
    output: str | None,
    name: str,
    correct: int | None,
    value: float | None,
    label: str | None,
    *,
    times: int,
) -> None:
    if value is not None:
        tally.values.setdefault(name, Moments()).add(value, times)
        return
    judged = correct is not None
    tally.judge(labelled=times, judged=times * judged, correct=times * (correct or 0))
    if label is None:
        return
    if not judged:
        error = deviation(output, label)
        if error is not None:
            tally.deviate(error, times)
        return
    pair = classes.pair(output, label)
    if pair is not None:
        tally.pairs[pair] += times
