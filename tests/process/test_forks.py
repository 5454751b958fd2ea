"""Programs that fork with a registry open: nothing is lost, damaged or answered twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlreg.config import FOLDER
from mlreg.registry import Registry, init_registry
from tests.support import Echo

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]

# A module of its own, since `spawn` and `forkserver` import what they call.
HEAD = """
import os, sys, threading, time
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from mlreg.errors import MlregError
from mlreg.registry import Registry
from tests.support import Echo

folder = Path(__file__).parent / ".mlreg"
kept = None

def opened():
    return Registry(folder, runner=Echo())

def answer(registry, times=10):
    for _ in range(times):
        found = registry.predictions.predict("x", model="m").prediction_id
        os.write(1, b"%d\\n" % found)
    return times

def answer_in_threads(registry):
    threads = [threading.Thread(target=answer, args=(registry, 5)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def in_child(action):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return pid

def wait_for(*pids):
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0

def answer_anew(times):
    with opened() as registry:
        return answer(registry, times)

def answer_with_the_inherited(times):
    return answer(kept, times)
"""


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A registry with `m@1.0.0`, which only `Echo` can run."""
    with init_registry(tmp_path) as registry:
        registry.versions.register("m@1.0.0", b"x", check=False)
        registry.traffic.activate("m@1.0.0")
    return tmp_path


def acknowledged(program: str, folder: Path) -> list[int]:
    """The ids that a program and its children had; every one is there once, and all is sound."""
    path = folder / "program.py"
    path.write_text(f"{HEAD}\n{program}")
    done = subprocess.run(
        [sys.executable, path],
        env={"PYTHONPATH": f"{ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    ids = [int(line) for line in done.stdout.split()]
    assert len(ids) == len(set(ids))
    with Registry(folder / FOLDER, runner=Echo()) as registry:
        rows = registry.query("select id from predictions").rows
        assert set(ids) == {row[0] for row in rows}
        assert registry.health.check().healthy
    return ids


@pytest.mark.parametrize("ending", ["registry.close()", "del registry", "pass"])
def test_children_go_on_while_their_parent_closes_drops_or_keeps_the_registry(
    one: Path, ending: str
):
    program = f"""
registry = opened()
answer(registry)
children = [in_child(lambda: answer(registry, 40)) for _ in range(3)]
{ending}
for _ in range(3):
    answer_anew(5)
wait_for(*children)
"""
    assert len(acknowledged(program, one)) == 10 + 3 * 40 + 15


def test_children_that_open_a_registry_of_their_own_live_with_one_that_they_inherited(one: Path):
    program = """
registry = opened()
answer(registry)
children = [in_child(lambda: answer_anew(40)) for _ in range(3)]
registry.close()
wait_for(*children)
answer(registry)
"""
    assert len(acknowledged(program, one)) == 140


def test_a_prefork_server_answers_from_parent_and_children_and_their_threads(one: Path):
    program = """
with opened() as registry:
    answer(registry)
    children = [in_child(lambda: answer_in_threads(registry)) for _ in range(3)]
    answer_in_threads(registry)
wait_for(*children)
"""
    assert len(acknowledged(program, one)) == 10 + 4 * 15


def test_a_parent_may_exit_before_its_children(one: Path):
    program = """
registry = opened()
answer(registry)
lock, key = os.pipe()
def later():
    os.close(key)
    os.read(lock, 1)  # ends when the parent has
    answer(registry, 20)
for _ in range(2):
    in_child(later)
"""
    assert len(acknowledged(program, one)) == 50


def test_a_child_may_end_as_programs_do_and_fork_again(one: Path):
    program = """
registry = opened()
answer(registry)
pid = os.fork()
if not pid:
    answer(registry)
    wait_for(in_child(lambda: answer(registry)))
    answer(registry)
    sys.exit()
answer(registry)
wait_for(pid)
answer(registry)
"""
    assert len(acknowledged(program, one)) == 60


def test_a_child_that_ends_inside_its_parents_transaction_leaves_it_as_it_is(one: Path):
    program = """
registry = opened()
answer(registry)
with registry._context.store.write() as tx:
    tx.models.take_turns(1, 1)
    pid = os.fork()
    if not pid:
        sys.exit()
    wait_for(pid)
    tx.models.take_turns(1, 1)
answer(registry)
assert registry.query("select next_turn from models").rows == [(2,)]
"""
    assert len(acknowledged(program, one)) == 20


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works_by_all_its_methods(one: Path, method: str):
    program = f"""
if __name__ == "__main__":
    kept = opened()
    answer(kept)
    context = multiprocessing.get_context({method!r})
    work = answer_with_the_inherited if {method!r} == "fork" else answer_anew
    children = [context.Process(target=work, args=(20,)) for _ in range(2)]
    for child in children:
        child.start()
    answer(kept)
    kept.close()
    for child in children:
        child.join()
        assert child.exitcode == 0
"""
    assert len(acknowledged(program, one)) == 60


@pytest.mark.parametrize("work", ["answer_with_the_inherited", "answer_anew"])
def test_a_pool_of_processes_works(one: Path, work: str):
    program = f"""
if __name__ == "__main__":
    kept = opened()
    answer(kept)
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=fork) as pool:
        assert sum(pool.map({work}, [10] * 6)) == 60
        answer(kept)
    answer(kept)
"""
    assert len(acknowledged(program, one)) == 90


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_joblib_works_by_processes(one: Path, backend: str):
    program = f"""
if __name__ == "__main__":
    from joblib import Parallel, delayed
    kept = opened()
    answer(kept)
    done = Parallel(n_jobs=2, backend={backend!r})(delayed(answer_anew)(10) for _ in range(4))
    assert done == [10] * 4
    answer(kept)
"""
    assert len(acknowledged(program, one)) == 60


def test_forks_while_other_threads_answer_lose_nothing(one: Path):
    program = """
registry = opened()
done = threading.Event()
def go_on():
    while not done.is_set():
        answer(registry, 1)
threads = [threading.Thread(target=go_on) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(10):
    wait_for(in_child(lambda: answer(registry, 3)))
done.set()
for thread in threads:
    thread.join()
"""
    assert len(acknowledged(program, one)) >= 30


def test_a_change_of_traffic_by_a_child_is_seen_by_its_parent(one: Path):
    program = """
registry = opened()
registry.versions.register("m@2.0.0", b"y", check=False)
answer(registry)
wait_for(in_child(lambda: registry.traffic.promote("m@2.0.0")))
time.sleep(0.01)
found = registry.predictions.predict("x", model="m")
os.write(1, b"%d\\n" % found.prediction_id)
assert found.model_version == "2.0.0", found
"""
    assert len(acknowledged(program, one)) == 11
