"""Questions before what cannot be undone."""

from __future__ import annotations

import sys

import typer

from mlreg.errors import InvalidInput
from mlreg.names import safe


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if the user agrees: by `--yes`, or by answering on a terminal.

    Raises:
        InvalidInput: There is no terminal to ask on.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidInput(f"{safe(question)} There is no terminal to ask on", hint="give --yes")
    typer.confirm(safe(question), abort=True, err=True)
