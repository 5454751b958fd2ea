"""Thresholds on the path of predictions, tripped by several processes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.config import FOLDER
from mlreg.registry import Registry, init_registry
from mlreg.services.threshold_drafts import Defaults
from tests.process.test_concurrency import finish, run, start

pytestmark = [pytest.mark.process, pytest.mark.slow]

MODELS, PROGRAMS = 15, 4
FAILING = """
with Registry(folder) as registry:
    for n in range(15):
        failed = registry.predictions.record(f"m{n}", error="no")
        if failed.rollback:
            ack(f"m{n}", failed.rollback.revision)
"""
TICKING = """
with Registry(folder) as registry:
    for _ in range(30):
        registry.tick()
"""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Models whose second version is one failure of each program away from a rollback."""
    with init_registry(tmp_path) as registry:
        for n in range(MODELS):
            for version in ("1.0.0", "2.0.0"):
                registry.versions.register(f"m{n}@{version}", external=True)
                registry.traffic.promote(f"m{n}@{version}")
            registry.thresholds.set_defaults(
                f"m{n}", Defaults(in_a_row=PROGRAMS), action="rollback"
            )
    return tmp_path


def check_all(folder: Path) -> None:
    """Each model was rolled back, once."""
    with Registry(folder / FOLDER) as registry:
        for n in range(MODELS):
            assert len(registry.traffic.rollbacks(f"m{n}")) == 1
            assert registry.traffic.current(f"m{n}").live[0].version == "1.0.0"
        assert registry.health.check().healthy
        assert registry.predictions.last_id() == MODELS * PROGRAMS


def test_two_that_trip_one_threshold_at_once_make_one_rollback(many: Path):
    lines = [line for own in run(FAILING, many, PROGRAMS) for line in own]
    assert sorted(lines) == sorted(f"m{n} 3" for n in range(MODELS))
    check_all(many)


def test_a_tick_beside_those_who_answer_makes_no_second_one(many: Path):
    finish([*(start(FAILING, many, me) for me in range(PROGRAMS)), start(TICKING, many)])
    check_all(many)
