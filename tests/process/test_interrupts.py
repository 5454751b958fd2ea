"""Requests to stop that come while a command starts, loads code or reports: never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.process.conftest import Shell

pytestmark = pytest.mark.process

# Python imports it before anything else; it sends signals when a certain module is asked for.
SENDER = """
import os, sys

def request():
    os.kill(os.getpid(), {number})
    for _ in range(100):
        pass

class Late:
    def __del__(self):
        request()

def twice():
    try:
        request()
    finally:
        request()

class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {act}

sys.meta_path.insert(0, Sender())
"""


@pytest.fixture
def interrupted(shell: Shell, tmp_path: Path):
    """Run a command that gets a signal at the moment it imports a module."""

    def run(line: str, module: str, *, number: int = 2, act: str = "request()"):
        folder = tmp_path / "hooks"
        folder.mkdir()
        program = SENDER.format(number=number, module=module, act=act)
        (folder / "sitecustomize.py").write_text(program)
        return shell(line, PYTHONPATH=str(folder), COVERAGE_PROCESS_CONFIG="")

    return run


# The first before the command line is there, the last when the command is under way.
MODULES = ("typing", "mlreg.cli.app", "mlreg.cli.commands.list", "mlreg.store.store")


@pytest.mark.parametrize("command", ["mlreg", "python -P -m mlreg"])
@pytest.mark.parametrize("module", MODULES)
def test_an_interrupt_during_an_import_is_one_line(interrupted, command: str, module: str) -> None:
    done = interrupted(f"{command} list", module)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"interrupted\n")


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("number", [1, 15], ids=["SIGHUP", "SIGTERM"])
def test_a_request_to_end_during_an_import_is_silent(interrupted, module: str, number: int) -> None:
    done = interrupted("mlreg list", module, number=number)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")


@pytest.mark.parametrize("module", ["typer", "mlreg.registry"])
def test_an_interrupt_that_cannot_be_raised_is_not_lost(interrupted, module: str) -> None:
    done = interrupted("mlreg list", module, act="Late()")
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"interrupted\n")


def test_a_request_to_end_that_cannot_be_raised_is_not_lost(interrupted) -> None:
    done = interrupted("mlreg list", "mlreg.registry", act="Late()", number=15)
    assert (done.returncode, done.stdout, done.stderr) == (143, b"", b"")


@pytest.mark.parametrize("module", ["typer", "mlreg.registry"])
def test_an_interrupt_that_comes_twice_is_said_once(interrupted, module: str) -> None:
    done = interrupted("mlreg list", module, act="twice()")
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"interrupted\n")


def test_an_interrupt_while_an_error_is_reported_ends_it(interrupted) -> None:
    done = interrupted("mlreg nonsense", "mlreg.cli.failures")
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"interrupted\n")


def test_a_job_in_the_background_goes_on_when_others_are_interrupted(interrupted) -> None:
    done = interrupted("trap '' INT; mlreg list --field models.name", "typer")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"sentiment\nsentiment\n"
