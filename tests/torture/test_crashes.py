"""A command that is killed, or that the disk fails, leaves the state before or the state after."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlreg
from tests.torture.faults import Outcome, Point, points_of, restore, run

MLREG = [sys.executable, "-P", "-m", "mlreg"]
COMMANDS = {
    "register": ["register", "other@1.0.0", "{artifact}"],
    "activate": ["activate", "sentiment@2.0.0", "--traffic", "30"],
    "rollback": ["rollback", "sentiment"],
    "predict": ["predict", "great product", "--model", "sentiment"],
    "feedback": ["feedback", "1", "positive"],
    "promote": ["promote", "sentiment@1.0.0"],
    "delete": ["delete", "sentiment@3.0.0", "--yes"],
}
# A version is registered and deleted once; that it exists, or is gone, is then the right answer.
DONE_BEFORE = {"register": 4, "delete": 3}
ERRORS = ("EIO", "ENOSPC")


@pytest.fixture(scope="module", autouse=True)
def _strace() -> None:
    assert shutil.which("strace"), "the campaigns need strace: install it, e.g. apt install strace"


@pytest.fixture(scope="module")
def artifact(artifacts: dict[str, Path]) -> Path:
    """A model's file."""
    return artifacts["text"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, artifact: Path) -> Path:
    """A registry with three versions, a split, and one prediction."""
    folder = tmp_path_factory.mktemp("template") / "registry"
    with mlreg.init(folder) as registry:
        for number in ("1.0.0", "2.0.0", "3.0.0"):
            registry.versions.register(f"sentiment@{number}", artifact)
        registry.traffic.activate("sentiment@1.0.0")
        registry.traffic.activate("sentiment@2.0.0", percent=50)
        registry.predictions.predict("great product")
    return folder


@pytest.fixture
def folder(tmp_path: Path, template: Path) -> Iterator[Path]:
    """The registry of one run; it is put back before each."""
    folder = tmp_path / "registry"
    restore(folder, template)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_kill_at_any_step_loses_nothing_that_was_acknowledged(
    verb: str, folder: Path, template: Path, artifact: Path, tmp_path: Path
) -> None:
    command = command_line(verb, folder, artifact)
    points = points_of(command, tmp_path)
    assert len(points) > 5
    for point in points:
        restore(folder, template)
        outcome = run(command, f"{point.call}:signal=KILL:when={point.nth}")
        check(verb, point, folder, outcome)
        retry(verb, command, point, folder)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("verb", ["register", "activate", "predict", "feedback"])
def test_a_failing_disk_changes_nothing_or_all_and_says_so(
    verb: str, error: str, folder: Path, template: Path, artifact: Path, tmp_path: Path
) -> None:
    command = command_line(verb, folder, artifact)
    for point in points_of(command, tmp_path):
        restore(folder, template)
        outcome = run(command, f"{point.call}:error={error}:when={point.nth}")
        assert "Traceback" not in outcome.stderr, f"at {point}"
        assert len(outcome.stderr.splitlines()) <= 3, f"at {point}: {outcome.stderr}"
        check(verb, point, folder, outcome)
        retry(verb, command, point, folder)


def command_line(verb: str, folder: Path, artifact: Path) -> list[str]:
    """The command of a verb on this registry."""
    words = [word.format(artifact=artifact) for word in COMMANDS[verb]]
    return [*MLREG, *words, "--json", "--registry", str(folder)]


def retry(verb: str, command: list[str], point: Point, folder: Path) -> None:
    """The same command, unharmed, succeeds or finds its work done."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, DONE_BEFORE.get(verb, 0)), f"retry after {point}: {done.stderr}"
    check(verb, point, folder, Outcome(done.returncode, done.stdout, done.stderr))


def check(verb: str, point: Point, folder: Path, outcome: Outcome) -> None:
    """The registry is whole, and what was printed is in it."""
    with mlreg.open(folder) as registry:
        failed = [f for f in registry.health.check().findings if f.state == "failed"]
        assert not failed, f"after {point}: {failed}"
        if outcome.stdout.endswith("\n"):
            check_acknowledged(verb, registry, json.loads(outcome.stdout))


def check_acknowledged(verb: str, registry: mlreg.Registry, record: dict[str, object]) -> None:
    """What the command said it did can be read back."""
    if verb == "predict":
        logged = registry.predictions.get(int(str(record["prediction_id"])))
        assert logged.prediction == record["prediction"]
    elif verb == "register":
        assert registry.versions.get(f"{record['name']}@{record['version']}").digest
    elif verb in ("activate", "rollback", "promote"):
        numbers = [revision.number for revision in registry.traffic.history("sentiment")]
        assert record["revision"] in numbers
    elif verb == "feedback":
        assert registry.predictions.get(1).label == "positive"
