"""One write, from BEGIN to COMMIT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlreg.errors import MlregError
from mlreg.store.engines import forking
from mlreg.store.engines.connections import SqliteConnection
from mlreg.store.engines.driver import sqlite3

if TYPE_CHECKING:
    from typing import Protocol

    class Writable(Protocol):
        """What can begin a write and end it."""

        def begin(self, *, durable: bool) -> SqliteConnection: ...
        def end(self, connection: SqliteConnection, *, is_sound: bool) -> None: ...
        def translation(self, error: sqlite3.Error) -> MlregError: ...


class Writing:
    """One write: a context that a generator would make at several times the cost.

    Args:
        database: What is written to.
        durable: As in `Database.write`.
    """

    __slots__ = ("_connection", "_database", "_durable", "_seat")

    def __init__(self, database: Writable, *, durable: bool) -> None:
        self._database = database
        self._durable = durable

    def __enter__(self) -> SqliteConnection:
        self._seat = forking.seat()
        self._seat.acquire()
        try:
            self._connection = self._database.begin(durable=self._durable)
        except BaseException as error:
            self._seat.release()
            if isinstance(error, sqlite3.Error):
                raise self._database.translation(error) from error
            raise
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        try:
            self._database.end(self._connection, is_sound=error is None)
        except sqlite3.Error as fault:
            raise self._database.translation(fault) from fault
        finally:
            self._seat.release()
        if isinstance(error, sqlite3.Error):
            raise self._database.translation(error) from error
