from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlreg.artifacts import objects as module
from mlreg.artifacts.objects import ObjectStore
from mlreg.errors import (
    ArtifactAltered,
    ArtifactError,
    ArtifactMissing,
    InvalidInput,
    StoreError,
    StoreFull,
    StoreReadOnly,
)

DATA = b"the bytes of a model" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()
MUCH = 10**9


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.joblib"
    path.write_bytes(DATA)
    return path


def path_of(objects: ObjectStore, digest: str) -> Path:
    return objects.root / digest[:2] / digest


def test_what_was_put_is_read_back_under_its_digest(objects: ObjectStore, source: Path) -> None:
    assert objects.put_file(source, max_bytes=MUCH) == (DIGEST, len(DATA), True)
    assert objects.read(DIGEST) == DATA
    assert objects.exists(DIGEST)
    assert list(objects.digests()) == [DIGEST]


def test_the_same_bytes_are_stored_once(objects: ObjectStore, source: Path) -> None:
    objects.put_file(source, max_bytes=MUCH)
    assert objects.put_bytes(DATA) == (DIGEST, len(DATA), False)
    assert objects.leftovers(0) == []


def test_a_damaged_object_is_replaced_when_its_bytes_come_again(objects: ObjectStore) -> None:
    objects.put_bytes(DATA)
    path_of(objects, DIGEST).chmod(0o600)
    path_of(objects, DIGEST).write_bytes(b"damaged")
    assert objects.put_bytes(DATA).created
    assert objects.read(DIGEST) == DATA


def test_objects_are_private_whatever_the_umask(objects: ObjectStore) -> None:
    before = os.umask(0)
    try:
        objects.put_bytes(DATA)
    finally:
        os.umask(before)
    path = path_of(objects, DIGEST)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, objects.root)] == [
        0o400,
        0o700,
        0o700,
    ]


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def make_socket(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("make", [make_fifo, make_link, make_socket, Path.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(objects, tmp_path, make) -> None:
    make(tmp_path / "odd")
    with pytest.raises(InvalidInput, match=r"regular file|symbolic link"):
        objects.put_file(tmp_path / "odd", max_bytes=MUCH)


def test_a_device_is_refused(objects: ObjectStore) -> None:
    with pytest.raises(InvalidInput, match="/dev/zero is not a regular file"):
        objects.put_file(Path("/dev/zero"), max_bytes=MUCH)


@pytest.mark.parametrize("name", ["nothing", "nul\0byte", "x" * 5000])
def test_a_path_that_leads_nowhere_is_refused(objects, tmp_path, name) -> None:
    with pytest.raises(InvalidInput, match=r"does not exist|not a path|cannot be read"):
        objects.put_file(tmp_path / name, max_bytes=MUCH)


def test_a_file_that_is_too_large_leaves_nothing_behind(objects, source) -> None:
    with pytest.raises(InvalidInput, match="larger than 100 bytes"):
        objects.put_file(source, max_bytes=100)
    assert list(objects.root.rglob("*")) == []


def test_a_file_that_is_too_large_is_not_read(objects, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(InvalidInput, match="larger than 1,048,576 bytes"):
        objects.put_file(tmp_path / "sparse", max_bytes=1 << 20)
    assert not objects.root.exists()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_a_file_that_is_larger_than_it_says_is_refused(objects) -> None:
    assert Path("/proc/self/maps").stat().st_size == 0
    with pytest.raises(InvalidInput, match="larger than 100 bytes"):
        objects.put_file(Path("/proc/self/maps"), max_bytes=100)
    assert [path for path in objects.root.rglob("*") if path.is_file()] == []


def test_an_altered_object_is_refused(objects: ObjectStore) -> None:
    objects.put_bytes(DATA)
    path_of(objects, DIGEST).chmod(0o600)
    path_of(objects, DIGEST).write_bytes(DATA[:-1] + b"!")
    with pytest.raises(ArtifactAltered, match=f"{DIGEST[:12]} was altered"):
        objects.verify(DIGEST)


def test_a_missing_object_is_named(objects: ObjectStore) -> None:
    with pytest.raises(ArtifactMissing, match=f"{DIGEST[:12]} is missing"):
        objects.read(DIGEST)


def test_a_link_in_the_place_of_an_object_is_refused(objects, source) -> None:
    objects.put_bytes(DATA)
    path_of(objects, DIGEST).unlink()
    path_of(objects, DIGEST).symlink_to(source)
    with pytest.raises(ArtifactError, match="cannot be read"):
        objects.read(DIGEST)


def test_a_fifo_in_the_place_of_an_object_does_not_hang(objects: ObjectStore) -> None:
    objects.put_bytes(DATA)
    path_of(objects, DIGEST).unlink()
    os.mkfifo(path_of(objects, DIGEST))
    with pytest.raises(ArtifactAltered, match="no regular file"):
        objects.read(DIGEST)


@pytest.mark.parametrize("place", ["file", "folder", "root"])
def test_objects_that_others_could_replace_are_refused(objects: ObjectStore, place: str) -> None:
    objects.put_bytes(DATA)
    path = path_of(objects, DIGEST)
    {"file": path, "folder": path.parent, "root": objects.root}[place].chmod(0o777)
    with pytest.raises(ArtifactError, match="other users could replace"):
        objects.read(DIGEST)
    assert ObjectStore(objects.root, allow_shared=True).read(DIGEST) == DATA


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, DIGEST + "\n", DIGEST[:-1]])
def test_only_digests_become_paths(objects: ObjectStore, digest: str) -> None:
    with pytest.raises(InvalidInput, match="not the digest"):
        objects.read(digest)


def test_a_discarded_object_is_gone(objects: ObjectStore) -> None:
    objects.put_bytes(DATA)
    assert objects.discard(DIGEST)
    assert not objects.discard(DIGEST)
    assert list(objects.digests()) == []


def test_leftovers_of_an_interrupted_write_are_found_and_removed(objects: ObjectStore) -> None:
    objects.put_bytes(DATA)
    (objects.root / "incoming-1-dead").write_bytes(b"half")
    assert objects.leftovers(3600) == []
    assert [path.name for path in objects.leftovers(0)] == ["incoming-1-dead"]
    assert objects.remove_leftovers(0) == 1
    assert list(objects.digests()) == [DIGEST]


def test_a_folder_that_cannot_be_used_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be used"):
        ObjectStore(tmp_path / "file" / "objects").put_bytes(DATA)


@contextmanager
def limited(what: int, soft: int) -> Iterator[None]:
    """A limit of this process; lifted before pytest writes its own output, which may be a file."""
    before = resource.getrlimit(what)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(what, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_fails_leaves_no_temporary_file(objects: ObjectStore) -> None:
    small = limited(resource.RLIMIT_FSIZE, 1000)
    with pytest.raises(StoreFull, match="nothing could be written"), small:
        objects.put_bytes(DATA)
    assert list(objects.root.iterdir()) == []


def test_running_out_of_descriptors_is_one_clear_error(objects: ObjectStore) -> None:
    few = limited(resource.RLIMIT_NOFILE, 3)
    with pytest.raises(StoreError, match=r"no more files|cannot be used"), few:
        objects.put_bytes(DATA)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, StoreFull),
     (errno.EROFS, StoreReadOnly), (errno.EACCES, StoreReadOnly), (errno.EMFILE, StoreError)],
)  # fmt: skip
def test_each_fault_of_the_disk_has_its_error(objects: ObjectStore, number, kind) -> None:
    with pytest.raises(kind, match="objects"), module._disk_errors(objects.root):
        raise OSError(number, os.strerror(number))
