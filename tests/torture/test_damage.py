"""Every kind of damage under every verb: no defect, and nothing that doctor does not see."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlreg.cli.app import app
from tests.damage import DAMAGE, ROWS, build

VERBS = (
    ["doctor", "--json"],
    ["list"],
    ["show", "m@1.0.0"],
    ["history", "m"],
    ["history", "m", "--json"],
    ["audit"],
    ["log", "-n", str(2 * ROWS), "--json"],
    ["perf", "m"],
    ["perf", "m", "--by", "a"],
    ["next", "m"],
    ["abtest", "list"],
    ["abtest", "show", "t"],
    ["abtest", "status", "t"],
    ["abtest", "verify", "t"],
    ["abtest", "analyze", "t"],
    ["predict", "[1]", "--model", "m"],
    ["predict", "[1]", "--model", "m", "--version", "1.0.0"],
    ["predict", "[1]", "--model", "m", "--request-id", "r"],
    ["activate", "m@1.0.0", "--traffic", "30"],
    ["rollback", "m"],
    ["feedback", "10", "yes"],
    ["compare", "m@1.0.0", "m@2.0.0"],
    ["alias", "m@2.0.0", "new"],
    ["doctor", "--repair", "--yes"],
    ["doctor", "--quick"],
)
DEFECT, INTERRUPTED = 1, 130


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sound"))


@pytest.mark.parametrize("name", DAMAGE)
def test_no_verb_takes_damage_for_a_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound: Path, name: str
):
    folder = shutil.copytree(sound, tmp_path / ".mlreg")
    DAMAGE[name].do(folder)
    monkeypatch.chdir(tmp_path)
    for words in VERBS:
        result = CliRunner().invoke(app, words)
        shown = (words, result.exit_code, result.stderr)
        assert result.exit_code not in (DEFECT, INTERRUPTED), shown
        assert "\x1b[31m" not in result.stdout + result.stderr, shown
        assert len(result.stderr.splitlines()) <= 12, shown
