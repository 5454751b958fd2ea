"""How long a thread keeps its connection."""

from __future__ import annotations

import os

from mlreg.store.engines import forking
from mlreg.store.engines.connections import SqliteConnection
from mlreg.store.engines.guard import Guard


class Lease:
    """A thread's hold on its connection: kept among its locals, it goes when the thread ends."""

    def __init__(
        self, connection: SqliteConnection, opened: set[SqliteConnection], guard: Guard
    ) -> None:
        self._connection = connection
        self._opened = opened
        self._guard = guard
        self._pid = os.getpid()
        self._closing = forking.closing()
        opened.add(connection)

    def __del__(self) -> None:
        if os.getpid() == self._pid:
            with self._closing:
                self._opened.discard(self._connection)
                self._guard.close(self._connection)
