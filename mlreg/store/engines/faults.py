"""What SQLite's faults are to users."""

from __future__ import annotations

import os
from pathlib import Path

from mlreg.errors import (
    Conflict,
    MlregError,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
)
from mlreg.names import safe
from mlreg.store.engines import forking
from mlreg.store.engines.driver import sqlite3
from mlreg.store.engines.reserve import Reserve

BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


def primary_code(error: Exception) -> int:
    """SQLite's primary result code, e.g. SQLITE_IOERR of SQLITE_IOERR_WRITE; 0 if it has none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is not what SQLite has written."""
    return primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def explained(error: sqlite3.Error, path: Path, *, timeout: float, reserve: Reserve) -> MlregError:
    """The error of mlreg that a fault of the driver is."""
    code, where = primary_code(error), f"the registry {path}"
    if code in BUSY:
        return StoreBusy(
            f"{where} is busy: another process has been writing for {timeout:g} s",
            hint="try again, or raise busy_timeout in the settings",
        )
    if code in FULL:
        is_full = code == sqlite3.SQLITE_FULL or reserve.is_short()
        what = "the disk is full" if is_full else "a disk I/O error"
        return StoreFull(f"{where} could not be written: {what}", hint="free some space")
    if code in READ_ONLY:
        if not os.access(path, os.R_OK):
            return StoreReadOnly(
                f"{where} cannot be read: permission denied",
                hint=f"ask its owner to run: chmod -R go+rX {safe(str(path.parent))}",
            )
        return StoreReadOnly(
            f"{where} cannot be opened for writing ({error})",
            hint="the folder itself must be writable: WAL keeps two files beside it",
        )
    if is_damage(error):
        return StoreDamaged(f"{where} is damaged: {error}", hint="restore it from a backup")
    if code == sqlite3.SQLITE_AUTH:
        return forking.refusal()
    if code == sqlite3.SQLITE_CONSTRAINT:
        return Conflict(f"the change breaks a rule of the registry: {error}")
    return StoreError(f"{where}: {error}", hint="run: mlreg doctor")
