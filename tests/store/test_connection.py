"""Opening, transactions, contention, and faults of the file."""

from __future__ import annotations

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlreg.errors import (
    Conflict,
    RegistryNotFound,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
)
from mlreg.store.engines.sqlite import APPLICATION_ID, sqlite3
from mlreg.store.store import SCHEMA_VERSION, Store
from tests.support import DATABASE, raw

COUNT = "select next_turn from models"
ADD = "update models set next_turn = next_turn + 1"


def count_up(store: Store) -> None:
    """Read, think, write: what loses updates or fails where a transaction begins deferred."""
    with store.write() as tx:
        turn = tx.connection.execute(COUNT).fetchone()[0]
        tx.connection.execute("update models set next_turn = ?", (turn + 1,))


def test_a_new_store_is_marked_as_ours_in_wal_with_foreign_keys_and_full_sync(store: Store):
    def pragma(name: str) -> object:
        return store.database.connection().execute(f"pragma {name}").fetchone()[0]

    assert pragma("application_id") == APPLICATION_ID
    assert pragma("user_version") == SCHEMA_VERSION
    assert pragma("journal_mode") == "wal"
    assert pragma("foreign_keys") == 1
    assert pragma("synchronous") == 2


def test_the_log_is_written_with_less_sync_than_the_control_plane(store: Store):
    seen = []
    for durable in (False, True, False):
        with store.write(durable=durable) as tx:
            seen.append(tx.connection.execute("pragma synchronous").fetchone()[0])
    assert seen == [1, 2, 1]


def test_an_error_in_a_transaction_leaves_nothing_behind(store: Store):
    with pytest.raises(ZeroDivisionError), store.write() as tx:
        tx.models.ensure("sentiment", at=0).key // 0
    with store.read() as tx:
        assert tx.models.names() == []


def test_a_read_sees_one_snapshot_while_others_write(store: Store, seeded):
    other = Store(store.path, timeout=5)
    with store.read() as tx:
        before = tx.connection.execute(COUNT).fetchone()
        count_up(other)
        assert tx.connection.execute(COUNT).fetchone() == before
    with store.read() as tx:
        assert tx.connection.execute(COUNT).fetchone() == (before[0] + 1,)
    other.close()


def test_a_read_inside_a_write_sees_what_was_written(store: Store):
    with store.write() as tx:
        tx.models.ensure("sentiment", at=0)
        with store.read() as inner:
            assert inner.models.names() == ["sentiment"]


def test_threads_that_read_then_write_lose_nothing_and_are_never_busy(store: Store, seeded):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [count_up(store) for _ in range(25)], range(8)))
    with raw(store.path.parent) as connection:
        assert connection.execute(COUNT).fetchone() == (200,)


def test_waiting_longer_than_the_timeout_is_store_busy(store: Store, seeded):
    impatient = Store(store.path, timeout=0.05)
    with store.write():
        started = time.monotonic()
        with pytest.raises(StoreBusy, match=r"has been writing for 0.05 s"), impatient.write():
            pass
        assert 0.05 <= time.monotonic() - started < 2
        with impatient.read() as tx:  # readers do not wait for writers
            assert tx.models.names() == ["sentiment"]
    count_up(impatient)
    impatient.close()


def test_a_writer_that_waits_gets_its_turn(store: Store, seeded):
    other = Store(store.path, timeout=10)
    with store.write():
        waiting = threading.Thread(target=count_up, args=(other,))
        waiting.start()
        time.sleep(0.1)
    waiting.join(5)
    with store.read() as tx:
        assert tx.connection.execute(COUNT).fetchone() == (1,)
    other.close()


def test_a_lone_statement_waits_as_well(store: Store, seeded):
    other = Store(store.path, timeout=10)

    def add() -> None:
        other.database.alone(lambda connection: connection.execute(ADD))

    with store.write():
        waiting = threading.Thread(target=add)
        waiting.start()
        time.sleep(0.05)
    waiting.join(5)
    with store.read() as tx:
        assert tx.connection.execute(COUNT).fetchone() == (1,)
    other.close()


def test_a_lone_statement_reports_faults_as_a_transaction_does(store: Store):
    with pytest.raises(Conflict, match="NOT NULL"):
        store.database.alone(lambda c: c.execute("insert into models (key) values (1)"))
    with pytest.raises(StoreError, match="no such table"):
        store.database.alone(lambda c: c.execute("select * from nonsense"))


def test_another_connection_that_commits_changes_the_stamp_and_this_one_does_not(
    store: Store, seeded
):
    other, stamp = Store(store.path, timeout=5), store.stamp()
    count_up(store)
    assert store.stamp() == stamp
    count_up(other)
    assert store.stamp() != stamp
    other.close()


def test_no_thread_has_the_stamp_of_one_that_has_ended(store: Store):
    stamps = []
    for _ in range(20):
        thread = threading.Thread(target=lambda: stamps.append(store.stamp()))
        thread.start()
        thread.join()
    assert len(set(stamps)) == 20


# --- files ----------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path):
    with pytest.raises(RegistryNotFound, match="does not exist"):
        Store(tmp_path / DATABASE, timeout=0)
    assert not list(tmp_path.iterdir())


def list_versions(path: Path) -> None:
    with Store(path, timeout=0).read() as tx:
        tx.versions.all()


def other_application(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("pragma application_id = 42")
        connection.execute("create table models (key integer)")
    connection.close()


def newer_schema(path: Path) -> None:
    Store(path, timeout=0, create=True).close()
    with raw(path.parent) as connection:
        connection.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")


def without_schema(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute("create table other (x)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        pytest.param(lambda p: p.touch(), StoreDamaged, "is empty, not an mlreg", id="empty"),
        pytest.param(
            lambda p: p.write_bytes(b"garbage " * 1000), StoreDamaged, "is damaged", id="garbage"
        ),
        pytest.param(lambda p: p.write_bytes(b"x"), StoreDamaged, "is not an mlreg", id="one-byte"),
        pytest.param(other_application, StoreDamaged, "is not an mlreg registry", id="other"),
        pytest.param(newer_schema, StoreTooNew, f"has schema {SCHEMA_VERSION + 1}", id="newer"),
        pytest.param(without_schema, StoreDamaged, "it has no schema", id="no-schema"),
    ],
)
def test_a_file_of_another_kind_is_named_and_left_as_it_is(
    tmp_path: Path, make, error: type[Exception], reason: str
):
    path = tmp_path / DATABASE
    make(path)
    before = path.read_bytes()
    with pytest.raises(error, match=reason):
        Store(path, timeout=0)
    assert path.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_no_registry(tmp_path: Path):
    (tmp_path / DATABASE).mkdir()
    with pytest.raises(RegistryNotFound, match="does not exist"):
        Store(tmp_path / DATABASE, timeout=0)


def test_a_file_that_was_cut_is_damaged(store: Store, seeded):
    store.close()
    data = store.path.read_bytes()
    store.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(StoreDamaged, match="is damaged"):
        list_versions(store.path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_read_only(store: Store):
    store.close()
    store.path.parent.chmod(0o500)
    try:
        with pytest.raises(StoreReadOnly, match="cannot be opened for writing"):
            Store(store.path, timeout=0)
    finally:
        store.path.parent.chmod(0o700)


def test_a_database_that_may_not_be_written_is_read_only(store: Store):
    store.database.connection().execute("pragma query_only = on")
    with pytest.raises(StoreReadOnly, match="cannot be opened for writing"), store.write() as tx:
        tx.models.ensure("sentiment", at=0)


def test_a_full_disk_is_store_full_and_keeps_what_is_there(store: Store, seeded):
    connection = store.database.connection()
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(StoreFull, match="the disk is full"), store.write() as tx:
        [tx.models.ensure(f"model{number}", at=0) for number in range(2000)]
    with store.read() as tx:
        assert tx.models.names() == ["sentiment"]


def test_a_registry_whose_file_vanished_is_not_made_anew_by_another_thread(store: Store):
    shutil.move(store.path, store.path.with_name("elsewhere"))

    def read() -> None:
        with store.read():
            pass

    with ThreadPoolExecutor(1) as pool, pytest.raises(RegistryNotFound):
        pool.submit(read).result()
    assert not store.path.exists()


def test_the_connections_of_threads_that_ended_are_closed(store: Store):
    def read() -> None:
        with store.read():
            pass

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    read()
    before = open_files()
    for _ in range(20):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert open_files() - before <= 6


def test_a_closed_store_opens_again_on_use(store: Store, seeded):
    store.close()
    store.close()
    with store.read() as tx:
        assert tx.models.names() == ["sentiment"]


# --- fork -----------------------------------------------------------------------------------------


def in_child(action) -> int:
    """Run something in a forked child; its exit status."""
    pid = os.fork()
    if not pid:
        try:
            action()
        except StoreError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.process
def test_a_forked_child_writes_on_a_connection_of_its_own(store: Store, seeded):
    count_up(store)
    assert in_child(lambda: count_up(store)) == 0
    count_up(store)
    with store.read() as tx:
        assert tx.connection.execute(COUNT).fetchone() == (3,)


@pytest.mark.process
def test_a_forked_child_cannot_end_the_transaction_of_its_parent(store: Store, seeded):
    impatient = Store(store.path, timeout=0.05)
    with store.write() as tx:
        tx.connection.execute(ADD)
        assert in_child(lambda: count_up(impatient)) == 1  # busy: the parent holds the lock
        assert in_child(store.close) == 0
        tx.connection.execute(ADD)
    with raw(store.path.parent) as connection:
        assert connection.execute(COUNT).fetchone() == (2,)
    impatient.close()
