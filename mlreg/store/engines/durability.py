"""How soon the log reaches the disk: `durability = each|second|os`.

A commit with `synchronous=NORMAL` leaves its rows with the operating system. They outlive the
process at once, and a power cut as soon as the write-ahead log has been synced. SQLite does that
at its next checkpoint, which may be thousands of rows away; here it is done in time.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlreg.errors import StoreFull

# What a power cut may take of what one program has logged: so many rows, or so many seconds.
ROWS = 1000
SECONDS = 1.0
# Begun earlier, so that in general the disk is done before anybody has to wait for it.
_EARLY_ROWS = ROWS // 2
_EARLY_SECONDS = 0.8 * SECONDS

_sync_file: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class LogSync:
    """Syncs the write-ahead log of a database behind the back of those who append to it.

    A thread lives as long as there is something to sync, so a quiet process has none. Who logs
    faster than the disk can follow, waits: the bounds hold whatever the disk does.

    Args:
        database: The database's file.
        look: Called after each sync, to see whether it was the right file.
    """

    def __init__(self, database: Path, look: Callable[[], None] = lambda: None) -> None:
        self._look = look
        self._wal = database.absolute().with_name(f"{database.name}-wal")
        self._known: int | None = None
        self._forget()
        _alive.add(self)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._logged = self._synced = 0
        self._since = 0.0
        self._thread: threading.Thread | None = None
        self._failure: OSError | None = None

    def logged(self, rows: int) -> None:
        """Rows have been committed; returns when no more than promised could still be lost.

        Raises:
            StoreFull: The disk did not take what was logged before.
        """
        with self._lock:
            self._logged += rows
            waiting = self._logged - self._synced
            if waiting == rows:
                self._since = time.monotonic()
            is_calm = self._thread is not None and self._failure is None and waiting < _EARLY_ROWS
            if not is_calm or time.monotonic() > self._since + SECONDS:
                self._follow()

    def _follow(self) -> None:
        """See to it that a thread syncs what is logged, and wait for it where need be."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="mlreg-sync", daemon=True)
            self._thread.start()
        self._changed.notify_all()
        while self._is_too_much() and self._failure is None:
            self._changed.wait()
        self._check()

    def finish(self) -> None:
        """Sync what is left, now; there is no thread when it returns.

        Raises:
            StoreFull: The disk did not take it.
        """
        with self._lock:
            if self._outstanding() and self._failure is None:
                self._sync()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._check()

    def _run(self) -> None:
        with self._lock:
            while self._outstanding() and self._failure is None:
                left = self._since + _EARLY_SECONDS - time.monotonic()
                self._changed.wait_for(self._is_due, timeout=left)
                if self._outstanding():
                    self._sync()
            self._thread = None

    def _sync(self) -> None:
        """Sync all that has been logged; the lock is free while the disk works."""
        target, began, failure = self._logged, time.monotonic(), None
        self._changed.release()
        try:
            self._known = bring_to_disk(self._wal, known=self._known)
            self._look()
        except OSError as error:
            failure = error
        finally:
            self._changed.acquire()
        if failure is None:
            self._synced, self._since = max(self._synced, target), began
        # Kept for good: the system forgets what it could not write, so a second try proves nothing.
        self._failure = self._failure or failure
        self._changed.notify_all()

    def _outstanding(self) -> int:
        return self._logged - self._synced

    def _is_due(self) -> bool:
        return not 0 < self._outstanding() < _EARLY_ROWS or self._failure is not None

    def _is_too_much(self) -> bool:
        rows = self._outstanding()
        return rows > ROWS or (rows > 0 and time.monotonic() > self._since + SECONDS)

    def _check(self) -> None:
        if self._failure is not None:
            raise StoreFull(
                f"{self._wal} could not be brought to the disk: {self._failure.strerror}",
                hint="what was answered last may be lost; look at the disk, then start again",
            )


def bring_to_disk(wal: Path, *, known: int | None = None) -> int | None:
    """Sync a write-ahead log, whoever wrote it; one that is gone has been checkpointed.

    Another descriptor of this file takes no lock away: SQLite locks the database and its `-shm`.

    Args:
        wal: The file.
        known: The inode whose entry in the folder is on the disk already.

    Returns:
        The inode that was synced, with its entry in the folder.
    """
    try:
        inode = _synced(wal, _sync_file)
    except FileNotFoundError:
        return None
    if inode != known:
        _synced(wal.parent, os.fsync)
    return inode


def _synced(path: Path, sync: Callable[[int], None]) -> int:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(number)
        return os.fstat(number).st_ino
    finally:
        os.close(number)


_alive: weakref.WeakSet[LogSync] = weakref.WeakSet()


def _finish_all() -> None:
    for sync in list(_alive):
        with suppress(StoreFull):  # whoever logs next is told
            sync.finish()


def _forget_all() -> None:
    for sync in list(_alive):
        sync._forget()


atexit.register(_finish_all)
# Threads do not survive a fork, and a lock may be held by one of them.
os.register_at_fork(before=_finish_all, after_in_child=_forget_all)
