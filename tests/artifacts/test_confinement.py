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
from mlreg.artifacts.runner import Answer, Failure, Loadable
from mlreg.artifacts.worker import DEFAULT_MEMORY, WorkerRunner
from mlreg.config import BY_NAME
from mlreg.entities.versions import Signature
from mlreg.errors import ArtifactUntrusted
from mlreg.registry import Registry
from tests.artifacts.conftest import Store
from tests.artifacts.models.attacks import ATTEMPTS

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="confinement is for Linux"),
]

SETS = {
    "none": (),
    "all": WALLS,
    "landlock": ("limits", "landlock"),
    "seccomp": ("limits", "seccomp"),
}
CASES = [
    (name, attempt)
    for name in ("all", "landlock", "seccomp")
    for attempt, (_, walls) in ATTEMPTS.items()
    if name == "all" or name in walls
]
DENIED = (
    r"PermissionError: .*|BlockingIOError: .*|OperationalError: unable to open database file"
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
        for name in (str(self.folder / "socket"), f"\0mlreg-test-{os.getpid()}-{root.name}"):
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


@pytest.mark.parametrize(
    "attempt", ["create", "read_file", "fork", "run", "probe_parent", "udp", "tcp", "change_mode"]
)
def test_without_walls_the_same_attempts_reach_their_aim(
    tmp_path: Path, attackers: Any, attempt: str
) -> None:
    with ExitStack() as stack:
        target = Target(tmp_path, stack)
        request = {"attempt": attempt, "folder": str(target.folder),
                   "parent": os.getpid(), "port": target.port}  # fmt: skip
        assert attackers("none", request) == "reached"


@pytest.fixture
def runner(objects: ObjectStore) -> Iterator[WorkerRunner]:
    made = WorkerRunner(objects, timeout_seconds=20.0)
    yield made
    made.close()


def test_trusted_and_untrusted_models_never_share_a_process(
    runner: WorkerRunner, stored: Store, text_pipeline: Any
) -> None:
    runner.start()
    first = runner._spare._pid
    for trusted in (False, True):
        model = stored(text_pipeline, input="text", trusted=trusted)
        (answer,) = runner.predict(model, ["great product"]).outcomes
        assert answer.output == "positive"
    pids = {trusted: lane._process._pid for trusted, lane in runner._lanes.items()}
    assert pids[False] == first != pids[True]
    status = {trusted: Path(f"/proc/{pid}/status").read_text() for trusted, pid in pids.items()}
    assert "NoNewPrivs:\t1" in status[False]
    assert "NoNewPrivs:\t0" in status[True]


def test_a_process_that_is_not_confined_loads_nothing_that_is_not_trusted(
    objects: ObjectStore, stored: Store, text_pipeline: Any
) -> None:
    model = stored(text_pipeline, input="text")
    lane = Lane(objects, WorkerProcess(DEFAULT_MEMORY), Limits(), ())
    try:
        with pytest.raises(ArtifactUntrusted, match="loaded in confinement only"):
            lane.inspect(model.digest, trusted=False)
    finally:
        lane.close()


def test_a_confined_process_that_hangs_or_loses_its_parent_is_ended(
    objects: ObjectStore, stored: Store, misbehaving: Any, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    packages = tmp_path / "site-packages"
    shutil.copytree(Path(misbehaving.__file__).parent, packages)
    paths = filter(None, (str(packages), os.environ.get("PYTHONPATH")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    lane = Lane(objects, WorkerProcess(DEFAULT_MEMORY), Limits(answer=20.0), WALLS)
    try:
        fine = stored(misbehaving.Model(), trusted=True)
        assert lane.predict(fine, [[1.0]]).outcomes == [Answer(0, None)]
        pid = lane._process._pid
        lane._limits = Limits(answer=0.5)
        hangs = stored(misbehaving.HangsInC(), trusted=True)
        assert lane.predict(hangs, [[1.0]]).outcomes == [
            Failure("timeout", "no answer within 0.5 s")
        ]
        assert not Path(f"/proc/{pid}").exists()
        lane._limits = Limits(answer=20.0)
        lane.predict(fine, [[1.0]])
        # What the kernel does with the parent's descriptors when the parent dies.
        os.close(lane._process._ends.pop())
        assert os.waitstatus_to_exitcode(os.waitpid(lane._process._pid, 0)[1]) == -signal.SIGKILL
    finally:
        lane.close()


def test_what_a_confined_process_may_read_is_libraries_by_absolute_paths(tmp_path: Path) -> None:
    paths = list(readable())
    assert all(map(os.path.isabs, paths))
    home = Path.home()
    for private in (
        home,
        home / ".ssh",
        home / ".config",
        tmp_path,
        Path.cwd(),
        Path("/etc/passwd"),
    ):
        assert not any(private.is_relative_to(path) for path in paths), private


def _estimators() -> list[Any]:
    from sklearn.cluster import KMeans
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        IsolationForest,
        RandomForestClassifier,
        StackingClassifier,
        VotingClassifier,
    )
    from sklearn.gaussian_process import GaussianProcessClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.mixture import GaussianMixture
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer, SplineTransformer
    from sklearn.svm import SVC

    linear = LogisticRegression()
    return [
        KMeans(2, n_init=1),
        HistGradientBoostingClassifier(max_iter=3),
        IsolationForest(n_estimators=3),
        RandomForestClassifier(3, n_jobs=-1),
        StackingClassifier([("a", linear)], cv=2),
        VotingClassifier([("a", linear), ("b", KNeighborsClassifier(1))], n_jobs=2),
        GaussianProcessClassifier(),
        GaussianMixture(2),
        MLPClassifier((2,), max_iter=200),
        make_pipeline(QuantileTransformer(n_quantiles=5), SplineTransformer(), linear),
        SVC(),
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_models_work_behind_the_walls(
    runner: WorkerRunner, stored: Store, monkeypatch: pytest.MonkeyPatch, threads: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    rows = [[float(i), float(i % 5)] for i in range(20)]
    labels = [int(i >= 10) for i in range(20)]
    for estimator in _estimators():
        model = stored(estimator.fit(rows, labels))
        found = runner.inspect(model.digest, trusted=False)
        asked = model._replace(signature=found.signature)
        (outcome,) = runner.predict(asked, [[3.0, 3.0]]).outcomes
        assert isinstance(outcome, Answer), (estimator, outcome)
        assert outcome.output == estimator.predict([[3.0, 3.0]])[0], estimator


def test_the_least_memory_that_can_be_set_is_enough(
    objects: ObjectStore, stored: Store, text_pipeline: Any
) -> None:
    least = int(BY_NAME["memory_limit_mb"].least or 0) << 20
    made = WorkerRunner(objects, memory_limit_bytes=least)
    try:
        model = stored(text_pipeline, input="text")
        assert isinstance(made.predict(model, ["great product"]).outcomes[0], Answer)
    finally:
        made.close()


def test_what_the_parent_left_open_is_closed_over_there(runner: WorkerRunner) -> None:
    ends = os.pipe()
    os.set_inheritable(ends[1], True)
    try:
        runner.start()
        runner._spare.receive(60.0)
        open_there = os.listdir(f"/proc/{runner._spare._pid}/fd")
        assert sorted(map(int, open_there)) == list(range(7))
    finally:
        for end in ends:
            os.close(end)


def test_doctor_says_what_stands_and_that_it_holds(standing: set[str], registry: Registry) -> None:
    (finding,) = (f for f in registry.health.check().findings if f.check == "confinement")
    if standing == set(WALLS):
        said = "untrusted models are behind limits, landlock, seccomp"
        assert (finding.state, finding.detail) == ("ok", said)
    else:
        assert finding.state == "warning"
        assert all(f"no {name}: " in finding.detail for name in set(WALLS) - standing)
