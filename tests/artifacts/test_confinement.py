"""What runs in the process for untrusted models reaches nothing: not a file, process or socket.

The wall of states is off here: the attacker is loaded as if it were trusted, into a process that
is confined as for one that is not, so that any Python code runs there. Each wall is tried alone.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import joblib
import pytest

from mlreg.artifacts.confinement import WALLS, readable
from mlreg.artifacts.confinement.measure import measure
from mlreg.artifacts.lane import Lane, Limits
from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.process import WorkerProcess
from mlreg.artifacts.runner import Answer, Loadable
from mlreg.artifacts.worker import DEFAULT_MEMORY, WorkerRunner
from mlreg.entities.versions import Signature
from tests.artifacts.conftest import Store
from tests.artifacts.models.attacks import ATTEMPTS

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="confinement is for Linux"),
]

SETS = {"all": WALLS, "landlock": ("limits", "landlock"), "seccomp": ("limits", "seccomp")}
CASES = [
    (name, attempt)
    for name in SETS
    for attempt, (_, walls) in ATTEMPTS.items()
    if name == "all" or name in walls
]
DENIED = (
    r"PermissionError: .*|OperationalError: unable to open database file"
    r"|OSError: \[Errno (38|24|27)\] .*|ValueError: not allowed to raise maximum limit"
)


@pytest.fixture(scope="module")
def standing() -> set[str]:
    """The walls that this machine gives."""
    return {name for name, wall in measure(DEFAULT_MEMORY).walls.items() if wall.stands}


class Target:
    """A folder, servers and this process: all that an attacker could want, and what it is like."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root, self.folder = root, root / "home"
        (self.folder / "empty").mkdir(parents=True)
        (self.folder / "victim").write_bytes(b"kept")
        (self.folder / "other").write_bytes(b"other")
        self.listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0)))]
        self.port = self.listeners[0].getsockname()[1]
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", self.port))
        self.listeners.append(datagrams)
        for name in (str(self.folder / "socket"), f"\0mlreg-test-{os.getpid()}"):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(name)
            server.listen()
            self.listeners.append(server)
        self.signals: list[int] = []
        before = signal.signal(signal.SIGUSR1, lambda number, _: self.signals.append(number))
        stack.callback(signal.signal, signal.SIGUSR1, before)

    def state(self) -> object:
        """Everything that an attempt could have changed."""
        import resource
        import select

        return (
            sorted((str(path), os.lstat(path)[:4], os.lstat(path).st_mtime_ns, os.listxattr(path))
                   for path in self.folder.rglob("*")),
            (self.folder / "victim").read_bytes(),
            [path for place in ("/", "/dev/shm", "/dev/mqueue") if os.path.isdir(place)
             for path in os.listdir(place) if path == f"mlreg-test-{self.root.name}"],
            select.select(self.listeners, [], [], 0)[0],
            list(self.signals),
            os.getpriority(os.PRIO_PROCESS, 0),
            os.sched_getaffinity(0),
            resource.getrlimit(resource.RLIMIT_CORE),
        )  # fmt: skip


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, stack: ExitStack) -> Target:
    return Target(tmp_path_factory.mktemp("target"), stack)


@pytest.fixture(scope="module")
def attackers(tmp_path_factory: pytest.TempPathFactory, stack: ExitStack) -> Any:
    """Asks an attacker behind these walls. Its module lies where libraries do, to be readable."""
    root = tmp_path_factory.mktemp("attackers")
    packages = root / "site-packages"
    packages.mkdir()
    shutil.copy(Path(__file__).parent / "models" / "attacks.py", packages)
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.syspath_prepend(str(packages))
    paths = filter(None, (str(packages), os.environ.get("PYTHONPATH")))
    patch.setenv("PYTHONPATH", os.pathsep.join(paths))
    objects, buffer = ObjectStore(root / "objects"), io.BytesIO()
    joblib.dump(__import__("attacks").Attacker(), buffer)
    digest = objects.put_bytes(buffer.getvalue()).digest
    model = Loadable(digest, "sklearn", True, Signature(input="text"))
    lanes: dict[str, Lane] = {}

    def ask(name: str, request: dict[str, Any]) -> str:
        if name not in lanes:
            process = WorkerProcess(DEFAULT_MEMORY)
            lanes[name] = Lane(objects, process, Limits(), SETS[name])
            stack.callback(lanes[name].close)
        (outcome,) = lanes[name].predict(model, [json.dumps(request)]).outcomes
        assert isinstance(outcome, Answer), outcome
        return str(outcome.output)

    yield ask
    sys.modules.pop("attacks", None)


@pytest.mark.parametrize(("walls", "attempt"), CASES)
def test_code_in_a_confined_process_reaches_nothing(
    standing: set[str], target: Target, attackers: Any, walls: str, attempt: str
) -> None:
    if not set(SETS[walls]) <= standing:
        pytest.skip(f"this machine gives only {', '.join(sorted(standing))}")
    before = target.state()
    request = {"attempt": attempt, "folder": str(target.folder),
               "parent": os.getpid(), "port": target.port}  # fmt: skip
    said = attackers(walls, request)
    assert target.state() == before
    assert re.fullmatch(DENIED, said), said
