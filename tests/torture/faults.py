"""Kill a command, or let one of its system calls fail, at every step that changes something.

Needs strace. A first run lists the calls by which the command changes the world; each further run
is killed on entering one of them, or sees it fail. No luck is involved, and no step is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

CALLS = (
    "write,pwrite64,pwritev,fsync,fdatasync,ftruncate,fallocate,rename,renameat,renameat2,"
    "link,linkat,unlink,unlinkat,mkdir,mkdirat,chmod,fchmod,fchmodat"
)
_LINE = re.compile(r"\d+ +(\w+)\(")


class Point(NamedTuple):
    """The nth time that the command enters a system call."""

    call: str
    nth: int

    def __str__(self) -> str:
        return f"{self.call} number {self.nth}"


@dataclass(frozen=True)
class Outcome:
    """What a run left: its exit code (negative: a signal) and what it said."""

    code: int
    stdout: str
    stderr: str


def run(command: list[str], inject: str | None = None, trace: Path | None = None) -> Outcome:
    """Run a command under strace, with a fault or into a trace."""
    # The worker for models is left alone: what changes the registry is the command itself.
    arguments = ["-o", str(trace or os.devnull), "-e", f"trace={CALLS}", "-e", "signal=none"]
    if inject:
        arguments += ["-e", f"inject={inject}"]
    done = subprocess.run(
        ["strace", "-qqq", *arguments, *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    code = done.returncode - 256 if done.returncode > 128 + 64 else done.returncode
    return Outcome(code, done.stdout, done.stderr)


def points_of(command: list[str], scratch: Path) -> list[Point]:
    """Every step by which an unharmed run changes something."""
    trace = scratch / "trace"
    outcome = run(["sh", "-c", 'exec "$@"', "sh", *command], trace=trace)
    assert outcome.code == 0, outcome.stderr
    seen: Counter[str] = Counter()
    points = []
    for line in trace.read_text(errors="replace").splitlines():
        # Without -f the lines carry no process id.
        found = _LINE.match(f"0 {line}")
        if found:
            seen[found[1]] += 1
            points.append(Point(found[1], seen[found[1]]))
    return points


def restore(folder: Path, template: Path) -> None:
    """Put a folder back to what it was."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder, symlinks=True)
