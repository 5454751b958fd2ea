"""Forks at the level of the store: what is closed, who waits, and who is refused."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable

import pytest

from mlreg.errors import MlregError, StoreForked
from mlreg.store.engines import forking
from mlreg.store.engines.driver import sqlite3
from mlreg.store.store import Store

pytestmark = [
    pytest.mark.process,
    # A fork beside threads is the very thing to be tested.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

ADD = "update models set next_turn = next_turn + 1"
COUNT = "select next_turn from models"


def add(store: Store) -> None:
    with store.write() as tx:
        tx.connection.execute(ADD)


def total(store: Store) -> int:
    with store.read() as tx:
        return int(tx.connection.execute(COUNT).fetchone()[0])


def files_of(store: Store) -> set[str]:
    """The files of the database that this process has open."""
    names = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{n}")]  # fmt: skip
    return {name for name in names if name.startswith(str(store.path))}


def said_by_child(action: Callable[[], object]) -> str:
    """What the action returns in a forked child, or the code of the error that it raises there."""
    source, sink = os.pipe()
    pid = os.fork()
    if not pid:
        said = "failed"
        try:
            said = str(action())
        except MlregError as error:
            said = error.code
        finally:
            os.write(sink, said.encode())
            os._exit(0)
    os.close(sink)
    with os.fdopen(source) as stream:
        said = stream.read()
    assert os.waitpid(pid, 0)[1] == 0
    return said


def test_no_connection_goes_along_with_a_fork(store: Store, seeded):
    add(store)
    assert files_of(store)
    assert said_by_child(lambda: files_of(store)) == "set()"


def test_parent_and_child_open_again_by_themselves_in_each_thread(store: Store, seeded):
    other = threading.Thread(target=add, args=(store,))
    add(store)
    other.start()
    other.join()

    def work() -> int:
        add(store)
        thread = threading.Thread(target=add, args=(store,))
        thread.start()
        thread.join()
        return total(store)

    assert said_by_child(work) == "4"
    assert work() == 6


def test_what_was_kept_before_a_fork_is_read_anew_after_it(store: Store):
    before = store.stamp()
    assert said_by_child(lambda: store.stamp() == before) == "False"
    assert store.stamp() != before


@pytest.mark.parametrize("kind", ["read", "write"])
def test_a_fork_inside_a_transaction_leaves_it_to_the_parent_and_refuses_the_child(
    store: Store, seeded, kind: str
):
    with getattr(store, kind)() as tx:
        before = tx.connection.execute(COUNT).fetchone()
        if kind == "write":
            tx.connection.execute(ADD)
        assert said_by_child(lambda: total(store)) == "store_forked"
        assert said_by_child(lambda: Store(store.path, timeout=5)) == "store_forked"
        assert tx.connection.execute(COUNT).fetchone()[0] == before[0] + (kind == "write")
    assert total(store) == (kind == "write")
    assert said_by_child(lambda: total(store)) == str(int(kind == "write"))


def test_a_child_can_neither_use_nor_commit_the_transaction_that_it_was_forked_in(
    store: Store, seeded
):
    def leave() -> None:
        with store.write() as tx:
            tx.connection.execute(ADD)
            pid = os.fork()
            if not pid:
                with pytest.raises(sqlite3.DatabaseError, match="is prohibited"):
                    tx.connection.execute(ADD)
                return
            assert os.waitpid(pid, 0)[1] == 0

    me = os.getpid()
    try:
        leave()
        refused = False
    except StoreForked:
        refused = True
    if os.getpid() != me:
        os._exit(0 if refused else 1)
    assert not refused
    assert total(store) == 1


def test_a_child_that_leaves_the_transaction_by_an_exit_ends_as_it_wants_to(store: Store, seeded):
    program_ended = 7
    pid = 0
    me = os.getpid()
    try:
        with store.write() as tx:
            tx.connection.execute(ADD)
            pid = os.fork()
            if not pid:
                raise SystemExit(program_ended)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == program_ended
    except SystemExit as leaving:
        assert os.getpid() != me
        os._exit(int(str(leaving.code)))
    assert total(store) == 1


def test_a_fork_waits_for_the_transaction_of_another_thread(store: Store, seeded):
    inside, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        with store.write() as tx:
            tx.connection.execute(ADD)
            inside.set()
            go_on.wait(20)
            tx.connection.execute(ADD)

    thread = threading.Thread(target=slowly)
    thread.start()
    inside.wait(20)
    threading.Timer(0.2, go_on.set).start()
    assert said_by_child(lambda: total(store)) == "2"
    thread.join(20)


def test_a_fork_that_cannot_wait_longer_refuses_the_child_and_spares_the_parent(
    store: Store, seeded, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(forking, "PATIENCE_SECONDS", 0.1)
    inside, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        with store.write() as tx:
            tx.connection.execute(ADD)
            inside.set()
            go_on.wait(20)

    thread = threading.Thread(target=slowly)
    thread.start()
    inside.wait(20)
    assert said_by_child(lambda: total(store)) == "store_forked"
    go_on.set()
    thread.join(20)
    assert total(store) == 1
    assert said_by_child(lambda: total(store)) == "1"


def test_threads_that_write_all_the_time_neither_stop_a_fork_nor_lose_anything(
    store: Store, seeded
):
    done, counts = threading.Event(), [0, 0]

    def write_on(place: int) -> None:
        while not done.is_set():
            add(store)
            counts[place] += 1

    threads = [threading.Thread(target=write_on, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    said = [said_by_child(lambda: add(store)) for _ in range(10)]
    done.set()
    for thread in threads:
        thread.join(20)
    assert said == ["None"] * 10
    assert total(store) == sum(counts) + 10


def test_two_threads_may_fork_at_once(store: Store, seeded):
    said: list[str] = []

    def fork_often() -> None:
        said.extend(said_by_child(lambda: add(store)) for _ in range(5))

    threads = [threading.Thread(target=fork_often) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    # The pipes of one may stay open in the child of the other, so only the sum is exact.
    assert len(said) == 10
    assert total(store) == 10


def test_a_fork_that_python_does_not_see_is_noticed_and_refused(store: Store, seeded):
    """Some servers fork in C; none of Python's hooks runs then."""
    add(store)
    library = ctypes.PyDLL(None)  # keeps the lock of the interpreter, as such servers do
    pid = library.fork()
    if not pid:
        try:
            total(store)
            code = 1
        except StoreForked:
            code = 0
        os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    add(store)
    assert total(store) == 2


def test_a_fork_that_python_does_not_see_does_no_harm_where_nothing_is_open(store: Store, seeded):
    add(store)
    store.close()
    pid = ctypes.PyDLL(None).fork()
    if not pid:
        add(store)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert total(store) == 2


def test_forks_wait_for_no_thread_that_is_idle(store: Store, seeded):
    ready, done = threading.Event(), threading.Event()

    def rest() -> None:
        total(store)
        ready.set()
        done.wait(30)
        add(store)

    thread = threading.Thread(target=rest)
    thread.start()
    ready.wait(20)
    started = time.monotonic()
    assert said_by_child(lambda: total(store)) == "0"
    assert time.monotonic() - started < forking.PATIENCE_SECONDS
    done.set()
    thread.join(20)
    assert total(store) == 1
