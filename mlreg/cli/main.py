"""The entry point of the process: streams, signals, and a quick end."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line as a process of its own."""
    _occupy_standard_streams()
    _make_text_writable()
    signal.signal(signal.SIGTERM, _terminate)
    warnings.showwarning = _note
    from mlreg.cli.app import command

    _leave(command().run(_arguments()))


def _arguments() -> list[str]:
    # UTF-8 whatever the locale says: the same bytes name the same model everywhere.
    return [os.fsencode(word).decode("utf-8", "surrogateescape") for word in sys.argv[1:]]


def _occupy_standard_streams() -> None:
    """Take the numbers 0 to 2 before a database can get one of them and be written into.

    A closed stdout is opened for reading alone, so that a result that cannot be written is an
    error and not silence.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number < 2 else os.O_WRONLY)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _make_text_writable() -> None:
    # In the C locale a name such as 模型 is shown by escapes instead of ending the command.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _note(message: Warning | str, *_: object, **__: object) -> None:
    from mlreg.cli.output import note

    note(f"note: {message}")


def _terminate(*_: object) -> NoReturn:
    from mlreg.cli.exit_codes import ExitCode

    # One request is enough: what follows are `finally` blocks that must not be cut off.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(ExitCode.TERMINATED)


def _leave(code: int) -> NoReturn:
    """End at once: everything is closed, and taking the interpreter apart costs milliseconds."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 1
    os._exit(code)
