"""The examples run as their docstrings say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlreg.registry import Registry

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

pytestmark = [pytest.mark.process, pytest.mark.slow]


def run(example: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run an example as a program."""
    command = [sys.executable, str(EXAMPLES / example), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_wine_reports_both_versions_and_refuses_a_verdict_on_little_evidence(
    tmp_path: Path,
) -> None:
    done = run("wine.py", str(tmp_path / "cellar"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "wine@1.0.0: right about" in done.stdout
    assert "inconclusive: Too little evidence" in done.stdout
    assert (tmp_path / "cellar" / ".mlreg").is_dir()


def test_nightly_leaves_the_traffic_alone_while_evidence_is_thin(
    serving_registry: Registry, tmp_path: Path
) -> None:
    serving_registry.predictions.predict("great product")
    before = serving_registry.traffic.current("sentiment")
    done = run("nightly.py", "sentiment", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Only " in done.stdout
    assert serving_registry.traffic.current("sentiment") == before


@pytest.fixture
def service(serving_registry: Registry, tmp_path: Path) -> Iterator[str]:
    """The address of a running service."""
    command = [sys.executable, str(EXAMPLES / "service.py"), str(serving_registry.folder), "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def post(address: str, document: object) -> dict[str, object]:
    """Send JSON, and read the JSON that comes back."""
    request = urllib.request.Request(address, data=json.dumps(document).encode())
    with urllib.request.urlopen(request) as response:
        found: dict[str, object] = json.load(response)
    return found


def test_the_service_answers_takes_feedback_and_says_what_is_wrong(
    service: str, serving_registry: Registry
) -> None:
    asked = {"input": "great product", "user": "alice", "request_id": "order-7"}
    answer = post(f"{service}/predict", asked)
    assert answer["prediction"] == "positive"
    assert post(f"{service}/predict", asked)["prediction_id"] == answer["prediction_id"]

    told = {"prediction_id": answer["prediction_id"], "label": "positive"}
    assert post(f"{service}/feedback", told)["recorded"] == 1

    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        post(f"{service}/predict", {"input": 7})
    with caught.value as error:
        assert json.load(error)["error"]["code"] == "invalid_input"

    serving_registry.traffic.promote("sentiment@2.0.0")
    assert post(f"{service}/predict", {"input": "hate it"})["model_version"] == "2.0.0"


def test_the_canary_lets_the_good_version_through_and_catches_the_others(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(EXAMPLES / "canary.sh")],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ends = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert ends["good"].startswith("completed after ")
    for version, check in {
        "shuffled": "accuracy is", "raising": "error_rate is", "slow": "p95_latency_ms is"
    }.items():  # fmt: skip
        assert ends[version].startswith("aborted after ")
        assert check in ends[version]
