"""Queries of the caller's own: one statement that reads, on a connection of its own."""

from __future__ import annotations

from time import monotonic

from mlreg.clock import format_duration
from mlreg.entities.queries import Parameters, Rows
from mlreg.errors import InvalidInput, QueryTooLong
from mlreg.names import safe
from mlreg.store.engines import Connection
from mlreg.store.engines.driver import sqlite3
from mlreg.store.engines.faults import primary_code
from mlreg.store.engines.sqlite import Database

TABLES = """
    select name as "table",
        (select group_concat(name, ', ') from pragma_table_info(found.name)) as columns
    from sqlite_schema as found
    where type = 'table' and name not like 'sqlite\\_%' escape '\\'
        and name not like '\\_sqlite\\_%' escape '\\'
    order by rowid
"""

_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_PRAGMAS = frozenset(
    {
        "foreign_key_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "table_info",
        "table_list",
        "table_xinfo",
    }
)
# They reach beyond the database: into libraries, and into the memory of the process.
_FUNCTIONS = frozenset({"fts3_tokenizer", "load_extension"})
# Faults of the query, by SQLite's result code; the rest are faults of the store.
_OF_QUERY = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
        0,  # what the driver itself refuses, such as a second statement
    }
)
_HINT = "mlreg sql lists the tables and their columns"
_STEPS = 10_000  # of SQLite's machine, between two looks at the clock


def query(
    database: Database,
    sql: str,
    parameters: Parameters = (),
    *,
    limit: int | None = None,
    seconds: float = 60.0,
) -> Rows:
    """Run one statement that reads, and fetch what it finds.

    Args:
        database: What to read.
        sql: The statement.
        parameters: Values for its `?`, or by name for its `:name`.
        limit: How many rows to fetch at most.
        seconds: How long it may take.

    Raises:
        InvalidInput: The statement is wrong, or does more than read.
        QueryTooLong: It took too long.
        StoreError: The database cannot be read.
    """
    if limit is not None and limit < 1:
        raise InvalidInput(f"the number of rows must be at least 1, not {limit}")
    deadline = monotonic() + seconds
    with database.aside() as connection:
        connection.set_authorizer(_admit)
        connection.set_progress_handler(lambda: monotonic() > deadline, _STEPS)
        connection.text_factory = _text
        try:
            return _fetched(connection, sql, parameters, limit)
        except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
            raise _fault(error, seconds, is_late=monotonic() > deadline) from None


def _fetched(connection: Connection, sql: str, parameters: Parameters, limit: int | None) -> Rows:
    cursor = connection.execute(sql, parameters)
    if cursor.description is None:
        raise InvalidInput("the query has no statement", hint=_HINT)
    columns = tuple(column[0] for column in cursor.description)
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"two columns of the query are called {safe(twice)}", hint="name one with: as"
        )
    found = cursor.fetchall() if limit is None else cursor.fetchmany(limit + 1)
    return Rows(
        columns=columns, rows=found[:limit], is_cut=limit is not None and len(found) > limit
    )


def _admit(action: int, first: str | None, second: str | None, *_: object) -> int:
    admitted = action in _READING or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS)
    if action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS:
        admitted = False
    return sqlite3.SQLITE_OK if admitted else sqlite3.SQLITE_DENY


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _fault(error: Exception, seconds: float, *, is_late: bool) -> BaseException:
    """What a caller hears of an error; the store speaks for itself about its own."""
    code = primary_code(error)
    if code == sqlite3.SQLITE_INTERRUPT and is_late:
        return QueryTooLong(
            f"the query took longer than {format_duration(seconds)}",
            hint="narrow it, such as by: where id > …; or give it more time",
        )
    if code == sqlite3.SQLITE_INTERRUPT:
        # A signal that comes while SQLite works is raised, and lost, in the progress handler.
        return KeyboardInterrupt()
    if code == sqlite3.SQLITE_AUTH:
        return InvalidInput(
            f"a query may only read: {safe(str(error))}", hint="write one select statement"
        )
    return InvalidInput(safe(str(error)), hint=_HINT) if code in _OF_QUERY else error
