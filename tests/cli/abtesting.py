"""How tests of `mlreg abtest` call the command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from mlreg.cli.app import app


def run(line: str, *, folder: Path | None = None, stdin: str | None = None) -> Result:
    """Run `mlreg abtest …` in this process, in a registry's folder if one is named."""
    words = ["abtest", *shlex.split(line)]
    if folder is not None:
        words = ["--registry", str(folder), *words]
    return CliRunner().invoke(app, words, input=stdin)


def answer(
    line: str, *, folder: Path | None = None, code: int = 0, stdin: str | None = None
) -> Any:
    """The JSON document of a command that ends with this code."""
    result = run(f"{line} --json", folder=folder, stdin=stdin)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def refusal(line: str, *, code: int, folder: Path | None = None, stdin: str | None = None) -> str:
    """What a command says on stderr when it refuses: at most three lines, and no result."""
    result = run(line, folder=folder, stdin=stdin)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert 1 <= len(lines) <= 3, result.stderr
    return result.stderr
