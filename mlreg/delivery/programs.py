"""A program that is told of an event: by argv without a shell, with JSON on its stdin.

It gets no more of this process than it needs: few variables and no secrets among them, no
descriptor beside its three, a session of its own, and an end with all that it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import IO

from mlreg.delivery.message import Message, Outcome

_LONGEST_OUTPUT = 4096
_PIECE = 1 << 16
_PATIENCE = 1.0
_ENVIRONMENT = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
)  # fmt: skip


def run(message: Message, argv: Sequence[str], folder: str, *, seconds: float) -> Outcome:
    """Run a program; whatever goes wrong is its outcome.

    Args:
        message: What it is told.
        argv: The program and its arguments.
        folder: Where it runs.
        seconds: How long it may take.
    """
    with tempfile.TemporaryFile() as told:
        told.write(message.body.encode())
        told.seek(0)
        try:
            process = subprocess.Popen(
                [os.fsencode(word) for word in argv],
                stdin=told,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment(message),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Outcome(False, f"cannot be started: {_problem(error)}")
        return _followed(process, seconds)


def environment(message: Message) -> dict[bytes, bytes]:
    """The variables that a program gets."""
    event = message.event
    own = {
        "MLREG_EVENT": message.type,
        "MLREG_EVENT_ID": message.id,
        "MLREG_MODEL": event.model or "",
        "MLREG_OBJECT": event.object,
        "MLREG_ACTOR": event.actor,
        "MLREG_REASON": event.reason,
        "MLREG_REGISTRY": message.registry,
    }
    given = {name: value for name, value in os.environ.items() if _goes_along(name)}
    return {os.fsencode(name): os.fsencode(value) for name, value in (given | own).items()}


def _goes_along(name: str) -> bool:
    return name in _ENVIRONMENT or name.startswith("LC_")


def _problem(error: Exception) -> str:
    return ((isinstance(error, OSError) and error.strerror) or str(error)).lower()


def _followed(process: subprocess.Popen[bytes], seconds: float) -> Outcome:
    assert process.stdout is not None  # for the type checker
    output = bytearray()
    reader = Thread(target=_drain, args=(process.stdout, output), daemon=True)
    reader.start()
    try:
        status = process.wait(seconds)
        said = "" if status == 0 else _manner(status)
    except subprocess.TimeoutExpired:
        said = f"took longer than {seconds:g} s"
    finally:
        # Also what it left behind: the group outlives its leader.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # What left the group may hold the pipe for ever, and is not waited for.
        reader.join(_PATIENCE)
    answer = bytes(output).decode("utf-8", "replace")
    return Outcome(not said, said or "exit code 0", answer=answer)


def _drain(source: IO[bytes], output: bytearray) -> None:
    """Read all that comes, so that nobody waits for room, and keep the beginning of it."""
    with suppress(OSError), source:
        while piece := os.read(source.fileno(), _PIECE):
            output += piece[: max(0, _LONGEST_OUTPUT - len(output))]


def _manner(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    with suppress(ValueError):
        return f"ended by {signal.Signals(-status).name}"
    return f"ended by signal {-status}"
