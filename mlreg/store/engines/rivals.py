"""Another SQLite in this process: it must not open a file that ours has open, nor ours one of its.

POSIX drops all locks that a process has on a file as soon as any descriptor of it is closed. One
SQLite knows its own descriptors, and keeps them until the last lock is gone; those of a second one
it does not know. A writer whose locks are gone destroys the database.
"""

from __future__ import annotations

import gc
import os
import sys
from functools import cache
from pathlib import Path

from mlreg.errors import StoreShared
from mlreg.store.engines import forking
from mlreg.store.engines.driver import IS_STANDARD

_EVENT = "sqlite3.connect"  # raised by the standard library alone, before it opens the file
_WHY = "two SQLites in one process destroy a database"
_HINT = "use registry.query(sql), mlreg sql, or a process of its own"


@cache
def keep_off() -> None:
    """From now on, refuse the standard library's SQLite what ours has open."""
    if not IS_STANDARD:
        sys.addaudithook(_heed)


def check_free(path: Path) -> None:
    """Make sure that the standard library's SQLite does not have this file open.

    Raises:
        StoreShared: It has.
    """
    other = sys.modules.get("_sqlite3")
    if other is None or IS_STANDARD or not _has_descriptor(path):
        return
    if any(isinstance(found, other.Connection) for found in gc.get_objects()):
        raise StoreShared(
            f"this process has {path} open through the module sqlite3; {_WHY}",
            hint=f"close that connection, and {_HINT}",
        )


def _heed(event: str, arguments: tuple[object, ...]) -> None:
    if event == _EVENT:
        _refuse(arguments[0])


def _refuse(database: object) -> None:
    wanted = _status(database)
    for found in forking.holders() if wanted else ():
        if found.is_open and _status(found.path) == wanted:
            raise StoreShared(f"this process has {found.path} open; {_WHY}", hint=_HINT)


def _status(database: object) -> tuple[int, int] | None:
    """Which file this is, by whatever name; None if there is none."""
    try:
        found = os.stat(_name(database))
    except (OSError, TypeError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _name(database: object) -> str:
    name = os.fsdecode(database)  # type: ignore[arg-type]  # a TypeError is an answer, too
    if not name.startswith("file:"):
        return name
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(name).path)


def _has_descriptor(path: Path) -> bool:
    wanted = path.stat()
    for number in os.listdir("/dev/fd") if os.path.isdir("/dev/fd") else ():
        try:
            if os.path.samestat(os.fstat(int(number)), wanted):
                return True
        except OSError:  # the descriptor by which the folder was listed
            continue
    return False
