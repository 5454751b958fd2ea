"""The summaries folded anew beside the stored ones, in a private database that spills to disk.

Rows up to a watermark never change, so the log may be read in short transactions: nobody waits,
and memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from mlreg.store.engines import Connection
from mlreg.store.engines.connections import MISSING, scratch
from mlreg.store.folds import ends, fold
from mlreg.store.summaries import MARKS, SOURCES, TABLES, Summaries, tallied
from mlreg.store.summary_rows import KEY, NUMBERS
from mlreg.tallies import Marks

if TYPE_CHECKING:
    from mlreg.store.store import Store

_ALL = ", ".join((*KEY, *NUMBERS))
_PLACES = ", ".join("?" * len((*KEY, *NUMBERS)))
READ = f"select {_ALL} from summaries"  # noqa: S608  # constants of this module
KEEP = f"insert into stored ({_ALL}) values ({_PLACES})"  # noqa: S608  # constants of this module
WRITE = f"insert into summaries ({_ALL}) values ({_PLACES})"  # noqa: S608  # constants of this module
SET_MARK = """
    insert into watermarks (source, upto) values (?, ?)
    on conflict (source) do update set upto = excluded.upto
"""
_SAME_KEY = " and ".join(f"n.{column} = s.{column}" for column in KEY)


def _compared(table: str, column: str) -> str:
    # Not every engine compares JSON, but each compares its text.
    return f"cast({table}.{column} as text)" if column == "named_values" else f"{table}.{column}"


_OTHER = " or ".join(
    f"s.{c} is null or {_compared('n', c)} <> {_compared('s', c)}" for c in NUMBERS
)
_NEW, _OLD = (", ".join(f"{t}.{c}" for c in NUMBERS) for t in "ns")
_NEW_KEY, _OLD_KEY = (", ".join(f"{t}.{c}" for c in KEY) for t in "ns")
DIFFERENCES = f"""
    select {_NEW_KEY}, {_OLD}, {_NEW} from summaries n left join stored s on {_SAME_KEY}
    where {_OTHER}
    union all
    select {_OLD_KEY}, {_OLD}, {_NEW} from stored s left join summaries n on {_SAME_KEY}
    where n.version is null
    order by 2, 1, 4, 5, 3 limit ?
"""  # noqa: S608  # constants of this module

_PIECE = 10_000


class Difference(NamedTuple):
    """A number of the stored summaries that is not what the log gives; None: there is no row."""

    version: int
    grain: int
    bucket: int
    revision: int
    role: int
    column: str
    stored: object
    folded: object


class Refold:
    """Summaries folded from the first row on, up to the stored watermarks.

    Attributes:
        marks: How far the stored summaries cover the log, as far as that is known.
        ends: The newest rows at the beginning.
    """

    def __init__(self, scratch: Connection) -> None:
        self._scratch = scratch
        self._summaries = Summaries(scratch)
        self._reached = self.ends = Marks(0, 0)
        self.marks: dict[str, object] = {}

    def begin(self, connection: Connection) -> None:
        """Take note of what is stored, in a read transaction."""
        self.ends = ends(connection)
        self._scratch.execute("begin")
        with suppress(MISSING):  # a table that is gone has no rows
            self.marks = dict(connection.execute(MARKS).fetchall())
            self._scratch.executemany(KEEP, connection.execute(READ))
        self._scratch.execute("commit")

    @property
    def upto(self) -> Marks:
        """How far to fold: as far as the summaries say they do, if there are such rows."""
        within = (_within(self.marks.get(s), getattr(self.ends, s)) for s in SOURCES)
        return Marks(*within)

    def advance(self, connection: Connection) -> int:
        """Fold the next rows, in a read transaction; returns how many ids they span."""

        def count(after: Marks, upto: Marks) -> None:
            self._scratch.execute("begin")
            self._summaries.merge(tallied(connection, after, upto, into=self._scratch))
            self._scratch.execute("commit")

        before = sum(self._reached)
        fold(connection, self._reached, self.upto, limit=_PIECE, count=count, reach=self._reach)
        return sum(self._reached) - before

    def _reach(self, marks: Marks) -> None:
        self._reached = marks

    def differences(self, limit: int) -> list[Difference]:
        """Where the stored summaries are not what the log gives."""
        found = []
        for row in self._scratch.execute(DIFFERENCES, (limit,)):
            version, grain, bucket, revision, role, *numbers = row
            pairs = zip(NUMBERS, numbers[: len(NUMBERS)], numbers[len(NUMBERS) :], strict=True)
            other = next(pair for pair in pairs if pair[1] != pair[2])
            found.append(Difference(version, grain, bucket, revision, role, *other))
        return found

    def put(self, connection: Connection) -> None:
        """Put what was folded in the place of what is stored, in a write transaction."""
        connection.execute("delete from summaries")
        connection.executemany(WRITE, self._scratch.execute(READ))
        reached = self._reached
        connection.executemany(SET_MARK, [(source, getattr(reached, source)) for source in SOURCES])


@contextmanager
def refolding(schema: Mapping[str, str]) -> Iterator[Refold]:
    """A fold beside the tables; what it holds is gone at the end of the block.

    Args:
        schema: The SQL of each table as the migrations make it.
    """
    ddl = [schema[table] for table in TABLES]
    with scratch(ddl, "stored", (*KEY, *NUMBERS), KEY) as connection:
        yield Refold(connection)


def refold(store: Store, anew: Refold) -> Iterator[int]:
    """Fold all there is to fold; yields the number of rows of each piece."""
    while True:
        with store.read() as tx:
            rows = anew.advance(tx.connection)
        if not rows:
            return
        yield rows


def _within(mark: object, end: int) -> int:
    return min(mark, end) if isinstance(mark, int) and mark >= 0 else end
