"""Questions about the database file itself, for `doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from mlreg.store.engines import Connection
from mlreg.store.engines.driver import SQLITE_VERSION, is_sound
from mlreg.store.engines.sqlite import Database

# What belongs to SQLite and to sqlite-utils is not ours to check. By exact names: whatever else
# begins like theirs is somebody's.
SCHEMA = """
    select name, sql from sqlite_schema where sql is not null
        and name not in ('_sqlite_migrations', 'sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4')
"""
TRIGGERS = "select name from sqlite_schema where type = 'trigger'"
MOST = 20


class SqliteFacts(NamedTuple):
    """The library in use, and whether it is free of the WAL-reset bug."""

    version: str
    is_sound: bool


def sqlite_facts() -> SqliteFacts:
    """Which SQLite this process uses."""
    return SqliteFacts(SQLITE_VERSION, is_sound(SQLITE_VERSION))


def page_problems(connection: Connection) -> list[str]:
    """What SQLite's own check of pages finds."""
    found = [row[0] for row in connection.execute("pragma integrity_check(10)")]
    return [] if found == ["ok"] else found


def reference_problems(connection: Connection) -> list[str]:
    """Rows that refer to nothing, the first of them."""
    broken = connection.execute("pragma foreign_key_check").fetchmany(MOST)
    return [
        f"{table} row {'' if row is None else row} refers to nothing in {to}".replace("  ", " ")
        for table, row, to, _ in broken
    ]


MISSING = "is missing"


class SchemaProblem(NamedTuple):
    """Something in the schema that is not as the migrations make it.

    Attributes:
        kind: `table`, `index`, `trigger` or `view`.
        what: What is wrong with it.
        expected: Its SQL as it is made; None where it is nobody's that mlreg knows.
    """

    kind: str
    name: str
    what: str
    expected: str | None

    @property
    def table(self) -> str | None:
        """The table that an index is on."""
        words = (self.expected or "").split()
        return words[words.index("on") + 1] if self.kind == "index" and "on" in words else None

    @property
    def is_code_or_index(self) -> bool:
        """Whether it holds no rows, so that it can be made again."""
        return self.kind in ("index", "trigger")


def schema_problems(connection: Connection, expected: Mapping[str, str]) -> list[SchemaProblem]:
    """Tables, indexes and triggers that are missing, differ, or are not known."""
    found = dict(connection.execute(SCHEMA).fetchall())
    problems = [
        SchemaProblem(_kind(sql), name, "was changed" if name in found else MISSING, sql)
        for name, sql in expected.items()
        if found.get(name) != sql
    ]
    unknown = [
        SchemaProblem(_kind(sql), name, f"is no {_kind(sql)} of mlreg", None)
        for name, sql in found.items()
        if name not in expected
    ]
    return problems + unknown


def _kind(sql: str) -> str:
    """`create unique index …` is an index."""
    words = sql.lower().split()
    return next((w for w in words[1:4] if w in ("table", "index", "trigger", "view")), "table")


def journal_mode(connection: Connection) -> str:
    """How the file protects its transactions: `wal`, if nobody has changed it."""
    return str(connection.execute("pragma journal_mode").fetchone()[0])


@contextmanager
def guards_down(connection: Connection, expected: Mapping[str, str]) -> Iterator[None]:
    """A block, inside a write transaction, without any trigger; then mlreg's own are there again.

    Nobody else ever sees the tables without them.
    """
    connection.execute("pragma defer_foreign_keys = on")
    for (name,) in connection.execute(TRIGGERS).fetchall():
        connection.execute(f"drop trigger {_quoted(name)}")
    yield
    for sql in expected.values():
        if _kind(sql) == "trigger":
            connection.execute(sql)


def make_again(connection: Connection, problem: SchemaProblem) -> None:
    """Make an index, or a table that is gone, as the migrations do."""
    if problem.kind == "index":
        connection.execute(f"drop index if exists {_quoted(problem.name)}")
    if problem.expected is not None:
        connection.execute(problem.expected)


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def wal_bytes(database: Database) -> int:
    """The size of the write-ahead log."""
    wal = database.path.with_name(database.path.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0
