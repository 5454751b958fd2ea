"""Questions before what cannot be undone."""

from __future__ import annotations

import sys

import typer

from mlreg.errors import InvalidInput
from mlreg.names import safe


def can_ask() -> bool:
    """Whether there is somebody at a terminal to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(doing: str, *, yes: bool) -> None:
    """Go on only if the user agrees: by `--yes`, or by answering on a terminal.

    Args:
        doing: What is about to be done, such as `deleting sentiment@1.0.0`.
        yes: Whether the user has agreed.

    Raises:
        InvalidInput: There is no terminal to ask on.
    """
    if yes:
        return
    if not can_ask():
        raise InvalidInput(
            f"{doing} needs a yes, and there is no terminal to ask on", hint="give --yes"
        )
    typer.confirm(f"You are {safe(doing)}. Go on?", abort=True, err=True)
