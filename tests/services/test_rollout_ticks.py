"""Rollouts under ticks of a clock that goes on while they do."""

from __future__ import annotations

import pytest

from mlreg.clock import HOUR
from mlreg.entities.rollouts import Draft
from mlreg.registry import Registry
from tests.support import Clock


class Running(Clock):
    """A clock that goes on by a millisecond with each look."""

    def __call__(self) -> int:
        self.at += 1000
        return self.at


@pytest.fixture
def running(serving_registry: Registry, clock: Clock) -> tuple[Registry, Clock]:
    found = Running(clock.at)
    serving_registry.close()
    return Registry(serving_registry.folder, actor="tester", clock=found), found


def test_a_step_that_is_held_back_is_told_of_once(running: tuple[Registry, Clock]):
    registry, clock = running
    with registry:
        registry.traffic.route("sentiment", {"1.0.0": 100})
        registry.rollouts.start("sentiment@2.0.0", Draft())
        clock.at += 2 * HOUR
        turns = [registry.tick() for _ in range(3)]
        whats = [decision.what for turn in turns for decision in turn.decisions]
        assert whats == ["rollout.hold"]
        assert [e.action for e in registry.audit.events()].count("rollout.hold") == 1
