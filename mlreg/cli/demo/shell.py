"""Runs the demo's commands as a person would: in a shell, in the demo's folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Done(NamedTuple):
    """A command that was run; `output` is what it printed, None where it went to the terminal."""

    command: str
    exit_code: int
    seconds: float
    output: str | None


class Shell:
    """A shell whose `python` and `mlreg` are those of this very process.

    Args:
        folder: Where commands run.
        capture: Keep what they print instead of showing it.
    """

    def __init__(self, folder: Path, *, capture: bool) -> None:
        self._folder = folder
        self._capture = capture
        # The user's settings name other registries and other models.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MLREG_")}
        # Their own configuration, which need not be there, is of the demo's folder.
        own = {"PATH": search_path(), "XDG_CONFIG_HOME": str(folder.absolute() / ".config")}
        self._environment = kept | own

    def run(self, command: str) -> Done:
        """Run one command line; what interrupts it ends all that it has started."""
        started = perf_counter()
        # A request that came while the step starts would leave it running, unknown to us.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _REQUESTS)
        try:
            with self._start(command) as step:
                try:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
                    said, _ = step.communicate()
                except BaseException:
                    with suppress(ProcessLookupError, PermissionError):  # it has just ended
                        os.killpg(step.pid, signal.SIGKILL)
                    raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return Done(command, step.returncode, perf_counter() - started, said)

    def _start(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["sh", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if self._capture else None,
            stderr=subprocess.STDOUT if self._capture else None,
            encoding="utf-8",
            errors="replace",
            # So that Ctrl-C reaches the demo alone, which says one line and ends the step.
            start_new_session=True,
        )


def search_path() -> str:
    """PATH, with the folders of this interpreter and of the command that was typed in front."""
    own = dict.fromkeys(
        (str(Path(sys.executable).parent), str(Path(sys.argv[0]).absolute().parent))
    )
    return os.pathsep.join([*own, os.environ.get("PATH", os.defpath)])


def python_name() -> str:
    """What this interpreter is called in its folder: some systems have no plain `python`."""
    executable = Path(sys.executable)
    return "python" if executable.with_name("python").exists() else executable.name
