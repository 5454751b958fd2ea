"""Rollouts under real processes: many ticks at once, and ticks that are killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlreg.entities.rollouts import Draft
from mlreg.registry import Registry

pytestmark = [pytest.mark.process, pytest.mark.slow]

PLAN = Draft(
    steps=(10, 50, 100), interval="0", bake="0", min_samples=1, checks=("error_rate <= 5% sure",)
)


@pytest.fixture
def rolling(registry: Registry, artifacts: dict[str, Path]) -> Registry:
    """A rollout whose first step has its samples."""
    registry.versions.register("sentiment@1.0.0", artifacts["text"])
    registry.versions.register("sentiment@2.0.0", artifacts["other_text"])
    registry.traffic.activate("sentiment@1.0.0")
    registry.rollouts.start("sentiment@2.0.0", PLAN)
    answer(registry)
    return registry


def answer(registry: Registry) -> None:
    row = {"version": "2.0.0", "output": "positive", "latency_ms": 1.0}
    registry.predictions.record_many([row] * 20, model="sentiment")


def begin(registry: Registry) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mlreg", "--registry", str(registry.folder), "tick", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def advances(registry: Registry) -> int:
    return [event.action for event in registry.audit.events()].count("rollout.advance")


def test_many_ticks_at_once_take_one_step(rolling: Registry) -> None:
    ticks = [begin(rolling) for _ in range(8)]
    done = [tick.communicate() for tick in ticks]
    assert [tick.returncode for tick in ticks] == [0] * 8, done
    kinds = [one["what"] for out, _ in done for one in json.loads(out)["decisions"]]
    assert kinds.count("rollout.advance") == 1
    assert advances(rolling) == 1
    assert rolling.rollouts.get().traffic_percent == 50


def test_a_tick_that_is_killed_leaves_all_of_a_step_or_nothing(rolling: Registry) -> None:
    chance = random.Random(7)
    for _ in range(12):
        tick = begin(rolling)
        time.sleep(chance.uniform(0.2, 0.9))
        tick.kill()
        tick.communicate()
        rollout = rolling.rollouts.get()
        live = {arm.version: arm.traffic_percent for arm in rolling.traffic.current().live}
        assert live["2.0.0"] == rollout.traffic_percent
        assert rollout.step == advances(rolling) <= 1
    assert rolling.health.check().healthy
