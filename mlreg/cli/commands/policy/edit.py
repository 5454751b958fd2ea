"""`mlreg policy edit`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from mlreg.cli.options import MannerOptions, NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.errors import InvalidInput
from mlreg.names import safe


def edit(session: SessionOptions, name: NameOptions, change: MannerOptions) -> None:
    """Change the policy in your editor.

    Opens it in VISUAL, EDITOR or vi, and puts in force what was saved, if nobody has changed the
    policy meanwhile.

    $ mlreg policy edit sentiment --reason "a bound for the tail"
    """
    from mlreg.editing import as_toml
    from mlreg.services.policy_forms import file_form

    with session.open() as registry:
        now = registry.policies.current(name)
        text = as_toml(file_form(now))
        edited = _edited(text)
        found = registry.policies.apply(
            edited, source="the policy", expect_policy=now.number, change=change
        )
        session.emit(found)


def _edited(text: str) -> str:
    """The text as it was saved in an editor."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    if not (sys.stdin.isatty() or "VISUAL" in os.environ or "EDITOR" in os.environ):
        raise InvalidInput("there is no terminal to edit in", hint="mlreg apply -f mlreg.toml")
    with tempfile.TemporaryDirectory(prefix="mlreg-") as folder:
        path = Path(folder) / "policy.toml"
        path.write_text(text, "utf-8")
        try:
            done = subprocess.run([*shlex.split(editor), str(path)], check=False)
        except (OSError, ValueError) as error:
            raise InvalidInput(f"the editor {safe(editor)} cannot be run: {error}") from None
        if done.returncode:
            raise InvalidInput(f"the editor ended with {done.returncode}: nothing was changed")
        return path.read_text("utf-8", "replace")
