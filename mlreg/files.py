"""Small files of our own: read within bounds, looked at for who could have changed them, and
written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlreg.errors import StoreBusy, StoreError, StoreFull, StoreReadOnly
from mlreg.names import safe

LONGEST = 1 << 20
OTHERS_WRITE = 0o022
OTHERS_READ = 0o077
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_READ_ONLY = {
    errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG,
}  # fmt: skip
_NO_FILES_LEFT = {errno.EMFILE, errno.ENFILE}
_PATIENCE = 15.0


class Unusable(Exception):
    """Why a file is not used: how a sentence goes on that begins with its path."""


def read_small(path: Path, *, check: Callable[[os.stat_result], str] | None = None) -> bytes | None:
    """The bytes of a regular file, in one piece; None where there is none.

    Args:
        path: The file; a pipe or a device is refused and never waited for.
        check: Says of its status what speaks against it, or nothing.

    Raises:
        Unusable: It is too large, no regular file, cannot be read, or the check says no.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unusable(_unreadable(error)) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise Unusable("is not a regular file")
        if problem := check(status) if check else "":
            raise Unusable(problem)
        return _read_within(handle)
    except OSError as error:
        raise Unusable(_unreadable(error)) from None
    finally:
        os.close(handle)


def _read_within(handle: int) -> bytes:
    found = bytearray()
    while piece := os.read(handle, LONGEST + 1 - len(found)):
        found += piece
        if len(found) > LONGEST:
            raise Unusable(f"is larger than {LONGEST:,} bytes")
    return bytes(found)


def _unreadable(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or 'unknown error').lower()}"


def stranger(status: os.stat_result, mode: int = OTHERS_WRITE) -> str:
    """Who else is in it, as the end of a sentence; nothing where only this user and root are.

    Args:
        status: Of a file or folder.
        mode: The bits that nobody else may have.
    """
    if status.st_uid not in (0, os.geteuid()):
        return f"belongs to {user_name(status.st_uid)}"
    if status.st_mode & mode:
        return f"can be {'written' if status.st_mode & OTHERS_WRITE else 'read'} by other users"
    return ""


def user_name(uid: int) -> str:
    """The name of a user, else the number."""
    import pwd

    try:
        return safe(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return f"the user {uid}"


def replace(path: Path, data: bytes, *, mode: int) -> None:
    """Give a file new content, on disk when this returns: a reader sees the old or the new.

    Raises:
        StoreError: The disk does not take it; the file is as it was.
    """
    path = Path(os.path.realpath(path))
    # Of its own name, so that two who write at once do not write into each other's.
    fresh = path.with_name(f".{path.name}-{os.getpid()}-{os.urandom(6).hex()}")
    with disk_errors(path):
        try:
            _write_new(fresh, data, mode)
            fresh.replace(path)
            sync_folder(path.parent)
        finally:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, mode)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    """Write all of the bytes, however few of them a call takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; its end comes with the process's, whatever happens.

    Raises:
        StoreBusy: Another process has held it for 15 seconds.
        StoreError: It cannot be made.
    """
    import fcntl

    with disk_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                with disk_errors(path):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except StoreBusy:
                if time.monotonic() > until:
                    raise
                time.sleep(0.005)
        yield
    finally:
        os.close(handle)


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """What the disk refuses, as the error of the store that says so."""
    try:
        yield
    except OSError as error:
        raise _store_error(error, safe(str(place))) from error


def _store_error(error: OSError, place: str) -> StoreError:
    reason = error.strerror or str(error)
    kinds: tuple[tuple[set[int], type[StoreError], str], ...] = (
        (_FULL, StoreFull, f"nothing could be written to {place}: {reason}"),
        (_READ_ONLY, StoreReadOnly, f"{place} cannot be written to: {reason}"),
        (_NO_FILES_LEFT, StoreError, f"no more files can be opened for {place}: {reason}"),
        ({errno.EWOULDBLOCK}, StoreBusy, f"another process is changing what {place} guards"),
    )
    for codes, kind, message in kinds:
        if error.errno in codes:
            return kind(message)
    return StoreError(f"{place} cannot be used: {reason}")
