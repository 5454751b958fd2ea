"""How tests of experiments feed one and look at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlreg.entities.analyses import Analysis
from mlreg.registry import Registry

MODES = ("group-sequential", "always-valid")
Rows = list[dict[str, Any]]


def look(registry: Registry, rows: Sequence[dict[str, Any]] = ()) -> Analysis:
    """Record what was answered and analyze it; every stored verdict follows from the log."""
    registry.experiments.record_many("t", rows)
    found = registry.experiments.analyze("t")
    assert registry.experiments.verify("t").agrees
    assert found.winner in (None, found.primary.version)
    return found
