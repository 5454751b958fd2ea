"""Which SQLite is used, and what keeps a second one off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlreg.store.engines.driver import is_sound, prefers_standard

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ("3.40.1", False),
        ("3.44.5", False),
        ("3.44.6", True),
        ("3.45.0", False),
        ("3.50.6", False),
        ("3.50.7", True),
        ("3.51.0", False),
        ("3.51.2", False),
        ("3.51.3", True),
        ("3.52.0", True),
        ("4.0.0", True),
    ],
)
def test_a_release_is_sound_if_its_line_has_the_repair(version: str, sound: bool):
    assert is_sound(version) is sound


@pytest.mark.parametrize(
    ("loaded", "preferred"), [(None, False), ("3.40.1", False), ("3.51.3", True)]
)
def test_the_standard_library_is_used_where_it_is_loaded_and_sound(loaded, preferred: bool):
    assert prefers_standard(loaded) is preferred


# --- another SQLite in the same process ---------------------------------------------------------

PROGRAM = """
import os, sqlite3, sys
import mlreg
from mlreg.errors import StoreShared
from mlreg.store.engines.driver import IS_STANDARD, sqlite3 as ours
assert not IS_STANDARD, "skip"
folder = sys.argv[1]
path = folder + "/.mlreg/registry.db"
def refused(action):
    try:
        action()
    except StoreShared as error:
        print(error.message)
        return True
    return False
"""


def run(program: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "AssertionError: skip" in done.stderr:
        pytest.skip("the interpreter's own SQLite is sound: there is only one")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.fixture
def folder(registry, tmp_path: Path) -> Path:
    registry.versions.register("m@1.0.0")
    registry.close()
    return tmp_path


@pytest.mark.process
def test_the_standard_library_cannot_open_what_is_open_by_whatever_name(folder: Path):
    program = """
os.symlink(path, folder + "/link.db")
os.chdir(folder)
with mlreg.open(folder) as registry:
    uris = "file:.mlreg/registry.db?mode=ro", f"file://{path.replace('y', '%79')}?immutable=1"
    for name in (path, path.encode(), ".mlreg/registry.db", "link.db", *uris):
        assert refused(lambda: sqlite3.connect(name, uri=True)), name
    assert registry.query("select name from models").rows == [("m",)]
"""
    lines = run(program, folder)
    assert len(lines) == 6
    assert all("two SQLites in one process destroy a database" in line for line in lines)


@pytest.mark.process
def test_everything_else_is_open_to_the_standard_library(folder: Path):
    program = """
with mlreg.open(folder):
    sqlite3.connect(":memory:").close()
    sqlite3.connect("").close()
    sqlite3.connect(folder + "/other.db").close()
    ours.connect(path).close()
sqlite3.connect(path).close()
"""
    assert run(program, folder) == []


@pytest.mark.process
def test_a_registry_is_not_opened_while_the_standard_library_has_it_open(folder: Path):
    program = """
connection = sqlite3.connect(path)
connection.execute("select * from models").fetchall()
assert refused(lambda: mlreg.open(folder))
connection.close()
with mlreg.open(folder) as registry:
    registry.versions.list()
    registry.close()
    connection = sqlite3.connect(path)
    connection.execute("select * from models").fetchall()
    assert refused(registry.versions.list)
    connection.close()
    assert len(registry.versions.list()) == 1
"""
    lines = run(program, folder)
    assert len(lines) == 2
    assert all("open through the module sqlite3" in line for line in lines)


@pytest.mark.process
@pytest.mark.slow
def test_a_service_that_tries_to_read_with_the_standard_library_stays_sound(folder: Path):
    """What destroyed a registry within seconds: closing it there dropped the locks of ours."""
    program = """
import subprocess, threading
from mlreg.registry import Registry
from tests.support import Echo
registry = Registry(__import__("pathlib").Path(path).parent, runner=Echo())
registry.versions.register("e@1.0.0", b"x", check=False)
registry.traffic.activate("e@1.0.0")
ids, done = [], threading.Event()
def serve():
    while not done.is_set():
        ids.append(registry.predictions.predict("x", model="e").prediction_id)
thread = threading.Thread(target=serve)
thread.start()
for _ in range(4):
    assert refused(lambda: sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("select 1"))
    words = [sys.executable, "-m", "mlreg", "alias", "e@1.0.0", "champion"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
done.set()
thread.join()
rows = registry.query("select id from predictions").rows
assert sorted(ids) == [row[0] for row in rows], (len(ids), len(rows))
assert registry.health.check().healthy
"""
    assert len(run(program, folder)) == 4
