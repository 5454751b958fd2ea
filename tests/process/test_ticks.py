"""Ticks as processes: two at once do one thing once, and one that is killed leaves whole steps."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from mlreg.artifacts.samples import constant_model
from mlreg.clock import MINUTE, now
from mlreg.config import FOLDER
from mlreg.registry import Registry, init_registry
from tests.process.conftest import MLREG
from tests.support import Clock

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose second version fails, with a threshold that rolls back."""
    folder = tmp_path_factory.mktemp("broken")
    with init_registry(folder) as registry:
        for number, answer in (("1.0.0", "yes"), ("2.0.0", "no")):
            registry.versions.register(f"m@{number}", constant_model(answer))
            registry.traffic.activate(f"m@{number}")
        registry.thresholds.set("m", "error_rate <= 5% over 1h", action="rollback")
        for n in range(40):
            registry.predictions.record("m", output="yes", error="boom" if n % 2 else None)
    return folder


@pytest.fixture
def folder(broken: Path, tmp_path: Path) -> Path:
    shutil.copytree(broken / FOLDER, tmp_path / FOLDER)
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [MLREG, "tick", "--json"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def test_many_ticks_at_once_do_everything_once(folder: Path):
    ticks = [start(folder) for _ in range(4)]
    done = [tick.communicate(timeout=60) for tick in ticks]
    assert [tick.returncode for tick in ticks] == [0] * 4, done
    made = [one["what"] for out, _ in done for one in json.loads(out)["decisions"]]
    assert sorted(made) == ["alert.firing", "alert.resolved", "rollback"]


@pytest.mark.parametrize("delay", [0.15, 0.25, 0.3, 0.35, 0.4, 0.5])
def test_a_tick_that_is_killed_leaves_whole_steps_and_the_next_goes_on(folder: Path, delay: float):
    """Wherever the kill falls, which depends on the machine."""
    tick = start(folder)
    time.sleep(delay)
    tick.kill()
    tick.communicate(timeout=60)
    later = Clock(now() + MINUTE)  # the lease of the one that was killed is over
    with Registry(folder / FOLDER, actor="tester", clock=later) as registry:
        assert registry.tick().busy_with is None
        made = [one.what for one in reversed(registry.stories.decisions("m"))]
        assert made == ["alert.firing", "rollback", "alert.resolved"]
        assert len(registry.traffic.rollbacks("m")) == 1
        [alert] = registry.alerts.list()
        assert (alert.state, alert.acted) == ("resolved", 3)
        assert registry.health.check(quick=True).healthy
