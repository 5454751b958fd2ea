"""Refuses to write where the files are not those that were opened, or have been found damaged.

SQLite goes on writing into a file that was deleted or replaced behind its back. Two programs then
count from the same prediction id, each in files of its own, and the last close deletes the log of
the other. So whoever writes looks whether the registry's files are still in place, and marks it for
all others where they are not.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from mlreg.errors import StoreDamaged, StoreReadOnly

MARKER = "damaged"

# The clock of the file system ticks every few milliseconds: what changed a moment ago may change
# again and look the same.
_SETTLED_NS = 50_000_000
# A busy writer looks once in so long: nobody opens a registry and writes to it within less.
_SEEN_SECONDS = 0.001


class Connection(Protocol):
    """All that is asked of a connection here."""

    def close(self) -> None:
        """Give its files up."""


_Files = tuple[tuple[int, int] | None, ...]


class _Seal:
    """The files that a connection has open, and when they were last seen in their places."""

    __slots__ = ("files", "folder_changed", "seen")

    def __init__(self, files: _Files) -> None:
        self.files = files
        self.folder_changed = 0
        self.seen = 0.0


class Guard:
    """Watches over the files of one database, for all connections of this process.

    Args:
        database: The database's file.
    """

    def __init__(self, database: Path) -> None:
        self._database = database.absolute()
        self._marker = self._database.with_name(MARKER)
        self._seals: dict[int, _Seal] = {}
        self._folder: int | None = None
        self._condemned: str | None = None

    def watch(self, connection: Connection) -> None:
        """A connection has just opened the files; these are its own from now on."""
        if self._folder is None:
            self._folder = os.open(self._database.parent, os.O_RDONLY | os.O_CLOEXEC)
        self._seals[id(connection)] = _Seal(_files(self._database))

    def check(self, connection: Connection) -> None:
        """Nothing, if what this connection writes is what others will read.

        Raises:
            StoreDamaged: Files were replaced, or somebody found the registry damaged.
        """
        seal, now = self._seals[id(connection)], time.monotonic()
        if now - seal.seen > _SEEN_SECONDS or self._condemned:
            self._check(seal)
            seal.seen = now

    def look(self) -> None:
        """Look on behalf of those who have written and are quiet now; what is found is marked."""
        for seal in list(self._seals.values()):
            with suppress(StoreDamaged):
                self._check(seal)

    def _check(self, seal: _Seal) -> None:
        # One system call: whatever is done to a file's name changes its folder.
        changed = os.fstat(self._folder).st_mtime_ns if self._folder is not None else 0
        if self._condemned or changed != seal.folder_changed:
            self._look(seal)
            if time.time_ns() - changed > _SETTLED_NS:
                seal.folder_changed = changed

    def _look(self, seal: _Seal) -> None:
        reason = self._condemned or self.marked()
        found = _files(self._database)
        if reason is None and found != seal.files:
            reason = "its files were removed or replaced while it was open"
            # Where all of them are others, a new registry has taken this place, which may be sound.
            is_half = any(now == own for now, own in zip(found, seal.files, strict=True))
            self.condemn(reason, mark=is_half)
        if reason is not None:
            raise StoreDamaged(
                f"nothing is written to {self._database}: {reason}",
                hint="stop what uses it and run: mlreg doctor",
            )

    def condemn(self, reason: str, *, mark: bool = True) -> None:
        """Write no more to this registry from here on, and let no other program do so either."""
        self._condemned = self._condemned or reason
        if mark:
            with suppress(OSError):
                _write_durably(self._marker, reason)

    def marked(self) -> str | None:
        """Why some program found this registry damaged, until it has been cleared."""
        try:
            return self._marker.read_text("utf-8", "replace").strip() or "it was found damaged"
        except OSError:
            return None

    def clear(self) -> None:
        """The registry has been found sound: programs that open it from now on may write.

        Raises:
            StoreReadOnly: The mark cannot be taken away.
        """
        try:
            self._marker.unlink(missing_ok=True)
        except OSError as error:
            raise StoreReadOnly(f"{self._marker} cannot be removed: {error.strerror}") from None

    def close(self, connection: Connection) -> None:
        """Close a connection, unless that would delete files of others.

        The last to close checkpoints its log and deletes it by name, whoever it is of by now.
        """
        seal = self._seals.pop(id(connection), None)
        places = zip(_files(self._database), seal.files if seal else (), strict=False)
        if any(now is not None and now != own for now, own in places):
            _abandon(connection)
        else:
            connection.close()

    def __del__(self) -> None:
        if self._folder is not None:
            os.close(self._folder)


def _files(database: Path) -> _Files:
    return tuple(_identity(f"{database}{suffix}") for suffix in ("", "-wal", "-shm"))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _write_durably(path: Path, text: str) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(number, f"{text}\n".encode("utf-8", "replace"))
        os.fsync(number)
    finally:
        os.close(number)


def _abandon(connection: Connection) -> None:
    """Keep a connection open until the process ends, and even then have nobody close it."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
