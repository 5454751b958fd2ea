"""A little room kept aside, so that a rollback goes through when the disk is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

RESERVE = "reserve"
SIZE = 512 << 10  # a rollback needs a few pages of log, and the index beside it

_SHORT = 2 * SIZE
_PLENTY = 16 * SIZE


class Reserve:
    """The reserve of one registry, a file beside its database.

    Args:
        folder: The folder of the registry.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._path = self._folder / RESERVE

    def exists(self) -> bool:
        """Whether it is there in full."""
        try:
            return self._path.stat().st_size >= SIZE
        except OSError:
            return False

    def is_short(self) -> bool:
        """Whether the disk is full, or so nearly that a change may fail."""
        return _room(self._folder) < _SHORT

    def give_up(self) -> None:
        """Free its room for what cannot wait."""
        with suppress(OSError):
            self._path.unlink()

    def restore(self) -> None:
        """Take it aside again, if it is gone and there is room for many of it."""
        if os.path.exists(self._path) or _room(self._folder) < _PLENTY:
            return
        with suppress(OSError):
            self._allocate()

    def _allocate(self) -> None:
        number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(number, 0, SIZE)
            else:
                os.write(number, bytes(SIZE))
        except OSError:
            self.give_up()
            raise
        finally:
            os.close(number)


def _room(folder: Path) -> int:
    """The bytes that this user may still write; nothing where that cannot be told."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return 0
    blocks = status.f_bavail if os.geteuid() else status.f_bfree
    return blocks * status.f_frsize
