"""Artifacts on disk: immutable objects that are named by the SHA-256 of their bytes."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import (
    ArtifactAltered,
    ArtifactError,
    ArtifactMissing,
    InvalidInput,
    StoreError,
    StoreFull,
    StoreReadOnly,
)
from mlreg.files import sync_folder, write_all
from mlreg.names import safe

CHUNK = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = "incoming-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_FILES_LEFT = {errno.EMFILE, errno.ENFILE}


class Stored(NamedTuple):
    """Where bytes went: their digest, how many they are, and whether the object is new."""

    digest: str
    size_bytes: int
    created: bool


class ObjectStore:
    """A folder of objects, each under `<first two digits>/<digest>`.

    An object is written once and read whole; what is read always has the digest it was asked
    for. Nothing but a digest ever becomes a path.

    Args:
        root: The folder; it is made when the first object comes.
        allow_shared: Read objects even where other users could replace them.
    """

    def __init__(self, root: Path, *, allow_shared: bool = False) -> None:
        self.root = Path(root)
        self.allow_shared = allow_shared

    def put_file(self, path: Path, *, max_bytes: int) -> Stored:
        """Copy a regular file into the store, reading it once.

        Raises:
            InvalidInput: It is missing, unreadable, too large, or no regular file.
            StoreError: The store cannot take it.
        """
        source = _open_source(Path(path))
        try:
            _check_size(os.fstat(source).st_size, path, max_bytes)
            return self._put(_pieces(source, path, max_bytes))
        finally:
            os.close(source)

    def put_bytes(self, data: bytes) -> Stored:
        """Store bytes that are in memory."""
        return self._put(iter((data,)))

    def read(self, digest: str) -> bytes:
        """The whole object, verified.

        Raises:
            ArtifactMissing: There is no such object.
            ArtifactAltered: Its bytes have another digest.
            ArtifactError: It cannot be read, or another user could have replaced it.
        """
        handle = self.open(digest)
        try:
            return read_verified(handle, digest)
        finally:
            os.close(handle)

    def open(self, digest: str) -> int:
        """A descriptor of the object, for `read_verified`.

        Raises:
            ArtifactMissing: There is no such object.
            ArtifactError: It cannot be opened, or another user could have replaced it.
        """
        path = self._path(digest)
        handle = self._open(path, digest)
        try:
            self._check_owners(handle, path, digest)
        except BaseException as error:
            os.close(handle)
            if isinstance(error, OSError):
                raise _unreadable(digest, error) from error
            raise
        return handle

    def verify(self, digest: str) -> None:
        """Raise what `read` would raise."""
        self.read(digest)

    def exists(self, digest: str) -> bool:
        """Whether there is an object of that name; its bytes are not looked at."""
        return self._path(digest).is_file()

    def digests(self) -> Iterator[str]:
        """The names of all objects, in order."""
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            for path in sorted(folder.iterdir()):
                if _DIGEST.fullmatch(path.name) and path.name.startswith(folder.name):
                    yield path.name

    def discard(self, digest: str) -> bool:
        """Remove an object; False if there was none."""
        path = self._path(digest)
        with _disk_errors(self.root):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            sync_folder(path.parent)
        return True

    def leftovers(self, older_than_seconds: float) -> list[Path]:
        """Temporary files that an interrupted write has left behind."""
        limit = time.time() - older_than_seconds
        found = []
        for path in sorted(self.root.glob(f"{_TEMPORARY}*")):
            with suppress(FileNotFoundError):
                if path.lstat().st_mtime <= limit:
                    found.append(path)
        return found

    def remove_leftovers(self, older_than_seconds: float) -> int:
        """Remove those temporary files; returns how many."""
        found = self.leftovers(older_than_seconds)
        with _disk_errors(self.root):
            for path in found:
                path.unlink(missing_ok=True)
        return len(found)

    def _put(self, pieces: Iterator[bytes]) -> Stored:
        with _disk_errors(self.root):
            _make_folder(self.root)
            temporary = self.root / f"{_TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}"
            try:
                digest, size = _write(temporary, pieces)
                return Stored(digest, size, self._keep(temporary, digest))
            finally:
                temporary.unlink(missing_ok=True)

    def _keep(self, temporary: Path, digest: str) -> bool:
        """Give the written file its name, unless a sound object has it already."""
        path = self._path(digest)
        _make_folder(path.parent)
        with suppress(ArtifactError):
            self.verify(digest)
            return False
        temporary.rename(path)
        sync_folder(path.parent)
        return True

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise InvalidInput(f"{safe(digest[:80])!r} is not the digest of an artifact")
        return self.root / digest[:2] / digest

    def _open(self, path: Path, digest: str) -> int:
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ArtifactMissing(
                f"the artifact {digest[:12]} is missing from the store",
                hint="restore the object from a backup, or register the version again",
            ) from None
        except OSError as error:
            raise _unreadable(digest, error) from error

    def _check_owners(self, handle: int, path: Path, digest: str) -> None:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactAltered(f"the artifact {digest[:12]} is no regular file any more")
        if self.allow_shared:
            return
        for what, found in (
            (path, status),
            (path.parent, path.parent.lstat()),
            (self.root, self.root.stat()),
        ):
            if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
                raise ArtifactError(
                    f"other users could replace the artifact {digest[:12]}: "
                    f"{safe(str(what))} is theirs or they can write to it",
                    hint=f"make it yours and run: chmod go-w {safe(str(what))}",
                )


def read_verified(handle: int, digest: str) -> bytes:
    """The whole of an open object.

    Raises:
        ArtifactAltered: Its bytes have another digest.
        ArtifactError: It cannot be read.
    """
    import hashlib

    try:
        data = _read_all(handle)
    except OSError as error:
        raise _unreadable(digest, error) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ArtifactAltered(
            f"the artifact {digest[:12]} was altered after it was stored",
            hint="restore the object from a backup, or register the version again",
        )
    return data


def _open_source(path: Path) -> int:
    """Open a file that people named; a link, pipe or device is refused at once."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{safe(str(path))} {_why_not(error)}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput(f"{safe(str(path))} is not a regular file")
    return handle


def _why_not(error: Exception) -> str:
    if not isinstance(error, OSError):
        return "is not a path"
    reasons = {
        errno.ENOENT: "does not exist",
        errno.ELOOP: "is a symbolic link; name the file itself",
        errno.ENXIO: "is not a regular file",
    }
    reason = (error.strerror or "unknown error").lower()
    return reasons.get(error.errno or 0, f"cannot be read: {reason}")


def _pieces(source: int, path: Path, max_bytes: int) -> Iterator[bytes]:
    size = 0
    while piece := os.read(source, CHUNK):
        size += len(piece)
        _check_size(size, path, max_bytes)  # it may have grown since
        yield piece


def _check_size(size: int, path: Path, most: int) -> None:
    if size > most:
        raise InvalidInput(f"{safe(str(path))} is larger than {most:,} bytes")


def _write(path: Path, pieces: Iterator[bytes]) -> tuple[str, int]:
    """Write a new file, on disk and read-only when this returns; its digest and size."""
    import hashlib

    digest, size = hashlib.sha256(), 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            write_all(handle, piece)
        os.fchmod(handle, 0o400)
        # A failed fsync is never retried: the kernel may have dropped the pages by then.
        os.fsync(handle)
    finally:
        os.close(handle)
    return digest.hexdigest(), size


def _read_all(handle: int) -> bytes:
    with os.fdopen(os.dup(handle), "rb", buffering=0) as file:
        return file.readall()


def _make_folder(path: Path) -> None:
    """Make a folder that is private whatever the umask says."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    path.chmod(0o700)
    sync_folder(path.parent)


def _unreadable(digest: str, error: OSError) -> ArtifactError:
    reason = error.strerror or "unknown error"
    return ArtifactError(f"the artifact {digest[:12]} cannot be read: {reason}")


@contextmanager
def _disk_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _store_error(error, safe(str(root))) from error


def _store_error(error: OSError, place: str) -> StoreError:
    reason = error.strerror or str(error)
    kinds: tuple[tuple[set[int], Callable[..., StoreError], str], ...] = (
        (_FULL, StoreFull, f"nothing could be written to {place}: {reason}"),
        (_READ_ONLY, StoreReadOnly, f"{place} cannot be written to: {reason}"),
        (_NO_FILES_LEFT, StoreError, f"no more files can be opened for {place}: {reason}"),
    )
    for codes, kind, message in kinds:
        if error.errno in codes:
            return kind(message)
    return StoreError(f"{place} cannot be used: {reason}")
