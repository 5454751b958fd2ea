"""The one way in which errors reach people and scripts: at most three lines, and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import Any

import typer

from mlreg.cli.exit_codes import ExitCode, exit_code
from mlreg.cli.kit.flags import has_flag
from mlreg.errors import InvalidInput, MlregError, OutputFailed
from mlreg.names import safe

_LONGEST = 1000
_VARIABLE = "MLREG_TRACEBACK"
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def report(error: BaseException, args: list[str], root: Any) -> int:
    """Say on stderr what went wrong; returns the exit code.

    Args:
        error: What went wrong.
        args: The command line: it may be itself what cannot be parsed.
        root: The group of all commands.
    """
    code = _silent(error)
    if code is not None:
        return code
    if has_flag(args, "--traceback", root) or os.environ.get(_VARIABLE, "0") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
    known = _known(error)
    _write(known, as_json=has_flag(args, "--json", root))
    return exit_code(type(known))


def _silent(error: BaseException) -> int | None:
    """The exit code of what needs no words; None where words are needed."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.UNEXPECTED
    if isinstance(error, BrokenPipeError):
        return ExitCode.BROKEN_PIPE
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        _line("interrupted")
        return ExitCode.INTERRUPTED
    return None


def _known(error: BaseException) -> MlregError:
    if isinstance(error, MlregError):
        return error
    # The base of usage errors is none of Typer's public names; this method is what it promises.
    if hasattr(error, "format_message"):
        return _usage(error)
    # Help and the version are printed by Typer; a file that fails is named in its error.
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE:
        return OutputFailed(f"the results could not be written: {error.strerror}")
    return MlregError(
        f"mlreg failed in a way that nobody foresaw: {type(error).__name__}: {error}",
        hint="please report this, with what --traceback prints",
    )


def _usage(error: BaseException) -> InvalidInput:
    text = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "mlreg"
    return InvalidInput(text[:1].lower() + text[1:], hint=f"see: {path} --help")


def _write(error: MlregError, *, as_json: bool) -> None:
    message, hint = safe(error.message, longest=_LONGEST), safe(error.hint, longest=_LONGEST)
    if as_json:
        from mlreg.jsonable import dumps

        _line(dumps({"error": {"code": error.code, "message": message, "hint": hint}}))
        return
    _line(f"error: {message}")
    if hint:
        _line(f"hint: {hint}")


def _line(text: str) -> None:
    # Nobody is left to be told when stderr itself is gone.
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
