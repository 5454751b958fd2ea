"""No prediction id is given out twice, whatever is done to the files under open programs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import StoreDamaged
from mlreg.store.engines.guard import MARKER
from mlreg.store.store import Store
from tests.store.conftest import Seeded
from tests.store.test_durability import entry
from tests.support import DATABASE

pytestmark = pytest.mark.process

# Another program: appends so many rows and says which ids it was given, and what stopped it.
OTHER = """
import json, sys
from pathlib import Path
from mlreg.errors import MlregError
from mlreg.store.predictions import Entry
from mlreg.store.store import Store
row = Entry(0, 1, 1, 0, "single", None, None, "1", "2", 0.9, 400, 0, None, None)
ids, error = [], None
try:
    store = Store(Path(sys.argv[1]), timeout=5)
    for _ in range(20):
        ids.append(store.append_prediction(row))
except MlregError as found:
    error = found.code
print(json.dumps([ids, error]), flush=True)
sys.stdin.read()
"""


class Other:
    """A program beside this one, which has the registry open until it is told to end."""

    def __init__(self, database: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.ids, self.error = json.loads(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate(timeout=60)


class Files:
    """The files of a registry, and a backup of them taken at the beginning."""

    def __init__(self, store: Store) -> None:
        store.database.connection().execute("pragma wal_checkpoint(truncate)")
        database = store.path
        self.database = database
        self.log = [database.with_name(f"{DATABASE}-{kind}") for kind in ("wal", "shm")]
        self.backup = database.with_name("backup")
        shutil.copy(database, self.backup)


def log_is_deleted(files: Files) -> None:
    files.log[0].unlink()


def index_is_deleted(files: Files) -> None:
    files.log[1].unlink()


def backup_is_moved_in(files: Files) -> None:
    files.backup.rename(files.database)


def backup_is_moved_in_without_logs(files: Files) -> None:
    files.backup.rename(files.database)
    for path in files.log:
        path.unlink()


def registry_is_deleted(files: Files) -> None:
    files.database.unlink()


DEEDS = [
    log_is_deleted,
    index_is_deleted,
    backup_is_moved_in,
    backup_is_moved_in_without_logs,
    registry_is_deleted,
]


@pytest.mark.slow
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_two_programs_never_get_the_same_id_after(
    deed: Callable[[Files], None], seeded: Seeded, store: Store
):
    files, ids = Files(store), []
    deed(files)
    other = Other(store.path)
    with pytest.raises(StoreDamaged, match="removed or replaced while it was open"):
        ids.append(store.append_prediction(entry(seeded)))
    store.close()
    third = Other(store.path)
    for program in (other, third):
        program.end()
    assert not ids
    assert not set(other.ids) & set(third.ids)


def test_who_was_left_behind_does_not_delete_the_log_of_who_came_after(
    seeded: Seeded, store: Store
):
    for path in Files(store).log:
        path.unlink()
    other = Other(store.path)
    assert len(other.ids) == 20
    store.close()
    assert store.path.with_name(f"{DATABASE}-wal").exists()
    other.end()
    left = Store(store.path, timeout=5)
    with left.read() as tx:
        assert tx.predictions.last_id() == other.ids[-1]
    left.close()


def lose_a_table(store: Store) -> None:
    """Let the schema name a page that is not there, look, and change nothing."""
    with store.write() as tx:
        tx.connection.execute("pragma writable_schema = on")
        tx.connection.execute("update sqlite_schema set rootpage = 9999 where name = 'models'")
        tx.connection.execute("pragma writable_schema = reset")
        tx.models.names()


def test_damage_seen_once_stops_all_writes_until_it_is_cleared(seeded: Seeded, store: Store):
    other = Store(store.path, timeout=5)
    other.append_prediction(entry(seeded))
    with pytest.raises(StoreDamaged, match="malformed"):
        lose_a_table(store)
    for found in (store, other, Store(store.path, timeout=5)):
        with pytest.raises(StoreDamaged, match="nothing is written"):
            found.append_prediction(entry(seeded))
        with found.read() as tx:
            assert tx.models.names() == ["sentiment"]
        found.close()
    assert "malformed" in str(store.damage())
    store.clear_damage()
    assert store.damage() is None
    again = Store(store.path, timeout=5)
    assert again.append_prediction(entry(seeded)) > 1
    again.close()


def test_a_registry_that_was_replaced_as_a_whole_is_not_marked(seeded: Seeded, store: Store):
    files = Files(store)
    backup_is_moved_in_without_logs(files)
    with pytest.raises(StoreDamaged, match="removed or replaced"):
        store.append_prediction(entry(seeded))
    assert not store.path.with_name(MARKER).exists()
    again = Store(store.path, timeout=5)
    assert again.append_prediction(entry(seeded)) == 1
    again.close()


def test_a_file_beside_the_database_disturbs_nobody(seeded: Seeded, store: Store, tmp_path: Path):
    for number in range(3):
        (tmp_path / f"note{number}").touch()
        assert store.append_prediction(entry(seeded)) == number + 1
