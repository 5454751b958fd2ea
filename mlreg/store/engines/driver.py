"""Which SQLite: one in a process, as two of them undo each other's locks.

SQLite up to 3.51.2 can also corrupt a write-ahead log that two connections reset at one moment.
pysqlite3 brings a newer one than most interpreters carry.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

# Releases that mend the reset of the log: the first of each line that has it, and all later lines.
SOUND_SINCE = ((3, 44, 6), (3, 50, 7), (3, 51, 3))


def is_sound(version: str) -> bool:
    """Whether this release of SQLite resets its write-ahead log safely."""
    numbers = tuple(map(int, version.split(".")))
    return numbers >= SOUND_SINCE[-1] or any(
        numbers[:2] == since[:2] and numbers >= since for since in SOUND_SINCE
    )


def prefers_standard(loaded: str | None) -> bool:
    """Whether to use the standard library's SQLite: it is here already, and it is sound.

    Args:
        loaded: The version that this process has loaded through `sqlite3`; None for none.
    """
    return loaded is not None and is_sound(loaded)


def _chosen() -> Any:
    if not prefers_standard(getattr(sys.modules.get("_sqlite3"), "sqlite_version", None)):
        try:
            from pysqlite3 import dbapi2
        except ImportError:  # no wheel for this platform; `doctor` warns where it matters
            pass
        else:
            return dbapi2
    from sqlite3 import dbapi2 as standard

    return standard


if TYPE_CHECKING:
    import sqlite3
else:
    sqlite3 = _chosen()

SQLITE_VERSION: str = sqlite3.sqlite_version
IS_STANDARD = sqlite3.__name__.startswith("sqlite3")
