"""Many commands on one experiment at one moment: one wins, the others say so, no row is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlreg.clock import DAY, now
from mlreg.config import FOLDER
from mlreg.entities.experiments import Draft
from mlreg.registry import Registry, init_registry
from tests.support import Clock

pytestmark = pytest.mark.process

# The entry point of the command line, held at a gate until all the others have come there too.
AT_ONCE = """
import os, sys
import mlreg.cli.app, mlreg.registry
from mlreg.cli.main import main
ready, gate = int(sys.argv.pop(1)), int(sys.argv.pop(1))
os.write(ready, b".")
os.close(ready)
os.read(gate, 1)
main()
"""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        return json.loads(self.out)


class Starters:
    """Starts commands at one moment, and ends by handle what a failed test leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *lines: str, stdin: Path | None = None) -> list[subprocess.Popen[str]]:
        """Start `mlreg abtest …` for each line; all begin their work together."""
        ready, gate = os.pipe(), os.pipe()
        started = [self._start(line, ready[1], gate[0], stdin) for line in lines]
        os.close(ready[1])
        os.close(gate[0])
        arrived = b""
        while len(arrived) < len(lines):
            arrived += os.read(ready[0], len(lines)) or pytest.fail("a command died at the gate")
        os.close(gate[1])
        os.close(ready[0])
        return started

    def _start(self, line: str, ready: int, gate: int, stdin: Path | None) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", AT_ONCE, str(ready), str(gate)]
        with (stdin or Path(os.devnull)).open() as source:
            process = subprocess.Popen(
                [*words, "abtest", *line.split(), "--json"],
                cwd=self.folder,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(ready, gate),
                text=True,
            )
        self.processes.append(process)
        return process

    def run(self, *lines: str, stdin: Path | None = None) -> list[Done]:
        """Run commands at one moment, each to its end."""
        processes = self.start(*lines, stdin=stdin)
        said = [process.communicate(timeout=60) for process in processes]
        return [Done(p.returncode, *both) for p, both in zip(processes, said, strict=True)]


def codes(done: Sequence[Done]) -> list[int]:
    """The exit codes in order; nothing ended in a way that no document knows."""
    assert not [one.err for one in done if "Traceback" in one.err]
    return sorted(one.code for one in done)


@pytest.fixture
def abtest(tmp_path: Path) -> Iterator[Starters]:
    """Commands in a folder whose registry has `m@1.0.0`, which serves, and `m@2.0.0`."""
    with init_registry(tmp_path) as registry:
        for version in ("1.0.0", "2.0.0"):
            registry.versions.register(f"m@{version}", version.encode(), check=False)
        registry.traffic.activate("m@1.0.0")
    starters = Starters(tmp_path)
    yield starters
    for process in starters.processes:
        if process.poll() is None:
            process.kill()
            process.communicate()


def opened(abtest: Starters, *, days_ago: int = 0) -> Registry:
    """The registry, some days ago by its clock."""
    return Registry(abtest.folder / FOLDER, clock=Clock(now() - days_ago * DAY))


def create(abtest: Starters, test_id: str = "t", **wishes: Any) -> None:
    with opened(abtest, days_ago=8) as registry:
        asked = {"strategy": "sticky", **wishes}
        draft = Draft(control="m@1.0.0", treatments=["m@2.0.0"], **asked)
        registry.experiments.create(test_id, draft)


def begin(abtest: Starters, **wishes: Any) -> None:
    """An experiment that was started eight days ago."""
    create(abtest, **wishes)
    with opened(abtest, days_ago=8) as registry:
        registry.experiments.start("t")


def answers(who: str, count: int) -> list[dict[str, Any]]:
    """Answers of as many users, by both arms in turn, of which four in five succeed."""
    return [
        {"unit": f"{who}-{i}", "variant": ("control", "treatment")[i % 2], "success": i % 10 > 1}
        for i in range(count)
    ]


def answered(abtest: Starters, count: int) -> Path:
    """Answers as lines to read."""
    path = abtest.folder / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in answers("u", count)))
    return path


def record(abtest: Starters, who: str, count: int) -> None:
    with opened(abtest, days_ago=1) as registry:
        registry.external.record_many("t", answers(who, count))


# --- looks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["always-valid", "group-sequential"])
def test_of_many_who_look_at_one_moment_one_is_recorded(abtest: Starters, mode: str):
    begin(abtest, mode=mode, mde=0.05)
    for number in (1, 2):
        record(abtest, f"part{number}", 800)
        done = abtest.run(*["analyze t"] * 8)
        assert codes(done) == [0] * 8
        looks = {json.dumps(one.result["looks"]) for one in done}
        assert len(looks) == 1
        assert len(json.loads(looks.pop())) == number
        assert sum(one.result["recorded_slot"] is not None for one in done) == 1
    with opened(abtest) as registry:
        events = [event.action for event in registry.audit.events(model="m")]
        assert events.count("abtest look") == 2
        assert registry.health.check().healthy
    assert codes(abtest.run("verify t")) == [0]


def test_looks_of_many_during_the_records_of_others_lose_nothing(abtest: Starters):
    begin(abtest)
    done = abtest.run(*["record t -"] * 2, *["analyze t"] * 4, stdin=answered(abtest, 2000))
    written, looks = done[:2], done[2:]
    assert codes(written) == [0, 0]
    assert sum(one.result["recorded"] for one in written) == 4000
    final = abtest.run("analyze t")
    assert set(codes(looks + final)) <= {0, 11}  # 11: before there was enough to judge
    for found in (one.result for one in looks + final):
        # Whole transactions, and all of those that the watermark says.
        rows = sum(sum(phase["rows"]) for phase in found["phases"])
        assert rows == found["watermark"]["predictions"]
    primary = final[0].result["primary"]
    assert [primary[arm]["n_rows"] for arm in ("control", "treatment")] == [2000, 2000]
    assert [primary[arm]["n_units"] for arm in ("control", "treatment")] == [1000, 1000]
    assert primary["control"]["value"] == pytest.approx(0.8)
    slots = [look["slot"] for look in final[0].result["looks"]]
    assert slots == list(range(1, len(slots) + 1))
    assert slots
    assert codes(abtest.run("verify t")) == [0]


# --- states --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [["start t"] * 6, ["start t", "start u"] * 3], ids=["one", "two"])
def test_one_of_many_starts_wins_and_the_others_conflict(abtest: Starters, lines: list[str]):
    create(abtest, "t")
    create(abtest, "u", split=20)
    assert codes(abtest.run(*lines)) == [0] + [4] * 5
    with opened(abtest) as registry:
        running = registry.experiments.list(state="running")
        assert [len(experiment.phases) for experiment in running] == [1]
        assert [revision.number for revision in registry.traffic.history("m")] == [2, 1]
        events = [event.action for event in registry.audit.events(model="m")]
        assert events.count("abtest start") == 1


@pytest.mark.parametrize("end", ["conclude t --force --reason x", "stop t"])
def test_one_of_many_ends_wins_and_the_traffic_goes_back_once(abtest: Starters, end: str):
    begin(abtest)
    record(abtest, "u", 400)
    assert codes(abtest.run(*[end] * 6)) == [0] + [4] * 5
    with opened(abtest) as registry:
        assert [revision.number for revision in registry.traffic.history("m")] == [3, 2, 1]
        assert [arm.version for arm in registry.traffic.current("m").live] == ["1.0.0"]
    assert codes(abtest.run("verify t")) == [0]


def test_a_promotion_a_stop_and_looks_at_once_end_the_experiment_once(abtest: Starters):
    begin(abtest)
    record(abtest, "u", 400)
    ends = ["conclude t --force --reason x", "stop t"]
    done = abtest.run(*ends * 2, *["analyze t"] * 3)
    assert codes(done[:4]) == [0, 4, 4, 4]
    assert set(codes(done[4:])) <= {0, 10}
    with opened(abtest) as registry:
        ended = registry.experiments.get("t")
        won = next(one.result for one in done[:4] if one.code == 0)
        assert ended.state == won["status"]
        assert registry.traffic.current("m").number == 3
    assert codes(abtest.run("verify t")) == [0]


@pytest.mark.parametrize(
    ("line", "expected", "weights"),
    [
        ("step t", [0] * 4, [1000, 2000, 3000, 4000, 5000]),
        ("step t --to 50", [0, 2, 2, 2], [1000, 5000]),
        ("step t --expect-revision 2", [0, 4, 4, 4], [1000, 2000]),
    ],
)
def test_steps_of_many_are_taken_one_after_the_other(
    abtest: Starters, line: str, expected: list[int], weights: list[int]
):
    begin(abtest, strategy="canary")
    done = abtest.run(*[line] * 4)
    assert codes(done) == expected
    with opened(abtest) as registry:
        phases = registry.experiments.get("t").phases
        assert [phase.weights for phase in phases] == [(10_000 - w, w) for w in weights]
        assert [phase.revision for phase in phases] == list(range(2, 2 + len(phases)))
        history = registry.traffic.history("m")
        assert [revision.number for revision in history] == list(range(len(phases) + 1, 0, -1))
        assert all(sum(arm.weight for arm in revision.live) == 10_000 for revision in history)
    # Each was told of its own step.
    told = [one.result["phases"][-1]["revision"] for one in done if one.code == 0]
    assert Counter(told) == Counter(phase.revision for phase in phases[1:])
