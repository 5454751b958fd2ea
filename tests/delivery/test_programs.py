"""Programs get what they need and no more, and end in time with all that they started."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from mlreg.clock import from_micros
from mlreg.delivery.message import Message, Outcome
from mlreg.delivery.programs import run
from mlreg.entities.audit import Event

pytestmark = pytest.mark.process

ODD = "Ünïcode'; touch PWNED; $(touch PWNED) `touch PWNED` %s {0}"


def message(**changes: object) -> Message:
    event = {
        "seq": 17,
        "time": from_micros(1_790_000_000_000_000),
        "actor": "ada",
        "action": "rollback",
        "object": "sentiment",
        "model": "sentiment",
        "reason": ODD,
        "before": None,
        "after": {"revision": 3},
        "hash": "ab" * 32,
    } | changes
    return Message("17-abababababab", "rollback", Event(**event), "/registry")


def python(folder: Path, code: str, *arguments: str, seconds: float = 20.0) -> Outcome:
    return run(message(), [sys.executable, "-c", code, *arguments], str(folder), seconds=seconds)


def gone(pid: int) -> bool:
    """Whether a process ends within ten seconds; one that nobody has waited for yet has ended."""
    for _ in range(1000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_program_gets_the_event_on_its_stdin_and_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = (
        "import json, os, sys;"
        "said = {'told': json.load(sys.stdin), 'env': dict(os.environ), 'argv': sys.argv[1:],"
        " 'files': os.listdir('/proc/self/fd'), 'folder': os.getcwd(), 'group': os.getpgrp(),"
        " 'pid': os.getpid()};"
        "json.dump(said, open('said', 'w'))"
    )
    assert python(tmp_path, code, ODD, "") == Outcome(True, "exit code 0")
    said = json.loads((tmp_path / "said").read_text())
    assert said["argv"] == [ODD, ""]
    assert said["told"]["type"] == "rollback"
    assert said["told"]["timestamp"] == "2026-09-21T14:13:20.000000Z"
    assert said["told"]["data"]["after"] == {"revision": 3}
    own = {name: value for name, value in said["env"].items() if name.startswith("MLREG_")}
    assert own == {
        "MLREG_EVENT": "rollback",
        "MLREG_EVENT_ID": "17-abababababab",
        "MLREG_MODEL": "sentiment",
        "MLREG_OBJECT": "sentiment",
        "MLREG_ACTOR": "ada",
        "MLREG_REASON": ODD,
        "MLREG_REGISTRY": "/registry",
    }
    assert "AWS_SECRET_ACCESS_KEY" not in said["env"]
    assert len(said["files"]) <= 4  # its three, and the one that lists them
    assert said["folder"] == str(tmp_path)
    assert said["group"] == said["pid"] != os.getpgrp()
    assert [path.name for path in tmp_path.iterdir()] == ["said"]


def test_an_exit_code_and_a_signal_are_failures(tmp_path: Path):
    assert python(tmp_path, "raise SystemExit(3)").said == "exit code 3"
    killed = python(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert killed == Outcome(False, "ended by SIGKILL")


def test_one_that_hangs_ends_in_time_with_its_children(tmp_path: Path):
    code = (
        "import os, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "open('pid', 'w').write(str(child.pid)); time.sleep(60)"
    )
    assert python(tmp_path, code, seconds=2.0) == Outcome(False, "took longer than 2 s")
    assert gone(int((tmp_path / "pid").read_text()))


def test_what_a_program_leaves_behind_is_ended_too(tmp_path: Path):
    code = (
        "import subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "open('pid', 'w').write(str(child.pid))"
    )
    assert python(tmp_path, code).succeeded
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_daemon_that_holds_the_output_is_not_waited_for(tmp_path: Path):
    code = (
        "import subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True); open('pid', 'w').write(str(child.pid))"
    )
    assert python(tmp_path, code).succeeded
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_much_output_neither_blocks_nor_is_kept(tmp_path: Path):
    outcome = python(tmp_path, "print('x' * 10_000_000)")
    assert outcome.succeeded
    assert len(outcome.answer) == 4096


def test_one_that_reads_nothing_is_told_all_the_same(tmp_path: Path):
    big = message(after={"text": "x" * 1_000_000})
    assert run(big, ["/bin/true"], str(tmp_path), seconds=20).succeeded


@pytest.mark.parametrize("missing", ["program", "folder"])
def test_what_has_vanished_is_a_failure(tmp_path: Path, missing: str):
    program = "/bin/true" if missing == "folder" else str(tmp_path / "vanished")
    folder = str(tmp_path / "vanished" if missing == "folder" else tmp_path)
    outcome = run(message(), [program], folder, seconds=20)
    assert outcome == Outcome(False, "cannot be started: no such file or directory")


def test_what_cannot_be_executed_is_a_failure(tmp_path: Path):
    (tmp_path / "plain").write_text("echo no")
    outcome = run(message(), [str(tmp_path / "plain")], str(tmp_path), seconds=20)
    assert outcome == Outcome(False, "cannot be started: permission denied")
