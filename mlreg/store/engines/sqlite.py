"""The driver, transactions and their faults: what is bound to SQLite lives here.

Every write is a BEGIN IMMEDIATE, taken by our own jittered retry: SQLite's busy handler starves
writers (its sleeps grow, and the luckiest wins), and a transaction that begins deferred fails at
once when it turns into a write behind another writer's back.
"""

from __future__ import annotations

import os
import random
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mlreg.errors import MlregError, MlregWarning, RegistryNotFound, StoreDamaged
from mlreg.store.engines import Engine, Stamp, forking, rivals
from mlreg.store.engines.connections import SqliteConnection
from mlreg.store.engines.driver import SQLITE_VERSION as SQLITE_VERSION
from mlreg.store.engines.driver import sqlite3
from mlreg.store.engines.faults import (
    BUSY,
    FULL,
    READ_ONLY,
    explained,
    is_damage,
    primary_code,
)
from mlreg.store.engines.guard import Guard
from mlreg.store.engines.lease import Lease
from mlreg.store.engines.reserve import Reserve
from mlreg.store.engines.writing import Writing

APPLICATION_ID = 0x6D6C7267  # "mlrg"

_RETRY_SECONDS = (50e-6, 500e-6)
_REFUSED_SECONDS = 1.0  # after which a read looks whether the registry can be written again
_AS_IT_LIES = "mode=ro&immutable=1"
_LOOKING_ON = "mode=ro&readonly_shm=1"  # with those who write, and without a trace
_T = TypeVar("_T")


class Database:
    """One SQLite file: a connection for each thread, read and write transactions.

    Args:
        path: The file; it must exist unless `create`.
        timeout: Seconds to wait for other writers before `StoreBusy`.
        create: Make a new, empty database with the application id.
        refusal: Why nothing may be written to it; it is then only read.
    """

    def __init__(
        self,
        path: Path,
        *,
        timeout: float,
        create: bool = False,
        refusal: MlregError | None = None,
    ) -> None:
        self.path = path
        self._timeout = timeout
        self._refusal = refusal
        self.guard = Guard(path)
        self.reserve = Reserve(path.parent)
        self._local = threading.local()
        self._opened: set[SqliteConnection] = set()
        self._numbers = count(1)
        self._pid = os.getpid()
        forking.watch(self)
        rivals.keep_off()
        with self._translated(), forking.seat():
            self._connect(create=create)

    def _check_file(self) -> None:
        if not self.path.is_file():
            raise RegistryNotFound(f"{self.path} does not exist", hint="run: mlreg init")
        if self.path.stat().st_size == 0:
            raise StoreDamaged(f"{self.path} is empty, not an mlreg registry")

    def connection(self) -> SqliteConnection:
        """This thread's connection, to be used on the thread's seat: see `forking`."""
        if os.getpid() != self._pid:
            forking.begin_as_child()
        found: SqliteConnection | None = getattr(self._local, "connection", None)
        if found is None:
            return self._connect()
        if self._local.refusal is not None and not found.in_transaction:
            return self._renewed(found)
        return found

    def stamp(self) -> Stamp:
        """Equal to an earlier stamp while nobody but this thread's connection has committed.

        SQLite's data version tells nothing across connections. These are told apart by a number
        that is never given again, as an address is once a thread has ended.
        """
        with forking.seat():
            row = self.connection().execute("pragma data_version").fetchone()
            return self._local.number, row[0]

    @property
    def is_open(self) -> bool:
        """Whether any thread has a connection."""
        return bool(self._opened)

    def drain(self) -> None:
        """Close the connections of all threads; each opens a new one when it needs it."""
        while self._opened:
            self.guard.close(self._opened.pop())
        self._local = threading.local()

    def disown(self) -> set[SqliteConnection]:
        """In a forked child: forget the connections of its parent, and return them."""
        inherited, self._opened = self._opened, set()
        own = getattr(self._local, "connection", None)
        if own in inherited:  # the child may be in the middle of the parent's transaction
            own.set_authorizer(_deny)
        self._local = threading.local()
        self._pid = os.getpid()
        return inherited

    def _connect(self, *, create: bool = False) -> SqliteConnection:
        forking.check_child()
        if not create:
            self._check_file()
            if not self.is_open:
                rivals.check_free(self.path)
        refusal, mode = self._refusal, self._mode(create=create)
        try:
            connection = self._open(mode, create=create)
        except sqlite3.OperationalError as error:
            if create or primary_code(error) not in FULL + READ_ONLY:
                raise
            refusal, mode = refusal or self.translation(error), _AS_IT_LIES
            # Without room or leave to make the files beside it, the database itself can be read.
            connection = self._open(mode)
        if mode == _AS_IT_LIES:
            self._tell_of_rest()
        self._local.connection = connection
        self._local.durable = True
        self._local.number = next(self._numbers)
        self._local.refusal = refusal
        self._local.aside = "mode=ro" if refusal is None else mode
        self._local.since = time.monotonic()
        self._local.lease = Lease(connection, self._opened, self.guard)
        if refusal is None:
            self.guard.watch(connection)
        return connection

    def _mode(self, *, create: bool) -> str:
        if self._refusal is None:
            return "mode=rwc" if create else "mode=rw"
        # Else SQLite would make the files beside it where it can.
        beside = (f"{self.path}-wal", f"{self.path}-shm")
        return _LOOKING_ON if all(map(os.path.exists, beside)) else _AS_IT_LIES

    def _open(self, mode: str, *, create: bool = False) -> SqliteConnection:
        connection = sqlite3.connect(
            # A file that went away meanwhile must not come back empty.
            f"{self.path.absolute().as_uri()}?{mode}",
            uri=True,
            timeout=0,
            isolation_level=None,
            cached_statements=256,
            factory=SqliteConnection,
            check_same_thread=False,  # `close` may run in another thread than the one that opened
        )
        try:
            self._retrying(lambda: self._prepare(connection, create=create))
        except BaseException:
            connection.close()
            raise
        return connection

    def _renewed(self, found: SqliteConnection) -> SqliteConnection:
        """A connection that can only read, looked at again from time to time."""
        if time.monotonic() - self._local.since < _REFUSED_SECONDS:
            return found
        return self._connect()

    def _tell_of_rest(self) -> None:
        """Warn of what lies in the log, where it cannot be read; once for each place."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        if wal.exists() and wal.stat().st_size:
            warnings.warn(
                f"the registry {self.path} cannot be written, so it is shown as of its last"
                f" checkpoint: what lies in {wal.name} is missing",
                MlregWarning,
                stacklevel=2,
            )

    def reopen(self) -> None:
        """Try again to open for writing, if that was refused.

        Raises:
            StoreError: It is refused still.
        """
        with self._translated(), forking.seat():
            self.connection()
            if self._local.refusal is not None:
                self._connect()
            if self._local.refusal is not None:
                raise self._local.refusal

    def _prepare(self, connection: SqliteConnection, *, create: bool) -> None:
        if create:
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
            connection.execute("pragma journal_mode = wal")
            connection.execute("select 1 from sqlite_schema").fetchone()  # makes the log's files
        elif connection.execute("pragma application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreDamaged(
                f"{self.path} is not an mlreg registry", hint="name another with --registry"
            )
        connection.execute("pragma foreign_keys = on")
        connection.execute("pragma synchronous = full")

    @contextmanager
    def read(self) -> Iterator[SqliteConnection]:
        """A consistent snapshot. Keep it short, and never around a model or the network."""
        try:
            with forking.seat():
                connection = self.connection()
                if connection.in_transaction:
                    yield connection
                    return
                self._retrying(lambda: _begin_read(connection))
                try:
                    yield connection
                finally:
                    self._roll_back(connection)
        except sqlite3.Error as error:
            raise self.translation(error) from error

    def write(self, *, durable: bool = True) -> Writing:
        """A transaction that commits at the end of the block and rolls back on any error.

        Args:
            durable: Survive a power cut (`synchronous=FULL`, for the control plane); otherwise
                survive a crash of the process (`NORMAL`, for the prediction log).
        """
        return Writing(self, durable=durable)

    def begin(self, *, durable: bool) -> SqliteConnection:
        """Begin a write on this thread's connection; it is on the thread's seat meanwhile."""
        connection = self._connection_for(durable=durable)
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError as error:
            if primary_code(error) not in BUSY:
                raise
            self._retrying(lambda: connection.execute("begin immediate"))
        try:
            self.guard.check(connection)
        except BaseException:
            self._roll_back(connection)
            raise
        return connection

    def end(self, connection: SqliteConnection, *, is_sound: bool) -> None:
        """Commit what a write has done, or roll it back."""
        if not is_sound:
            self._roll_back(connection)
            return
        try:
            connection.execute("commit")
        except BaseException:
            self._roll_back(connection)
            raise
        self.guard.check(connection)

    def _roll_back(self, connection: SqliteConnection) -> None:
        # One that was closed meanwhile has rolled back; one that a child inherited never may.
        if connection in self._opened and connection.in_transaction:
            connection.execute("rollback")

    def alone(self, statement: Callable[[SqliteConnection], _T], *, durable: bool = True) -> _T:
        """Run one statement as a transaction of its own, without BEGIN and COMMIT to pay for."""
        try:
            with forking.seat():
                connection = self._connection_for(durable=durable)
                self.guard.check(connection)
                try:
                    found = statement(connection)
                except sqlite3.OperationalError as error:
                    if primary_code(error) not in BUSY:
                        raise
                    found = self._retrying(lambda: statement(connection))
                self.guard.check(connection)
                return found
        except sqlite3.Error as error:
            raise self.translation(error) from error

    @contextmanager
    def aside(self) -> Iterator[SqliteConnection]:
        """A connection for this block alone, which can only read; set up as one likes."""
        with self._translated(), forking.seat():
            self.connection()  # what it checks holds for this one, too
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?{self._local.aside}",
                uri=True,
                timeout=self._timeout,
                isolation_level=None,
                factory=SqliteConnection,
                check_same_thread=False,
            )
            self._opened.add(connection)
            try:
                yield connection
            finally:
                if connection in self._opened:  # else it is the parent's
                    self._opened.discard(connection)
                    connection.close()

    def _connection_for(self, *, durable: bool) -> SqliteConnection:
        connection, local = self.connection(), self._local
        if local.refusal is not None:
            self.reopen()
            connection = self.connection()
        if local.durable != durable:
            connection.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
            local.durable = durable
        return connection

    def close(self) -> None:
        """Close the connections of all threads of this process."""
        if os.getpid() == self._pid:
            with forking.seat(), forking.closing():
                self.drain()

    def _retrying(self, action: Callable[[], _T]) -> _T:
        deadline = None
        while True:
            try:
                return action()
            except sqlite3.OperationalError as error:
                if primary_code(error) not in BUSY:
                    raise
                present = time.monotonic()
                deadline = deadline or present + self._timeout
                if present > deadline:
                    raise
            time.sleep(random.uniform(*_RETRY_SECONDS))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self.translation(error) from error

    def translation(self, error: sqlite3.Error) -> MlregError:
        """What a fault of the driver is to users; damage is marked, so that nobody writes to it."""
        # Else it may be any file, or one that others write while it is read as it lies there.
        if is_damage(error) and self._opened and getattr(self._local, "refusal", None) is None:
            self.guard.condemn(str(error))
        return explained(error, self.path, timeout=self._timeout, reserve=self.reserve)


def _deny(*_: object) -> int:
    return sqlite3.SQLITE_DENY


def _begin_read(connection: SqliteConnection) -> None:
    connection.execute("begin")
    try:
        # A deferred BEGIN takes no snapshot; this read does, so that nothing later can be busy.
        connection.execute("select 1 from sqlite_schema limit 1").fetchone()
    except sqlite3.Error:
        connection.execute("rollback")
        raise


if TYPE_CHECKING:
    _keeps_its_promise: type[Engine] = Database
