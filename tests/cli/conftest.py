"""The command line, run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from mlreg.cli.app import app
from mlreg.registry import Registry


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def records(self) -> list[Any]:
        """The JSON objects on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `mlreg` with these arguments in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, input: bytes | str | None = None) -> Outcome:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=input)
        assert "Traceback" not in result.stderr
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def mlreg(run: Run, registry: Registry) -> Run:
    """Run `mlreg` in the folder of an empty registry."""
    return run


@pytest.fixture
def serving(run: Run, serving_registry: Registry) -> Run:
    """Run `mlreg` where `sentiment` has 1.0.0 at 80 % and 2.0.0 at 20 %."""
    return run
