"""The floors hold, and what a command does not need it does not import."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent
MLREG = Path(sys.executable).with_name("mlreg")

NUMERIC = {"sklearn", "scipy", "numpy", "joblib", "pandas"}
HEAVY = NUMERIC | {"sqlite_utils", "tomlkit"}
IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)


def test_imports_go_down_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(cache_dir=str(tmp_path))
    assert status == 0, capsys.readouterr().out


def test_no_modules_import_one_another_not_even_inside_functions() -> None:
    graph = grimp.build_graph("mlreg", cache_dir=None)
    needed = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert needed["mlreg.cli.session"] >= {"mlreg.cli.views", "mlreg.cli.stdout"}
    assert knotted(needed) == {}


def test_a_circle_of_imports_is_found() -> None:
    needed = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert knotted(needed) == {"b": {"c"}, "c": {"b"}}


def knotted(needed: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is left without the modules that need none of those left, or that none of them needs."""
    left = {name: set(others) for name, others in needed.items()}
    while True:
        wanted = set().union(*left.values()) if left else set()
        inner = {name for name, others in left.items() if others and name in wanted}
        if inner == set(left):
            return left
        left = {name: left[name] & inner for name in inner}


def test_what_is_sqlites_own_is_said_in_the_engine_room_alone() -> None:
    words = re.compile(
        r"\b(sqlite3|pragma|sqlite_\w+|lastrowid|last_insert_rowid|json_valid|json_extract"
        r"|without rowid|insert or \w+ into|limit -1)\b",
        re.IGNORECASE,
    )
    package = ROOT / "mlreg"
    said = {
        (str(path.relative_to(package)), found)
        for path in package.rglob("*.py")
        if "engines" not in path.relative_to(package).parts
        for found in words.findall(path.read_text("utf-8"))
    }
    # `doctor` tells which library it found.
    assert said == {("services/checks/files.py", "sqlite_facts")}


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        pytest.param(["-c", "import mlreg"], HEAVY | {"semver", "rich", "typer"}, id="import"),
        pytest.param([str(MLREG), "--help"], HEAVY | {"semver"}, id="help"),
        pytest.param([str(MLREG), "--version"], HEAVY | {"semver", "rich"}, id="version"),
        pytest.param([str(MLREG), "list", "--json"], HEAVY | {"rich"}, id="list"),
        pytest.param([str(MLREG), "history", "--json"], HEAVY | {"rich"}, id="history"),
    ],
)
def test_a_light_command_imports_nothing_heavy(
    fresh_registry: Path, command: list[str], unwanted: set[str]
) -> None:
    assert not imported_by(command, fresh_registry) & unwanted


@pytest.fixture(scope="module")
def fresh_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a registry that holds one version."""
    folder = tmp_path_factory.mktemp("fresh")
    for arguments in (["init"], ["register", "sentiment@1.0.0"]):
        subprocess.run([MLREG, *arguments], cwd=folder, check=True, capture_output=True)
    return folder


def imported_by(command: list[str], folder: Path) -> set[str]:
    """The top-level names that a Python process imports, even one that leaves by os._exit."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in IMPORTED.findall(done.stderr)}
