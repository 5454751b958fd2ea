"""Questions about the database file itself, for `doctor`."""

from __future__ import annotations

from typing import NamedTuple

from mlreg.store.connection import FIRST_SOUND_SQLITE, SQLITE_VERSION, Connection, Database

# What belongs to sqlite-utils is not ours to check.
SCHEMA = """
    select name, sql from sqlite_schema where sql is not null and name not like '_sqlite_%'
        and name not like 'sqlite_%'
"""


class SqliteFacts(NamedTuple):
    """The library in use, and whether it is free of the WAL-reset bug."""

    version: str
    is_sound: bool


def sqlite_facts() -> SqliteFacts:
    """Which SQLite this process uses."""
    numbers = tuple(map(int, SQLITE_VERSION.split(".")))
    return SqliteFacts(SQLITE_VERSION, numbers >= FIRST_SOUND_SQLITE)


def integrity_problems(connection: Connection) -> list[str]:
    """What SQLite's own checks of pages and foreign keys find."""
    found = [row[0] for row in connection.execute("pragma integrity_check(10)")]
    broken = connection.execute("pragma foreign_key_check").fetchall()
    pages = [] if found == ["ok"] else found
    return pages + [f"{table} row {row} refers to nothing in {to}" for table, row, to, _ in broken]


def schema_problems(connection: Connection, expected: dict[str, str]) -> list[str]:
    """Tables, indexes and triggers that are missing or differ from the ones that were made."""
    found = dict(connection.execute(SCHEMA).fetchall())
    return [
        f"{name} {'was changed' if name in found else 'is missing'}"
        for name, sql in expected.items()
        if found.get(name) != sql
    ]


def wal_bytes(database: Database) -> int:
    """The size of the write-ahead log."""
    wal = database.path.with_name(database.path.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0
