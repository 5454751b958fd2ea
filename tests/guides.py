"""Runs a guide as its reader would: its console and Python blocks, in order, in one folder.

All of a document becomes one shell script, so that variables and `cd` last from block to block. A
command whose output the document shows must print that, up to what differs from run to run; `...`
stands for anything. A command may fail only where the next one is `echo $?`. Each Python block is
a program of its own, and a text block right below it is what it prints. A fence with `no-run`
behind its language is left alone.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^```(console|python)[ \t]*(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTPUT = re.compile(r"\s*^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "--- end of step: status "
TIMEOUT = 300

# What differs from run to run, and what takes its place on both sides of the comparison.
VOLATILE = [
    (re.compile(r"model-[0-9a-f]{12}"), "model-ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?"), "TIME"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "DIGEST"),
    (re.compile(r'("\w+_ms": )[\d.]+'), r"\1NUMBER"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|µs|s)\b"), "DURATION"),
    # Columns and rules are as wide as the volatile text in them.
    (re.compile(r"([─━═┈-])\1+"), r"\1"),
    (re.compile(r"\s+"), " "),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command of a guide, and the output that the guide shows for it."""

    line: int
    command: str
    shown: list[str] = field(default_factory=list)


def steps(text: str) -> list[Step]:
    """The commands of a document, Python blocks among them, in reading order."""
    found: list[Step] = []
    for fence in FENCE.finditer(text):
        language, options, body = fence.groups()
        line = text.count("\n", 0, fence.start()) + 2
        if "no-run" in options.split():
            continue
        if language == "console":
            found.extend(console_steps(body, line))
        else:
            output = OUTPUT.match(text, fence.end())
            shown = output[1].splitlines() if output else []
            found.append(Step(line=line, command=f"python -c {shlex.quote(body)}", shown=shown))
    return found


def console_steps(body: str, first: int) -> list[Step]:
    """The commands of one console block: `$ ` begins one, `> ` directly below goes on with it."""
    found: list[Step] = []
    for number, line in enumerate(body.splitlines(), first):
        if line.startswith("$ "):
            found.append(Step(line=number, command=line[2:]))
        elif found and line.startswith("> ") and not found[-1].shown:
            last = found.pop()
            found.append(Step(line=last.line, command=f"{last.command}\n{line[2:]}"))
        elif found:
            found[-1].shown.append(line)
    return found


def script(todo: list[Step]) -> str:
    """A shell script that runs the steps and marks where each one ends, and how."""
    ends = f"status=$?; echo; echo '{MARK}'$status; (exit $status)"
    return "\n".join(f"{step.command}\n{ends}" for step in todo)


def problems(guide: Path, folder: Path) -> list[str]:
    """Run a guide in a folder; says where it and reality differ."""
    todo = steps(guide.read_text())
    output = run(script(todo), folder)
    done = re.split(rf"\n?^{re.escape(MARK)}(\d+)\n", output, flags=re.MULTILINE)
    found: list[str] = []
    for index, step in enumerate(todo):
        where = f"{guide.name}:{step.line}: $ {step.command}"
        if 2 * index + 1 >= len(done):
            return [*found, f"{where}\nnever ended:\n{done[-1]}"]
        printed, status = done[2 * index], int(done[2 * index + 1])
        may_fail = index + 1 < len(todo) and todo[index + 1].command == "echo $?"
        if status and not may_fail:
            found.append(f"{where}\nended with {status}:\n{printed}")
        elif step.shown and not matches(step.shown, printed):
            found.append(
                f"{where}\nthe guide shows:\n{chr(10).join(step.shown)}\nit printed:\n{printed}"
            )
    return found


def run(text: str, folder: Path) -> str:
    """The output of a shell script, as on a terminal that knows no colours."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLREG_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "HOME": str(folder),
        "XDG_CONFIG_HOME": "",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    return subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    ).stdout


def matches(shown: list[str], printed: str) -> bool:
    """Whether output is what a guide shows; blank lines and volatile text do not count."""
    pattern = "".join(_pattern(line) for line in shown if line.strip())
    text = "".join(f"{scrub(line)}\n" for line in printed.splitlines() if line.strip())
    return re.fullmatch(pattern, text) is not None


def _pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*"
    return ".*".join(re.escape(part) for part in scrub(line).split("...")) + r"\n"


def scrub(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, replacement in VOLATILE:
        line = pattern.sub(replacement, line)
    return line.strip()
