"""Ctrl-C and other requests to stop: no traceback, whenever they come.

Until `end_at_once` has been called, an interrupt prints a traceback. So this module imports only
what Python itself has loaded by then: not `signal`, which builds enums first, but what is below it.
"""

import _signal  # type: ignore[import-not-found]  # typeshed knows `signal` alone
import os
import sys
import time

INTERRUPT = int(_signal.SIGINT)
_REQUESTS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
# How long what is under way may take to end before another request ends the process as it is.
_PATIENCE_SECONDS = 1.0
_asked_at: float | None = None


def end_at_once() -> None:
    """While nothing is under way yet, each request ends the process here and now."""
    _handle(end)


def unwind() -> None:
    """From now on the first request is raised, so that what is under way can be brought to an end.

    Those that follow closely are the same one: `timeout` and terminals send it twice.
    """
    _handle(_raise)
    sys.unraisablehook = _end_what_cannot_be_raised


def end(number: int, _frame: object = None) -> None:
    """Leave with the exit code of this signal, whatever is under way."""
    try:
        if number == INTERRUPT:
            os.write(2, b"interrupted\n")
    except OSError:
        pass  # nobody is left to be told
    finally:
        os._exit(128 + number)


def _handle(handler: object) -> None:
    for number in _REQUESTS:
        # A shell starts jobs in the background with interrupts ignored, and so they stay.
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, handler)


def _raise(number: int, _frame: object) -> None:
    global _asked_at
    if _asked_at is None:
        _asked_at = time.monotonic()
        raise KeyboardInterrupt if number == INTERRUPT else SystemExit(128 + number)
    if time.monotonic() - _asked_at > _PATIENCE_SECONDS:
        os._exit(128 + number)


def _end_what_cannot_be_raised(lost: "sys.UnraisableHookArgs") -> None:
    """A request that falls into a callback or destructor would be printed, and then forgotten."""
    if isinstance(lost.exc_value, KeyboardInterrupt):
        end(INTERRUPT)
    if isinstance(lost.exc_value, SystemExit):
        end(_signal.SIGTERM)
    sys.__unraisablehook__(lost)
