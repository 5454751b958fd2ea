"""Ctrl-C at the import of each module that a command needs, and at any time of its start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.process.test_interrupts import SENDER

MLREG = str(Path(sys.executable).with_name("mlreg"))
TRIES, LONGEST_SECONDS = 160, 0.4
PROGRAM = """
import json, sys
from mlreg.cli import main
before = set(sys.modules)
from mlreg.cli.app import command
command().run(["list", "--json"])
print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)
"""


def test_no_import_of_a_command_shows_its_traceback(tmp_path: Path) -> None:
    subprocess.run([MLREG, "init"], cwd=tmp_path, check=True)
    told = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True)
    modules = json.loads(told.stderr.splitlines()[-1])
    assert len(modules) > 100
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for module in modules:
        program = SENDER.format(number=2, module=module, act="request()")
        (hooks / "sitecustomize.py").write_text(program)
        done = subprocess.run(
            [MLREG, "list", "--json"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(hooks)},
            capture_output=True,
        )
        # Some are imported in the very beginning by what else has a `.pth` file.
        assert b"Traceback" not in done.stderr, module
        assert (done.returncode, done.stderr) in ((130, b"interrupted\n"), (0, b"")), module


def test_no_interrupt_after_the_first_line_shows_a_traceback(tmp_path: Path) -> None:
    """Before it Python alone has the word: what it prints then names none of our modules."""
    subprocess.run([MLREG, "init"], cwd=tmp_path, check=True)
    for number in range(TRIES):
        with subprocess.Popen(
            [MLREG, "list"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            time.sleep(number / TRIES * LONGEST_SECONDS)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
        assert b"mlreg/cli/app.py" not in told
        assert b"typer" not in told
