"""Sixteen processes at once, fifty mixed commands each, on one registry."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlreg

MLREG = [sys.executable, "-P", "-m", "mlreg"]
WORKERS, STEPS = 16, 50
OK, CONFLICT = 0, 4
# Weight and words; a conflict is the documented answer where two want to change the same thing.
MIX = (
    (4, ["predict", "great {place}", "--model", "sentiment"]),
    (3, ["feedback", "1", "positive"]),
    (2, ["register", "m{worker}@0.0.{step}", "{artifact}", "--no-check"]),
    (1, ["register", "shared@1.{step}.0", "{artifact}", "--no-check"]),
    (2, ["activate", "sentiment@2.0.0", "--traffic", "30"]),
    (2, ["route", "sentiment", "1.0.0=60", "2.0.0=40"]),
    (1, ["promote", "sentiment@1.0.0"]),
    (1, ["rollback", "sentiment"]),
    (2, ["perf", "sentiment"]),
    (2, ["list"]),
)


def test_a_storm_of_commands_ends_in_documented_conflicts_at_worst(
    tmp_path: Path, artifacts: dict[str, Path]
) -> None:
    folder = tmp_path / "registry"
    with mlreg.init(folder) as registry:
        registry.versions.register("sentiment@1.0.0", artifacts["text"])
        registry.versions.register("sentiment@2.0.0", artifacts["text"])
        registry.traffic.activate("sentiment@1.0.0")
        registry.predictions.predict("great product")
    with ThreadPoolExecutor(WORKERS) as pool:
        lives = [pool.submit(live, worker, folder, artifacts["text"]) for worker in range(WORKERS)]
        acknowledged = [line for life in lives for line in life.result()]
    with mlreg.open(folder) as registry:
        assert registry.health.check().healthy
        answers = [line for line in acknowledged if "prediction_id" in line]
        assert len(answers) > WORKERS
        for answer in answers:
            assert (
                registry.predictions.get(answer["prediction_id"]).prediction == answer["prediction"]
            )


def live(worker: int, folder: Path, artifact: Path) -> list[dict]:
    """One process after another, as a busy user would start them; what they acknowledged."""
    draw = random.Random(worker)
    weights, templates = zip(*MIX, strict=True)
    acknowledged = []
    for step in range(STEPS):
        words = draw.choices(templates, weights)[0]
        place = f"w{worker}s{step}"
        filled = [
            word.format(worker=worker, step=step, place=place, artifact=artifact) for word in words
        ]
        done = subprocess.run(
            [*MLREG, *filled, "--json", "--registry", str(folder)],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode in (OK, CONFLICT), f"{filled}: {done.stderr}"
        if done.returncode == OK:
            acknowledged.append(json.loads(done.stdout))
    return acknowledged
