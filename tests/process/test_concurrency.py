"""Many processes on one registry: nothing is lost, counted twice, or seen half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mlreg.config import FOLDER
from mlreg.errors import MlregError, StoreBusy
from mlreg.registry import Registry, init_registry
from tests.support import dump

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]

HEAD = """
import sys
from pathlib import Path
from mlreg.errors import AlreadyExists, Conflict, MlregError
from mlreg.registry import Registry, init_registry
from tests.support import Echo

parent, me = Path(sys.argv[1]), int(sys.argv[2])
folder = parent / ".mlreg"
def ack(*words):
    print(*words, flush=True)
"""


def start(program: str, folder: Path, me: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + program, str(folder), str(me)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(processes: Sequence[subprocess.Popen[str]]) -> list[list[str]]:
    """The lines that each printed; none may have failed."""
    done = [process.communicate(timeout=60) for process in processes]
    assert [(p.returncode, err) for p, (_, err) in zip(processes, done, strict=True)] == [
        (0, "") for _ in processes
    ]
    return [out.splitlines() for out, _ in done]


def run(program: str, folder: Path, count: int) -> list[list[str]]:
    """Run a program as many processes at once."""
    return finish([start(program, folder, me) for me in range(count)])


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A registry with `m@1.0.0` at 80 % and `m@2.0.0` at 20 %, which only `Echo` can run."""
    with init_registry(tmp_path) as registry:
        for number in ("1.0.0", "2.0.0"):
            registry.versions.register(f"m@{number}", number.encode(), check=False)
        registry.traffic.route("m", {"1.0.0": 80, "2.0.0": 20})
    return tmp_path


def opened(folder: Path) -> Registry:
    return Registry(folder / FOLDER)


def test_eight_processes_that_read_then_write_lose_nothing_and_are_never_busy(two: Path):
    lines = run(
        """
with Registry(folder) as registry:
    for n in range(15):
        percent = 1 + (me * 15 + n) % 99
        ack(registry.traffic.activate("m@1.0.0", percent=percent).number)
""",
        two,
        8,
    )
    with opened(two) as registry:
        numbers = [revision.number for revision in registry.traffic.history("m")]
        assert numbers == list(range(len(numbers), 0, -1))
        # Each saw its own revision, or found the split there already.
        assert {int(line) for own in lines for line in own} <= set(numbers)
        assert len(numbers) > 60
        assert registry.health.check().healthy


def test_only_one_of_many_who_expect_the_same_revision_moves_it(two: Path):
    program = """
from mlreg.entities.traffic import Change
with Registry(folder) as registry:
    try:
        registry.traffic.activate("m@1.0.0", percent=10 + me, change=Change(expect_revision=1))
        ack("moved")
    except Conflict:
        ack("lost")
"""
    assert sorted(line for own in run(program, two, 4) for line in own) == ["lost"] * 3 + ["moved"]


def test_only_one_of_many_registers_a_version_and_bumps_get_numbers_of_their_own(tmp_path: Path):
    init_registry(tmp_path).close()
    program = """
with Registry(folder) as registry:
    try:
        registry.versions.register("m@1.0.0", b"x" * 1000, check=False)
        ack("first")
    except AlreadyExists:
        ack("late")
    for _ in range(5):
        ack(registry.versions.register("m", b"x" * 1000, bump="patch", check=False).version)
"""
    lines = [line for own in run(program, tmp_path, 4) for line in own]
    assert (lines.count("first"), lines.count("late")) == (1, 3)
    numbers = [line for line in lines if line[0].isdigit()]
    assert len(set(numbers)) == 20
    with opened(tmp_path) as registry:
        assert len(registry.versions.list("m")) == 21
        assert registry.health.check().healthy


def test_one_of_many_inits_wins_and_the_others_say_so(tmp_path: Path):
    program = """
try:
    init_registry(parent).close()
    ack("made")
except AlreadyExists:
    ack("there")
"""
    lines = sorted(line for own in run(program, tmp_path, 4) for line in own)
    assert lines == ["made", "there", "there", "there"]
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]
    with opened(tmp_path) as registry:
        assert [event.action for event in registry.audit.events()] == ["init"]


def test_the_same_request_from_many_processes_is_one_row(two: Path):
    program = """
with Registry(folder, runner=Echo()) as registry:
    for n in range(10):
        answer = registry.predictions.predict("x", request_id=f"r-{n}")
        ack(n, answer.prediction_id, answer.model_version)
"""
    lines = {line for own in run(program, two, 4) for line in own}
    assert len(lines) == 10
    with opened(two) as registry:
        assert registry.predictions.last_id() == 10


def test_turns_are_exact_over_processes(two: Path):
    with opened(two) as registry:
        registry.traffic.route("m", {}, strategy="round-robin")
    program = """
with Registry(folder, runner=Echo()) as registry:
    for _ in range(15):
        ack(registry.predictions.predict("x").model_version)
    for answer in registry.predictions.predict_many(["x"] * 10, chunk=3):
        ack(answer.model_version)
"""
    lines = [line for own in run(program, two, 4) for line in own]
    assert (lines.count("1.0.0"), lines.count("2.0.0")) == (80, 20)


def test_folds_of_many_processes_count_each_row_once(two: Path):
    program = """
import mlreg.services.predictions as service
service.EVERY = 20
with Registry(folder, runner=Echo()) as registry:
    for _ in range(4):
        for answer in registry.predictions.predict_many(["x"] * 50, chunk=25):
            registry.feedback.record(answer.prediction_id, "x")
        registry.performance.report()
    ack("done")
"""
    run(program, two, 4)
    with opened(two) as registry:
        report = registry.performance.report()
        assert sum(entry.request_count for entry in report.models) == 800
        assert [entry.accuracy for entry in report.models] == [1.0, 1.0]
        assert sum(entry.labelled_count for entry in report.models) == 800
        registry.health.rebuild_summaries()
        assert registry.performance.report().models == report.models


def test_labels_that_four_processes_send_at_once_are_stored_once(two: Path):
    program = """
record = Registry(folder).feedback.record
for n in range(1, 301): ack(record(n, "x").recorded)
"""
    with opened(two) as registry:
        list(registry.predictions.predict_many(["x"] * 300))
        recorded = [count for lines in run(program, two, 4) for count in lines]
        assert (recorded.count("1"), len(dump(two / FOLDER)["feedback"])) == (300, 300)


def test_a_change_by_another_process_is_seen_between_two_predictions(two: Path):
    program = """
with Registry(folder, runner=Echo()) as registry:
    ack(registry.predictions.predict("x").revision)
    for line in sys.stdin:
        ack(registry.predictions.predict("x").revision)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + program, str(two), "0"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    seen = [process.stdout.readline().strip()]
    with opened(two) as registry:
        for number in ("2.0.0", "1.0.0"):
            registry.traffic.activate(f"m@{number}")
            time.sleep(0.005)  # a change may stay unseen for a thousandth of a second
            process.stdin.write("\n")
            process.stdin.flush()
            seen.append(process.stdout.readline().strip())
    process.communicate(timeout=30)
    assert seen == ["1", "2", "3"]


def test_readers_never_see_half_a_change(two: Path):
    writer = start(
        """
import time
end = time.monotonic() + 1.5
with Registry(folder) as registry:
    n = 0
    while time.monotonic() < end:
        n += 1
        if n % 3:
            registry.traffic.route("m", {"1.0.0": n % 90 + 1, "2.0.0": 99 - n % 90})
        else:
            registry.traffic.promote("m@2.0.0")
""",
        two,
    )
    reads = 0
    with opened(two) as registry:
        while writer.poll() is None:
            revision = registry.traffic.current("m")
            assert sum(arm.weight for arm in revision.live) == 10_000
            shares = [version.traffic_percent for version in registry.versions.list("m")]
            assert sum(shares) == pytest.approx(100)
            reads += 1
    finish([writer])
    assert reads > 20


def test_mixed_work_of_many_processes_ends_with_documented_conflicts_alone(two: Path):
    program = """
import random
rng = random.Random(me)
with Registry(folder, runner=Echo()) as registry:
    def work(n):
        what = rng.randrange(7)
        if what == 0:
            registry.versions.register("m", bump="patch")
        elif what == 1:
            registry.traffic.activate(f"m@{rng.choice([1, 2])}.0.0", percent=rng.randrange(1, 101))
        elif what == 2:
            registry.traffic.rollback("m")
        elif what == 3:
            registry.versions.alias(f"m@{rng.choice([1, 2])}.0.0", "challenger")
        elif what == 4:
            registry.performance.report()
        else:
            answer = registry.predictions.predict(f"{me}-{n}")
            ack(answer.prediction_id, answer.model_version, f"{me}-{n}")
            if what == 5:
                registry.feedback.record(answer.prediction_id, "right")
    for n in range(40):
        try:
            work(n)
        except Conflict:
            pass
"""
    lines = [line.split() for own in run(program, two, 4) for line in own]
    with opened(two) as registry:
        log = {row.prediction_id: row for row in registry.predictions.log(limit=10_000)}
        assert len(log) == len(lines)
        for prediction, version, text in lines:
            row = log[int(prediction)]
            assert (row.model_version, row.input) == (version, text)
        assert registry.health.check().healthy


# --- killed --------------------------------------------------------------------------------------


def kill_after(process: subprocess.Popen[str], seconds: float, lines: int) -> list[str]:
    """Let it print some lines, wait a moment more, and kill it; all that it printed."""
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(lines)]
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=30)
    # The last line may have been cut off by the kill.
    return [line for line in "".join([*seen, rest]).splitlines(keepends=True) if line[-1] == "\n"]


@pytest.mark.parametrize("seconds", [0.0, 0.003, 0.011])
def test_a_writer_killed_at_any_moment_leaves_all_it_acknowledged(two: Path, seconds: float):
    program = """
with Registry(folder, runner=Echo()) as registry:
    n = 1
    while True:
        n += 1
        number = registry.traffic.activate("m@1.0.0", percent=1 + n % 99).number
        prediction = registry.predictions.predict("x").prediction_id
        registry.feedback.record(prediction, "x")
        ack(number, prediction)
"""
    lines = kill_after(start(program, two), seconds, lines=3)
    number, prediction = map(int, lines[-1].split())
    with opened(two) as registry:
        assert registry.traffic.current("m").number in (number, number + 1)
        assert registry.predictions.get(prediction).correct is True
        assert registry.predictions.last_id() <= prediction + 1
        assert registry.health.check().healthy
        events = [e.action for e in registry.audit.events(model="m")]
        assert events.count("activate") + 1 == registry.traffic.current("m").number
        registry.traffic.rollback("m")


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.1])
def test_an_init_killed_at_any_moment_leaves_a_registry_or_none(tmp_path: Path, seconds: float):
    process = start('ack("begin")\ninit_registry(parent)\nack("made")', tmp_path)
    lines = kill_after(process, seconds, lines=1)
    if "made\n" in lines or (tmp_path / FOLDER).exists():
        with opened(tmp_path) as registry:
            assert registry.health.check().healthy
    else:
        with init_registry(tmp_path) as registry:
            assert registry.health.check().healthy


def test_a_registration_killed_half_way_can_be_done_again(tmp_path: Path):
    init_registry(tmp_path).close()
    program = """
with Registry(folder) as registry:
    ack("begin")
    for n in range(1, 1000):
        registry.versions.register(f"m@{n}.0.0", bytes([n % 256]) * 300_000, check=False)
        ack(n)
"""
    lines = kill_after(start(program, tmp_path), 0.02, lines=3)
    done = int(lines[-1])
    with opened(tmp_path) as registry:
        assert len(registry.versions.list("m")) in (done, done + 1)
        assert registry.health.check().healthy  # an object without a row is only a warning
        registry.versions.register("m", b"again", bump="major", check=False)


def test_a_writer_that_hangs_with_the_lock_is_busy_for_the_others_and_free_when_killed(
    two: Path, monkeypatch: pytest.MonkeyPatch
):
    program = """
import time
with Registry(folder) as registry, registry.traffic._context.store.write():
    ack("holding")
    time.sleep(60)
"""
    process = start(program, two)
    assert process.stdout is not None
    process.stdout.readline()
    monkeypatch.setenv("MLREG_BUSY_TIMEOUT", "0.05")
    with opened(two) as registry:
        with pytest.raises(StoreBusy, match="another process has been writing for"):
            registry.traffic.promote("m@2.0.0")
        assert registry.traffic.current("m").number == 1
        process.kill()
        process.communicate(timeout=30)
        assert registry.traffic.promote("m@2.0.0").number == 2


def test_a_registry_opened_before_a_fork_serves_parent_and_child(two: Path):
    with opened(two) as registry:
        registry.traffic.current("m")
        pid = os.fork()
        if not pid:
            try:
                registry.traffic.activate("m@1.0.0")
                os._exit(0)
            except MlregError:
                os._exit(1)
        registry.traffic.activate("m@2.0.0")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert registry.traffic.current("m").number == 3
        assert registry.health.check().healthy
