"""SQLite's own moves inside a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from mlreg.store.engines import Values
from mlreg.store.engines.driver import sqlite3

# Holds the pages of 100 000 users, which a fold would else write out half-way; a larger one lets
# the sorter work in runs that no processor's cache holds, which costs more than it saves.
_CACHE_KIB = 8_192

_TABLE_SQL = "select sql from main.sqlite_schema where name = :name"
_COUNTER = "select seq from sqlite_sequence where name = :table"
_COLUMNS = (
    "select name, pk > 0, type = 'INTEGER' from pragma_table_info(:table, 'main') order by cid"
)

# What is raised of a table that is gone.
MISSING = sqlite3.OperationalError


class SqliteConnection(sqlite3.Connection):
    """A connection of the driver; the door tells what each of these does."""

    stored, beside = "main", "temp"

    def append(self, sql: str, row: Values) -> int:
        return int(self.execute(sql, row).lastrowid or 0)

    def append_many(self, sql: str, rows: Sequence[Values]) -> range:
        # Plain tuples are bound a fifth faster than named ones.
        self.executemany(sql, map(tuple, rows))
        last = int(self.execute("select last_insert_rowid()").fetchone()[0])
        return range(last - len(rows) + 1, last + 1)

    def each_of(self, name: str) -> str:
        return f"select value from json_each(:{name})"  # noqa: S608  # a constant of the package

    def listed(self, members: Sequence[int] | Sequence[str]) -> object:
        return json.dumps(members)

    def label(self, key: str) -> str:
        return f'$."{key}"'  # older releases take a bare one with a dot in it for a path

    def is_json(self, column: str) -> str:
        return f"json_valid({column})"

    def is_object(self, column: str) -> str:
        return f"(json_type({column}) = 'object')"

    def same_json(self, column: str, other: str) -> str:
        values = f"json_extract({column}, '$') is json_extract({other}, '$')"
        return f"(json_type({column}) = json_type({other}) and {values})"

    def counter(self, table: str) -> int:
        row = self.execute(_COUNTER, {"table": table}).fetchone()
        return int(row[0]) if row else 0

    def schema_version(self) -> int:
        return int(self.execute("pragma user_version").fetchone()[0])

    @contextmanager
    def twins(self, *tables: str, filled: bool = False) -> Iterator[None]:
        for table in tables:
            ddl: str = self.execute(_TABLE_SQL, {"name": table}).fetchone()[0]
            # A temporary table hides the one of the same name.
            self.execute("create temp table" + ddl[len("create table") :])
            if filled:
                self.execute(f"insert into temp.{table} select * from main.{table}")  # noqa: S608
        try:
            yield
        finally:
            for table in tables:
                self.execute(f"drop table temp.{table}")

    def columns(self, table: str) -> list[tuple[str, bool, bool]]:
        return self.execute(_COLUMNS, {"table": table}).fetchall()

    def make_room(self) -> None:
        self.execute(f"pragma cache_size = -{_CACHE_KIB}")


@contextmanager
def scratch(
    ddl: Sequence[str], copy: str, columns: Sequence[str], key: Sequence[str]
) -> Iterator[SqliteConnection]:
    """A database of its own in a file that spills and goes, with a table for rows as they are.

    Args:
        ddl: The tables to make.
        copy: The name of a table that takes any values.
        columns: Its columns.
        key: Those by which it is read.
    """
    # An empty name is a database of its own in a temporary file that SQLite removes.
    made = sqlite3.connect("", isolation_level=None, factory=SqliteConnection)
    with closing(made) as connection:
        connection.executescript(
            "pragma journal_mode = off; pragma synchronous = off;"
            f"{';'.join(ddl)}; create table {copy} ({', '.join(columns)},"
            f" primary key ({', '.join(key)})) without rowid"
        )
        yield connection
