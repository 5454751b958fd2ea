"""How tests of experiments feed one and look at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlreg.clock import DAY
from mlreg.entities.analyses import Analysis
from mlreg.entities.experiments import Draft
from mlreg.registry import Registry
from tests.support import Clock

VERSIONS = ("1.0.0", "2.0.0", "3.0.0")
ARMS = {2: ("control", "treatment"), 3: ("control", "treatment-1", "treatment-2")}
MODES = ("group-sequential", "always-valid")
Rows = list[dict[str, Any]]


def begin(
    registry: Registry, clock: Clock, treatments: int = 1, *, days: float = 8, **wishes: Any
) -> None:
    """Start an experiment, and let days go by.

    With the rates around a half, each 41 users of an arm are a tenth of the planned information.
    """
    given = {"strategy": "sticky", "mde": 0.1, "baseline": 0.5, **wishes}
    refs = [f"m@{version}" for version in VERSIONS[1 : treatments + 1]]
    draft = Draft(control="m@1.0.0", treatments=refs, **given)
    registry.experiments.create("t", draft)
    registry.experiments.start("t")
    clock.at += round(days * DAY)


def look(registry: Registry, rows: Sequence[dict[str, Any]] = ()) -> Analysis:
    """Record what was answered and analyze it; every stored verdict follows from the log."""
    registry.external.record_many("t", rows)
    found = registry.experiments.analyze("t")
    assert registry.experiments.verify("t").agrees
    assert found.winner in (None, found.primary.version)
    return found
