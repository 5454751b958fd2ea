"""What starting costs: what is imported, and what is not."""

from __future__ import annotations

import json

import pytest

from tests.process.conftest import Shell

pytestmark = pytest.mark.process

HEAVY = {
    "sklearn", "scipy", "numpy", "pandas", "joblib", "sqlite_utils", "rich", "tomlkit", "semver",
    "fastapi", "pydantic", "pygments", "asyncio", "mlreg.artifacts.inprocess",
}  # fmt: skip
PROGRAM = """
import json, sys
from mlreg.cli.app import command
code = command().run({arguments!r})
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list", "--json"],
        ["list"],
        ["history"],
        ["log", "--json"],
        ["activate", "sentiment@1.0.0", "--traffic", "30", "--json"],
        ["feedback", "1", "positive"],
        ["predict", "great", "--json"],
        ["list", "--help"],
    ],
    ids=" ".join,
)
def test_a_command_imports_nothing_heavy(shell: Shell, arguments: list[str]) -> None:
    done = shell(f"python - <<'EOF'\n{PROGRAM.format(arguments=arguments)}\nEOF")
    code, modules = json.loads(done.stderr)
    assert code == 0
    assert not HEAVY & set(modules)


def test_help_imports_no_command(shell: Shell) -> None:
    done = shell(f"python - <<'EOF'\n{PROGRAM.format(arguments=['--help'])}\nEOF")
    _, modules = json.loads(done.stderr)
    assert not [name for name in modules if name.startswith("mlreg.cli.commands")]
    assert "mlreg.registry" not in modules


def test_the_module_runs_like_the_script(shell: Shell) -> None:
    assert shell("python -P -m mlreg list --json").stdout == shell("mlreg list --json").stdout
