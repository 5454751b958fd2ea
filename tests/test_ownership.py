"""A registry is this user's, or it is not read: neither its settings nor anything else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlreg.config import FILE, FOLDER, find_registry, load_settings
from mlreg.errors import ArtifactUntrusted, MlregWarning
from mlreg.ownership import check_own
from mlreg.registry import init_registry, open_registry

STRANGER = 54_321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init_registry(tmp_path).close()
    return tmp_path / FOLDER


@as_root
def test_a_planted_registry_cannot_allow_itself(folder: Path):
    (folder / FILE).write_text("allow_shared = true\n")
    os.chown(folder, STRANGER, STRANGER)
    with pytest.raises(ArtifactUntrusted, match=f"belongs to the user {STRANGER}") as caught:
        open_registry(folder)
    assert "MLREG_ALLOW_SHARED=true" in caught.value.hint


@as_root
@pytest.mark.parametrize(
    "name", [FILE, "registry.db", "registry.db-wal", "registry.db-shm", "objects"]
)
def test_each_vital_file_must_be_ours(folder: Path, name: str):
    (folder / name).touch()
    os.chown(folder / name, STRANGER, STRANGER)
    with pytest.raises(ArtifactUntrusted, match=f"{name} belongs to the user {STRANGER}"):
        load_settings(folder)


@as_root
def test_a_link_of_somebody_else_is_not_followed(tmp_path: Path, folder: Path):
    link = tmp_path / "link"
    link.symlink_to(folder)
    load_settings(link)
    os.lchown(link, STRANGER, STRANGER)
    with pytest.raises(ArtifactUntrusted, match=f"link belongs to the user {STRANGER}"):
        load_settings(link)


@as_root
def test_what_is_allowed_by_the_environment_opens(folder: Path, monkeypatch: pytest.MonkeyPatch):
    os.chown(folder, STRANGER, STRANGER)
    monkeypatch.setenv("MLREG_ALLOW_SHARED", "true")
    open_registry(folder).close()


def test_a_file_that_others_reach_and_can_write_is_refused(folder: Path):
    database = folder / "registry.db"
    database.chmod(0o666)
    load_settings(folder)  # nobody else gets into the folder
    folder.chmod(0o755)
    with pytest.raises(ArtifactUntrusted, match=r"registry\.db can be written by other users"):
        load_settings(folder)
    database.chmod(0o644)
    load_settings(folder)


def test_a_folder_that_others_could_swap_from_above_is_refused(tmp_path: Path, folder: Path):
    tmp_path.chmod(0o777)
    with pytest.raises(ArtifactUntrusted, match="can be written by other users") as caught:
        load_settings(folder)
    assert f"chmod +t {tmp_path}" in caught.value.hint
    tmp_path.chmod(0o1777)
    load_settings(folder)


@as_root
def test_a_group_above_counts_as_others_unless_it_is_our_own(tmp_path: Path, folder: Path):
    tmp_path.chmod(0o770)
    load_settings(folder)
    os.chown(tmp_path, -1, STRANGER)
    with pytest.raises(ArtifactUntrusted, match="can be written by other users"):
        load_settings(folder)


def test_the_settings_of_a_registry_that_is_refused_are_not_read(folder: Path):
    os.mkfifo(folder / FILE)
    folder.chmod(0o777)
    with pytest.raises(ArtifactUntrusted, match="other users could change the registry"):
        load_settings(folder)


def test_what_only_the_user_may_say_is_told_of_and_ignored(folder: Path):
    (folder / FILE).write_text("allow_shared = true\ntimeout = 5\n")
    with pytest.warns(MlregWarning, match="sets allow_shared, which no registry can say"):
        settings = load_settings(folder)
    assert not settings.flag("allow_shared")
    assert settings.number("timeout") == 5
    assert settings.unheard == ("allow_shared",)


@pytest.fixture
def public_place() -> Iterator[Path]:
    """A folder that other users can enter, as the temporary ones of tests are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # a place all can enter
        Path(name).chmod(0o1777)
        yield Path(name)


def seen_as(uid: int, folder: Path) -> str:
    """What a process of another user is told who works below a folder."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.chdir(folder)
            check_own(find_registry(environ={}), ("registry.db",))
            os.write(writer, b"opened")
        except BaseException as error:  # noqa: BLE001  # a child must end here
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        text = told.read().decode()
    os.waitpid(child, 0)
    return text


@as_root
@pytest.mark.process
def test_an_ordinary_user_is_told_whose_registry_they_walked_into(public_place: Path):
    load_settings(None)  # what the child needs is imported before it becomes somebody else
    folder, deep = public_place / FOLDER, public_place / "deep"
    init_registry(public_place).close()
    deep.mkdir(mode=0o755)
    folder.chmod(0o755)
    for path in (folder, *folder.iterdir()):
        os.chown(path, STRANGER, STRANGER)
    assert seen_as(STRANGER, deep) == "opened"
    assert f"{folder} belongs to the user {STRANGER}" in seen_as(STRANGER + 1, deep)
