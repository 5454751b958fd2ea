"""The one hand that writes: results to stdout, notes to stderr."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

from mlreg.errors import OutputFailed
from mlreg.names import safe

# For what is never cut, however long it is.
ENDLESS = sys.maxsize


def write(text: str) -> None:
    """Write results to stdout at once, in UTF-8 whatever the locale says.

    Raises:
        OutputFailed: They could not be written.
        BrokenPipeError: Nobody reads them any more.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    except OSError as error:
        _give_up(error)


def write_text(text: str) -> None:
    """Write text for people to stdout, with escapes for what the terminal cannot show.

    Raises:
        OutputFailed: It could not be written.
        BrokenPipeError: Nobody reads it any more.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _give_up(error)


def let_go() -> None:
    """Let whoever reads stdout see its end, while this process has something left to do."""
    sys.stdout.flush()
    # It has no number where it is not the process's own.
    with suppress(OSError, ValueError), open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), sys.stdout.fileno())


def _give_up(error: OSError) -> None:
    if error.errno == errno.EPIPE:
        raise BrokenPipeError from None
    raise OutputFailed(f"the results could not be written: {error.strerror}") from None


def note(text: str) -> None:
    """Say something beside the result."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{safe(text, longest=ENDLESS)}\n")
        sys.stderr.flush()
