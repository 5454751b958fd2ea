"""Hundreds of forks of a program that answers from threads, while others write and close."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mlreg.config import FOLDER
from mlreg.registry import Registry, init_registry
from tests.support import Echo

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, random, sys, threading
from pathlib import Path
from mlreg.registry import Registry
from tests.support import Echo

folder, draw, done = Path(sys.argv[1]), random.Random(int(sys.argv[2])), threading.Event()
registry = Registry(folder, runner=Echo())

def answer(times):
    for _ in range(times):
        found = registry.predictions.predict("x", model="m").prediction_id
        os.write(1, b"%d\\n" % found)

def go_on():
    while not done.is_set():
        answer(1)
        done.wait(0.01)

threads = [threading.Thread(target=go_on) for _ in range(2)]
for thread in threads:
    thread.start()
children = []
for number in range(200):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            answer(draw.randrange(4))
            if number % 3 == 0:
                registry.close()
            if number % 5 == 0:
                registry.traffic.activate("m@1.0.0", percent=1 + number % 99)
            answer(1)
            code = 0
        finally:
            os._exit(code)
    children.append(pid)
    if number % 7 == 0:
        registry.close()
    answer(1)
    if len(children) > 8:
        assert os.waitpid(children.pop(0), 0)[1] == 0
done.set()
for thread in threads:
    thread.join()
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_two_hundred_forks_of_each_of_two_programs_lose_nothing(tmp_path: Path) -> None:
    with init_registry(tmp_path) as registry:
        for number in ("1.0.0", "2.0.0"):
            registry.versions.register(f"m@{number}", number.encode(), check=False)
        registry.traffic.route("m", {"1.0.0": 80, "2.0.0": 20})
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, tmp_path / FOLDER, str(seed)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(2)
    ]
    lines = []
    for program in programs:
        out, err = program.communicate(timeout=600)
        assert (program.returncode, err) == (0, "")
        lines += out.split()
    ids = [int(line) for line in lines]
    assert len(ids) == len(set(ids)) > 800
    with Registry(tmp_path / FOLDER, runner=Echo()) as registry:
        assert set(ids) == {row[0] for row in registry.query("select id from predictions").rows}
        assert registry.health.check().healthy
