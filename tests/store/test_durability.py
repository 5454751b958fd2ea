"""What a power cut takes of the log: what had not been synced, and that is bounded.

A cut is played by keeping of the write-ahead log only what a sync had covered when it happened.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlreg.errors import StoreFull
from mlreg.store.engines import durability
from mlreg.store.engines.durability import ROWS, LogSync
from mlreg.store.predictions import Entry
from mlreg.store.store import Store
from tests.store.conftest import Seeded
from tests.support import DATABASE

WAL = f"{DATABASE}-wal"


class Disk:
    """Sees each sync of the log: how much of it is safe now. It can be told to stand still."""

    def __init__(self, wal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.safe = self.syncs = 0
        self.runs = threading.Event()
        self.runs.set()
        self._wal = wal
        self._sync = durability._sync_file
        monkeypatch.setattr(durability, "_sync_file", self)

    def __call__(self, number: int) -> None:
        size = os.fstat(number).st_size
        assert self.runs.wait(timeout=60)
        self._sync(number)
        self.safe = max(self.safe, size)
        self.syncs += 1


@pytest.fixture
def disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    # Without checkpoints the log only grows, so that a shorter one is an earlier one.
    store.database.connection().execute("pragma wal_autocheckpoint = 0")
    found = Disk(store.path.with_name(WAL), monkeypatch)
    yield found
    found.runs.set()


def entry(seeded: Seeded) -> Entry:
    return Entry(
        0, seeded.versions[0], 1, 0, "single", None, None, '"x"', '"y"', 0.9, 400, 0, None, None
    )


def rows_after_a_cut(store: Store, safe: int, folder: Path) -> int:
    """How many rows are left when only so much of the write-ahead log had reached the disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(store.path, folder)
    (folder / WAL).write_bytes(store.path.with_name(WAL).read_bytes()[:safe])
    left = Store(folder / DATABASE, timeout=5)
    with left.read() as tx:
        count = tx.predictions.last_id()
    left.close()
    return count


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 7, 1000, 2500])
def test_a_power_cut_takes_at_most_a_thousand_acknowledged_rows(
    store: Store, seeded: Seeded, disk: Disk, tmp_path: Path, batch: int
):
    row, acknowledged = entry(seeded), list[tuple[int, int]]()
    while (logged := len(acknowledged) * batch) < max(4 * ROWS, 3 * batch):
        if batch == 1:
            assert store.append_prediction(row) == logged + 1
        else:
            with store.write(durable=False) as tx:
                tx.predictions.append_many([row] * batch)
        acknowledged.append((logged + batch, disk.safe))
    worst = acknowledged[:: max(1, len(acknowledged) // 20)] + acknowledged[-1:]
    lost = [rows - rows_after_a_cut(store, safe, tmp_path / "cut") for rows, safe in worst]
    assert max(lost) <= ROWS


def test_rows_that_nobody_follows_up_are_synced_all_the_same(
    store: Store, seeded: Seeded, disk: Disk, tmp_path: Path
):
    for _ in range(10):
        store.append_prediction(entry(seeded))
    until(lambda: disk.syncs > 0)
    assert rows_after_a_cut(store, disk.safe, tmp_path / "cut") == 10


def test_who_logs_faster_than_the_disk_waits_for_it(store: Store, seeded: Seeded, disk: Disk):
    disk.runs.clear()
    logged = []

    def log() -> None:
        for _ in range(3):
            with store.write(durable=False) as tx:
                tx.predictions.append_many([entry(seeded)] * (ROWS // 2))
            logged.append(ROWS // 2)

    thread = threading.Thread(target=log)
    thread.start()
    thread.join(timeout=3)  # no promise: a slow machine has logged less by then
    assert sum(logged) <= ROWS
    disk.runs.set()
    thread.join(timeout=60)
    assert sum(logged) == 3 * (ROWS // 2)


def test_closing_brings_the_rest_to_the_disk(
    store: Store, seeded: Seeded, disk: Disk, tmp_path: Path
):
    other = Store(store.path, timeout=5)  # so that nothing is checkpointed at the end
    other.append_prediction(entry(seeded))
    other.close()
    assert rows_after_a_cut(store, disk.safe, tmp_path / "cut") == 1


def test_nothing_is_left_to_sync_where_closing_checkpoints(
    store: Store, seeded: Seeded, disk: Disk
):
    store.append_prediction(entry(seeded))
    store.close()
    assert not store.path.with_name(WAL).exists()
    assert disk.syncs == 0


def test_each_answer_is_synced_by_its_own_commit_where_that_is_wanted(
    store: Store, seeded: Seeded, disk: Disk
):
    careful = Store(store.path, timeout=5, durability="each")
    with careful.write(durable=False) as tx:
        assert tx.connection.execute("pragma synchronous").fetchone() == (2,)
    careful.append_prediction(entry(seeded))
    assert careful.database.connection().execute("pragma synchronous").fetchone() == (2,)
    careful.close()
    assert disk.syncs == 0  # SQLite itself has done it


def test_the_system_syncs_when_it_likes_where_that_is_wanted(
    store: Store, seeded: Seeded, disk: Disk
):
    careless = Store(store.path, timeout=5, durability="os")
    with careless.write(durable=False) as tx:
        tx.predictions.append_many([entry(seeded)] * 2 * ROWS)
        assert tx.connection.execute("pragma synchronous").fetchone() == (1,)
    careless.close()
    assert disk.syncs == 0


def test_a_sync_that_failed_is_told_to_all_who_log_later(tmp_path: Path):
    (tmp_path / "some.db-wal").symlink_to("/dev/null")  # which cannot be synced
    sync = LogSync(tmp_path / "some.db")
    with pytest.raises(StoreFull, match="could not be brought to the disk"):
        sync.logged(2 * ROWS)
    with pytest.raises(StoreFull, match="could not be brought to the disk"):
        sync.logged(1)


@pytest.mark.process
def test_a_forked_child_syncs_what_it_logs_and_no_thread_goes_over(
    store: Store, seeded: Seeded, disk: Disk
):
    store.append_prediction(entry(seeded))
    pid = os.fork()
    if not pid:
        alone = threading.active_count() == 1 and disk.syncs == 1
        store.append_prediction(entry(seeded))
        store._sync.finish()
        os._exit(0 if alone and disk.syncs == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_quiet_process_has_no_thread(store: Store, seeded: Seeded, disk: Disk):
    store.append_prediction(entry(seeded))
    until(lambda: not any(thread.name == "mlreg-sync" for thread in threading.enumerate()))
    assert disk.syncs == 1


def test_a_change_that_a_quota_refuses_may_be_tried_again(store: Store, seeded: Seeded):
    store.database.reserve.restore()
    connection = store.database.connection()
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count = {pages}")  # the disk itself has room
    with pytest.raises(StoreFull, match="the disk is full") as caught:
        add_models(store)
    assert "try again" in caught.value.hint
    assert not store.database.reserve.exists()


def add_models(store: Store) -> None:
    with store.write(urgent=True) as tx:
        for number in range(2000):
            tx.models.ensure(f"model{number}", at=0)
