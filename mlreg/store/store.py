"""The store: a registry's database, and transactions that carry one object for each noun."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlreg.errors import StoreDamaged, StoreError, StoreFull, StoreReadOnly, StoreTooNew
from mlreg.store.engines import Connection, Stamp
from mlreg.store.engines.durability import LogSync
from mlreg.store.engines.sqlite import Database
from mlreg.store.engines.writing import Writing

if TYPE_CHECKING:
    from mlreg.entities.audit import Event
    from mlreg.entities.queries import Parameters, Rows
    from mlreg.store.alerts import Alerts
    from mlreg.store.decisions import Decisions
    from mlreg.store.evaluations import Evaluations
    from mlreg.store.events import Events
    from mlreg.store.experiments import Experiments
    from mlreg.store.feedback import FeedbackTrail
    from mlreg.store.hooks import Hooks
    from mlreg.store.models import Models
    from mlreg.store.pairs import Pairs
    from mlreg.store.predictions import Entry, Predictions
    from mlreg.store.rollouts import Rollouts
    from mlreg.store.summaries import Summaries
    from mlreg.store.traffic import Traffic
    from mlreg.store.users import Users
    from mlreg.store.versions import Versions

SCHEMA_VERSION = 12  # the number of migrations; a test compares


class Transaction:
    """The tables, each behind the object of its noun, on one connection.

    A noun's module is imported when it is first used: a command pays for what it touches.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @cached_property
    def models(self) -> Models:
        """Models: the names that own versions and traffic."""
        from mlreg.store.models import Models

        return Models(self.connection)

    @cached_property
    def versions(self) -> Versions:
        """Versions, their details and aliases."""
        from mlreg.store.versions import Versions

        return Versions(self.connection, self.models)

    @cached_property
    def traffic(self) -> Traffic:
        """Revisions and their arms."""
        from mlreg.store.traffic import Traffic

        return Traffic(self.connection)

    @cached_property
    def predictions(self) -> Predictions:
        """The prediction log."""
        from mlreg.store.predictions import Predictions

        return Predictions(self.connection)

    @cached_property
    def pairs(self) -> Pairs:
        """Live predictions with what shadows answered to the same input."""
        from mlreg.store.pairs import Pairs

        return Pairs(self.connection)

    @property
    def logged(self) -> int:
        """How many rows have ever been added to the log through this object."""
        used: Predictions | None = self.__dict__.get("predictions")
        return used.added if used is not None else 0

    @cached_property
    def evaluations(self) -> Evaluations:
        """How far thresholds were held against the log."""
        from mlreg.store.evaluations import Evaluations

        return Evaluations(self.connection)

    @cached_property
    def feedback(self) -> FeedbackTrail:
        """The trail of feedback."""
        from mlreg.store.feedback import FeedbackTrail

        return FeedbackTrail(self.connection)

    @cached_property
    def summaries(self) -> Summaries:
        """Tallies of the log."""
        from mlreg.store.summaries import Summaries

        return Summaries(self.connection)

    @cached_property
    def users(self) -> Users:
        """What users did in a stretch of the log."""
        from mlreg.store.users import Users

        return Users(self.connection)

    @cached_property
    def experiments(self) -> Experiments:
        """Experiments, and what their units did."""
        from mlreg.store.experiments import Experiments

        return Experiments(self.connection)

    @cached_property
    def decisions(self) -> Decisions:
        """Policies, decisions, and the lease of the tick."""
        from mlreg.store.decisions import Decisions

        return Decisions(self.connection)

    @cached_property
    def rollouts(self) -> Rollouts:
        """Rollouts and their steps."""
        from mlreg.store.rollouts import Rollouts

        return Rollouts(self.connection)

    @cached_property
    def alerts(self) -> Alerts:
        """Alerts and silences."""
        from mlreg.store.alerts import Alerts

        return Alerts(self.connection)

    @cached_property
    def events(self) -> Events:
        """The audit trail."""
        from mlreg.store.events import Events

        return Events(self.connection)

    def take_events(self) -> Sequence[Event]:
        """What was appended to the audit trail by the transaction that ends."""
        used: Events | None = self.__dict__.get("events")
        return used.take_fresh() if used is not None else ()

    @cached_property
    def hooks(self) -> Hooks:
        """Hooks and their deliveries."""
        from mlreg.store.hooks import Hooks

        return Hooks(self.connection)


class Store:
    """Opens a registry's database and hands out transactions.

    Args:
        path: The database's file.
        timeout: Seconds to wait for other writers before `StoreBusy`.
        durability: How soon what is logged must survive a power cut: `each` row before it is
            answered, within a `second`, or when the operating system likes (`os`).
        create: Make a new database.
        refusal: Why nothing may be written to it; it is then only read.

    Raises:
        RegistryNotFound: There is no file.
        StoreError: It is no registry, damaged, or of a newer mlreg.
    """

    def __init__(
        self,
        path: Path,
        *,
        timeout: float,
        durability: str = "second",
        create: bool = False,
        refusal: StoreReadOnly | None = None,
    ) -> None:
        self.path = path
        self.syncs_each = durability == "each"
        self.database = Database(path, timeout=timeout, create=create, refusal=refusal)
        look = self.database.guard.look
        self._sync = LogSync(path, look) if durability == "second" else None
        self._local = threading.local()
        # Counts this process's own changes of the control plane, which a stamp does not show.
        self.generation = 0
        # Told of each event once it is committed, by the thread that did it.
        self.listeners: list[Callable[[Event], None]] = []
        if create:
            self._migrate()
        else:
            self._check_schema()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent snapshot."""
        with self.database.read() as connection:
            yield self.transaction(connection)

    def write(
        self, *, durable: bool = True, urgent: bool = False
    ) -> AbstractContextManager[Transaction]:
        """A transaction that commits at the end of the block, or changes nothing.

        Args:
            durable: It survives a power cut once it has ended, and counts as a change of the
                control plane.
            urgent: On a full disk the reserve is given up for it.
        """
        return self._urgent_write(durable=durable) if urgent else _Write(self, durable=durable)

    @contextmanager
    def _urgent_write(self, *, durable: bool) -> Iterator[Transaction]:
        reserve = self.database.reserve
        try:
            self.database.reopen()
        except StoreFull:
            reserve.give_up()
        try:
            with _Write(self, durable=durable) as tx:
                if reserve.is_short():
                    reserve.give_up()  # under the lock, so that nobody who logs can take the room
                yield tx
        except StoreFull as error:
            # It may be a quota that is full, which shows only now.
            if not reserve.exists():
                raise
            reserve.give_up()
            hint = "the reserve was given up for it: try again"
            raise StoreFull(error.message, hint=hint) from error

    def written(self, *, durable: bool, rows: int) -> None:
        """What follows on a commit that added so many rows to the log."""
        if durable:
            self.generation += 1
            self.database.reserve.restore()
        elif rows and self._sync is not None:
            self._sync.logged(rows)

    def tell(self, events: Sequence[Event]) -> None:
        """Tell listeners what was committed; one that fails breaks nothing."""
        for event in events:
            for listener in tuple(self.listeners):
                try:
                    listener(event)
                except Exception:
                    import logging

                    logging.getLogger("mlreg").exception(
                        "told of %s, a listener failed", event.action
                    )

    def append_prediction(self, entry: Entry) -> int:
        """Log one prediction in a transaction of its own; returns its id."""
        found = self.database.alone(
            lambda connection: self.transaction(connection).predictions.append(entry),
            durable=self.syncs_each,
        )
        if self._sync is not None:
            self._sync.logged(1)
        return found

    def stamp(self) -> Stamp:
        """Equal to an earlier stamp while nobody but this thread's connection has committed."""
        return self.database.stamp()

    def query(
        self, sql: str, parameters: Parameters = (), *, limit: int | None, seconds: float
    ) -> Rows:
        """Run a statement of the caller's own that reads; see `reading.query`."""
        from mlreg.store.engines.reading import query

        return query(self.database, sql, parameters, limit=limit, seconds=seconds)

    def tables(self) -> Rows:
        """The tables that a query can read, with their columns."""
        from mlreg.store.engines.reading import TABLES, query

        return query(self.database, TABLES)

    def damage(self) -> str | None:
        """Why some program found this registry damaged; nobody writes until that is cleared."""
        return self.database.guard.marked()

    def clear_damage(self) -> None:
        """Let programs that open the registry from now on write again: it was found sound."""
        self.database.guard.clear()

    def disk_problem(self) -> str | None:
        """Why changes fail, or might on a full disk: it cannot be written, or has no reserve."""
        try:
            self.database.reopen()
        except StoreError as error:
            return error.message
        if not os.access(self.path, os.W_OK):
            return f"{self.path} is read-only"
        if not self.database.reserve.exists():
            return "there is no reserve for a rollback on a full disk; the next change makes it"
        return None

    def close(self) -> None:
        """Close all connections; what has been logged is then on the disk."""
        self.database.close()
        # Only now: whoever closes last has the log checkpointed, and nothing is left to sync.
        if self._sync is not None:
            self._sync.finish()

    def transaction(self, connection: Connection) -> Transaction:
        """The tables on this connection, which is the thread's."""
        found: Transaction | None = getattr(self._local, "transaction", None)
        if found is None or found.connection is not connection:
            found = self._local.transaction = Transaction(connection)
        return found

    def _check_schema(self) -> None:
        with self.database.read() as connection:
            version = connection.schema_version()
        if version > SCHEMA_VERSION:
            raise StoreTooNew(
                f"{self.path} has schema {version}; this mlreg knows schema {SCHEMA_VERSION}",
                hint="upgrade mlreg",
            )
        if version == 0:
            raise StoreDamaged(f"{self.path} is not an mlreg registry: it has no schema")
        if version < SCHEMA_VERSION:
            try:
                self._migrate()
            except (StoreFull, StoreReadOnly) as error:
                raise type(error)(
                    f"{self.path} has schema {version} and must be brought to {SCHEMA_VERSION}"
                    f" before it can be used; {error.message}",
                    hint="open it once where it can be written",
                ) from error

    def _migrate(self) -> None:
        from mlreg.store.engines.migrations import migrate

        migrate(self.database)


class _Write(Writing):
    """A write of a store: its transaction, and what follows on its commit."""

    __slots__ = ("_before", "_counts", "_store", "_transaction")

    def __init__(self, store: Store, *, durable: bool) -> None:
        super().__init__(store.database, durable=durable or store.syncs_each)
        self._store = store
        self._counts = durable

    def __enter__(self) -> Transaction:  # type: ignore[override]
        tx = self._transaction = self._store.transaction(super().__enter__())
        self._before = tx.logged
        return tx

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        tx = self._transaction
        events = tx.take_events()
        super().__exit__(kind, error, trace)
        if error is None:
            self._store.written(durable=self._counts, rows=tx.logged - self._before)
            if events and self._store.listeners:
                self._store.tell(events)
