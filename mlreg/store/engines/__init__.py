"""The engine door: what the store asks of a database, beside statements.

Statements are in the subset of SQL that SQLite and PostgreSQL share: both prepare all of them. What
one of them has of its own lies behind these protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # to build protocols would cost each command 2 ms

Values = Mapping[str, Any] | Sequence[Any]
# Equal to an earlier one while nobody but this thread's connection has committed.
Stamp = tuple[int, int]
_T = TypeVar("_T")


class Cursor(Protocol):
    """What a statement has found, or how many rows it has changed: a cursor of the DB-API."""

    @property
    def rowcount(self) -> int: ...
    @property
    def description(self) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchmany(self, size: int) -> list[Any]: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection inside a transaction.

    Attributes:
        stored: The schema that the tables are in, also while a twin hides one.
        beside: The schema that twins are in.
    """

    stored: str
    beside: str

    def execute(self, sql: str, values: Values = ..., /) -> Cursor:
        """Run a statement with values for its `:name`, or in order for its `?`."""

    def executemany(self, sql: str, rows: Iterable[Values], /) -> object:
        """Run a statement for each of the rows."""

    def append(self, sql: str, row: Values) -> int:
        """Insert a row into a table that counts its own; returns its id."""

    def append_many(self, sql: str, rows: Sequence[Values]) -> range:
        """Insert rows into such a table; returns their ids, which are consecutive."""

    def each_of(self, name: str) -> str:
        """A query for the members of a bound list, to be put behind `in`."""

    def listed(self, members: Sequence[int] | Sequence[str]) -> object:
        """A list as it is bound."""

    def label(self, key: str) -> str:
        """A key of a JSON object as it is bound behind `->>`."""

    def is_json(self, column: str) -> str:
        """A condition: a column of JSON is that, which some engines see to themselves."""

    def is_object(self, column: str) -> str:
        """A condition: a column of JSON is an object."""

    def same_json(self, column: str, other: str) -> str:
        """A condition: two columns hold the same JSON."""

    def counter(self, table: str) -> int:
        """The last id that a table has given; ids are never given twice."""

    def schema_version(self) -> int:
        """How many migrations there have been."""

    def twins(self, *tables: str, filled: bool = False) -> AbstractContextManager[None]:
        """For the length of a block hide tables behind empty or `filled` ones of the same names.

        This connection alone sees them; the block must lie in a transaction.
        """

    def columns(self, table: str) -> list[tuple[str, bool, bool]]:
        """Of each column its name, and whether it is of the key, and of exact numbers."""

    def make_room(self) -> None:
        """Prepare for a statement that touches many pages of a table."""


class Engine(Protocol):
    """One database: a connection for each thread, read and write transactions.

    The order of commits is the order of ids: one writer at a time holds the lock. Faults of the
    driver leave as errors of mlreg.
    """

    def read(self) -> AbstractContextManager[Connection]:
        """A consistent snapshot."""

    def write(self, *, durable: bool = True) -> AbstractContextManager[Connection]:
        """A transaction that commits at the end of the block; durable, it survives a power cut."""

    def alone(self, statement: Callable[[Any], _T], *, durable: bool = True) -> _T:
        """Run one statement as a transaction of its own."""

    def aside(self) -> AbstractContextManager[Any]:
        """A connection for a block alone, which can only read."""

    def stamp(self) -> Stamp:
        """Equal to an earlier stamp while nobody but this thread's connection has committed."""

    def reopen(self) -> None:
        """Try again to open for writing, if that was refused."""

    def close(self) -> None:
        """Close the connections of all threads of this process."""
