"""A disk that is full or read-only: what is there can be read, and a rollback goes through."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import mlreg
from mlreg.entities.experiments import Draft
from mlreg.errors import StoreError
from mlreg.store.engines.reserve import RESERVE, SIZE
from tests.support import DATABASE, raw

pytestmark = [pytest.mark.process, pytest.mark.slow]

MLREG = [sys.executable, "-P", "-m", "mlreg"]
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24
READS = [
    ["list"],
    ["show", "sentiment@1.0.0"],
    ["history", "sentiment"],
    ["audit"],
    ["log"],
    ["show", "1"],
    ["sql", "select count(*) from predictions"],
    ["perf", "sentiment"],
    ["compare", "sentiment@1.0.0", "sentiment@2.0.0"],
    ["route", "sentiment"],
    ["rollback", "sentiment", "--history"],
    ["next", "sentiment"],
    ["abtest", "list"],
    ["abtest", "show", "trial"],
    ["abtest", "status"],
    ["abtest", "analyze", "trial"],
    ["abtest", "verify", "trial"],
    ["doctor"],
    ["config"],
]
WRITES = [
    ["predict", "great", "--model", "sentiment"],
    ["feedback", "1", "positive"],
    ["alias", "sentiment@1.0.0", "old"],
    ["register", "other@1.0.0"],
]
STEERING = [
    ["rollback", "sentiment"],
    ["abtest", "stop", "trial"],
    ["activate", "churn@1.0.0", "--traffic", "100"],
    ["deactivate", "churn@1.0.0", "--yes"],
]


LIBC = ctypes.CDLL(None)


class Said(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


def can_be_read(said: Said) -> bool:
    """Whether a command said what it was asked; a look may say that it is too early."""
    return said.code in (0, 11) and said.out != ""


class Place:
    """A registry, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, words: list[str], *, largest: int | None = None, obeys: bool = False) -> Said:
        """Run a command; with a limit for files, or as one who obeys modes even as root."""

        def limit() -> None:
            if largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
            if obeys:
                for leave in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
                    LIBC.prctl(PR_CAPBSET_DROP, leave, 0, 0, 0)

        done = subprocess.run(
            [*MLREG, *words, "--json", "--registry", str(self.folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            preexec_fn=limit,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    def rows(self) -> list[int]:
        """The ids in the log."""
        said = self.run(["log", "-n", "100000"])
        assert said.code == 0, said.err
        return [row["prediction_id"] for row in json.loads(said.out)["predictions"]]

    def fill(self) -> None:
        """Leave not a byte."""
        with (self.folder / "ballast").open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass
        assert os.statvfs(self.folder).f_bavail == 0

    def free(self) -> None:
        (self.folder / "ballast").unlink()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, artifacts: dict[str, Path]) -> Path:
    """A registry with two models, an experiment that runs, predictions and labels."""
    folder = tmp_path_factory.mktemp("template")
    with mlreg.init(folder) as registry:
        for number in ("1.0.0", "2.0.0"):
            registry.versions.register(f"sentiment@{number}", artifacts["text"])
        registry.versions.register("churn@1.0.0", artifacts["text"])
        registry.traffic.activate("sentiment@1.0.0")
        registry.predictions.predict("great", model="sentiment")
        draft = Draft(control="sentiment@1.0.0", treatments=["sentiment@2.0.0"], mde=0.1)
        registry.experiments.create("trial", draft)
        registry.experiments.start("trial")
        for answer in [registry.predictions.predict("great", model="sentiment") for _ in range(9)]:
            registry.feedback.record(answer.prediction_id, "positive")
    return folder


@pytest.fixture
def small_disk(tmp_path: Path, template: Path) -> Iterator[Place]:
    """The registry on a file system of a few megabytes."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    mount("-t", "tmpfs", "-o", "size=12m,mode=755", "none", str(mounted))
    try:
        shutil.copytree(template, mounted, dirs_exist_ok=True)
        yield Place(mounted)
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


def mount(*words: str) -> None:
    if subprocess.run(["mount", *words], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")


def test_a_full_disk_can_be_read_refuses_the_log_and_lets_a_rollback_through(small_disk: Place):
    reserve = small_disk.folder / ".mlreg" / RESERVE
    assert reserve.stat().st_blocks * 512 >= SIZE
    logged = small_disk.rows()
    small_disk.fill()
    for words in READS:
        said = small_disk.run(words)
        assert can_be_read(said), f"{words}: {said.err}"
    for words in WRITES:
        said = small_disk.run(words)
        assert (said.code, said.out) == (6, ""), f"{words}: {said}"
        assert "the disk is full" in said.err
    assert reserve.exists()
    said = small_disk.run(STEERING[0])
    assert said.code == 0, said.err
    assert json.loads(said.out)["revision"] == 3
    assert not reserve.exists()
    for words in READS:
        if words[0] != "abtest":  # it was stopped by the rollback
            assert small_disk.run(words).code == 0, words
    assert small_disk.rows() == logged
    small_disk.free()
    assert small_disk.run(["predict", "great", "--model", "sentiment"]).code == 0
    assert small_disk.run(["alias", "sentiment@1.0.0", "old"]).code == 0
    assert reserve.stat().st_size == SIZE
    assert small_disk.run(["doctor"]).code == 0


@pytest.mark.parametrize("words", STEERING, ids=" ".join)
def test_every_change_of_who_answers_goes_through_on_a_full_disk(
    small_disk: Place, words: list[str]
):
    if words[0] == "deactivate":
        assert small_disk.run(STEERING[2]).code == 0
    small_disk.fill()
    said = small_disk.run(words)
    assert said.code == 0, said.err


def test_a_change_goes_through_while_others_try_to_log_on_a_full_disk(small_disk: Place):
    told, refused = [], 0
    with mlreg.open(small_disk.folder) as registry:
        small_disk.fill()
        for _ in range(300):
            try:
                told.append(registry.predictions.predict("great", model="sentiment").prediction_id)
            except StoreError:
                refused += 1
        assert refused
        said = small_disk.run(["rollback", "sentiment"])
        assert said.code == 0, said.err
        small_disk.free()
        told.append(registry.predictions.predict("great", model="sentiment").prediction_id)
    assert set(told) <= set(small_disk.rows())


def check_read_only(place: Place, *, obeys: bool = False) -> None:
    for words in READS:
        said = place.run(words, obeys=obeys)
        assert can_be_read(said), f"{words}: {said.err}"
    for words in [*WRITES, *STEERING]:
        said = place.run(words, obeys=obeys)
        assert (said.code, said.out) == (6, ""), f"{words}: {said}"
        assert '"store_read_only"' in said.err


def test_a_read_only_file_system_can_be_read(small_disk: Place, tmp_path: Path):
    frozen = tmp_path / "frozen"
    frozen.mkdir()
    mount("--bind", str(small_disk.folder), str(frozen))
    try:
        mount("-o", "remount,bind,ro", str(frozen))
        check_read_only(Place(frozen))
    finally:
        subprocess.run(["umount", "-l", str(frozen)], check=True)


@pytest.fixture
def protected(template: Path, tmp_path: Path) -> Iterator[Place]:
    """The registry in folders and files without the right to write."""
    folder = tmp_path / "protected"
    shutil.copytree(template, folder)
    protect(folder)
    yield Place(folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700)


def protect(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_a_write_protected_registry_can_be_read(protected: Place):
    check_read_only(protected, obeys=True)


def test_what_lies_in_the_log_of_a_registry_that_cannot_be_written_is_said_to_be_missing(
    template: Path, tmp_path: Path
):
    place = Place(tmp_path / "protected")
    shutil.copytree(template, place.folder)
    database = place.folder / ".mlreg" / DATABASE
    registry = mlreg.open(place.folder)
    registry.predictions.predict("great", model="sentiment")
    copies = {p: p.read_bytes() for p in database.parent.glob(f"{DATABASE}*")}
    registry.close()
    for path, content in copies.items():
        path.write_bytes(content)
    Path(f"{database}-shm").unlink()
    protect(place.folder)
    said = place.run(["log"], obeys=True)
    assert said.code == 0, said.err
    assert "shown as of its last checkpoint" in said.err
    assert len(json.loads(said.out)["predictions"]) == 10
    for path in [place.folder, *place.folder.rglob("*")]:
        path.chmod(0o700)
    assert len(place.rows()) == 11


def test_a_limit_on_the_size_of_files_stops_no_reading(template: Path, tmp_path: Path):
    place = Place(tmp_path)
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    for words in READS:
        said = place.run(words, largest=0)
        assert can_be_read(said), f"{words}: {said.err}"
    for words in WRITES:
        said = place.run(words, largest=0)
        assert (said.code, said.out) == (6, ""), f"{words}: {said}"


def test_an_older_registry_that_cannot_be_written_says_what_it_lacks(protected: Place):
    database = protected.folder / ".mlreg" / DATABASE
    database.parent.chmod(0o700)
    database.chmod(0o600)
    with raw(database.parent) as connection:
        connection.execute("pragma user_version = 2")
    protect(protected.folder)
    said = protected.run(["list"], obeys=True)
    assert said.code == 6
    assert "must be brought to" in said.err


STRICT = ("route", "rollback", "doctor")  # they change what they show, or mend it


@pytest.fixture
def shared(template: Path, tmp_path: Path) -> Place:
    """The registry in a folder that other users can write to."""
    folder = tmp_path / "shared"
    shutil.copytree(template, folder)
    (folder / ".mlreg").chmod(0o777)
    return Place(folder)


def test_what_is_somebody_elses_can_be_read_by_name_and_is_left_as_it_is(shared: Place):
    before = sorted((p, p.stat().st_mtime_ns) for p in shared.folder.rglob("*"))
    for words in READS:
        said = shared.run(words)
        if words[0] in STRICT:
            assert said.code == 5, f"{words}: {said}"
        else:
            assert can_be_read(said), f"{words}: {said.err}"
    for words in [*WRITES, *STEERING, ["config", "timeout", "5"]]:
        said = shared.run(words)
        assert (said.code, said.out) == (5, ""), f"{words}: {said}"
        assert "other users could change the registry" in said.err
    assert sorted((p, p.stat().st_mtime_ns) for p in shared.folder.rglob("*")) == before


def test_what_is_somebody_elses_and_was_not_named_is_refused(shared: Place):
    said = subprocess.run(
        [*MLREG, "list"],
        cwd=shared.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (said.returncode, said.stdout) == (5, "")
    assert f"to read it: --registry {shared.folder / '.mlreg'}" in said.stderr


def test_what_others_are_writing_is_read_as_of_now(shared: Place):
    folder = shared.folder / ".mlreg"
    folder.chmod(0o755)
    with mlreg.open(folder) as registry:
        registry.predictions.predict("great", model="sentiment")
        folder.chmod(0o777)
        said = shared.run(["log"])
        assert (said.code, said.err) == (0, "")
        assert len(json.loads(said.out)["predictions"]) == 11


def test_a_registry_that_is_closed_to_a_user_is_not_called_missing(shared: Place):
    folder = shared.folder / ".mlreg"
    for path, mode in ((folder / DATABASE, 0o000), (folder, 0o600)):
        was = path.stat().st_mode
        path.chmod(mode)
        said = shared.run(["list"], obeys=True)
        path.chmod(was)
        assert said.code == 6
        assert "cannot be read: permission denied" in said.err
        assert "chmod -R go+rX" in said.err
