"""B13: what thresholds cost those who wait for an answer, on the path of predictions."""

from __future__ import annotations

import statistics
import time

import mlreg
from benchmarks.harness import Line, Plan, ratio
from benchmarks.models import TEXT, mid, registry
from mlreg.services.threshold_drafts import Defaults

# Two evaluation windows: what a look costs is shared out over the answers between two of them.
BLOCK = 200
TRIGGERS = Defaults(
    min_accuracy=0.8, max_error_rate=0.05, max_latency_ms=1000, min_confidence=0.01,
    window=100, in_a_row=3,
)  # fmt: skip


def watched(plan: Plan) -> list[Line]:
    """Library predict with the five usual triggers, each a hundred predictions, against none.

    In processor time: nothing of it waits for anybody, and what else runs does not disturb it.
    """
    folders = {name: plan.folder / name for name in ("plain", "watched")}
    for folder in folders.values():
        folder.mkdir()
        registry(folder, mid(folder))
    plain, guarded = (mlreg.open(folder) for folder in folders.values())
    guarded.thresholds.set_defaults("sentiment", TRIGGERS, action="rollback")
    opened = {"plain": plain, "watched": guarded}
    times: dict[str, list[float]] = {name: [] for name in opened}
    for found in opened.values():  # what is imported and loaded once
        _block(found)
    end = time.perf_counter() + plan.seconds
    while time.perf_counter() < end or len(times["plain"]) < 5:
        for name, found in opened.items():
            times[name].append(_block(found))
    for found in opened.values():
        found.close()
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    what = "library predict with five thresholds / without"
    return [ratio("B13", what, medians, "watched", "plain", 1.05)]


def _block(found: mlreg.Registry) -> float:
    """Seconds for each of some answers."""
    start = time.process_time()
    for _ in range(BLOCK):
        found.predictions.predict(TEXT, model="sentiment", unit="u1")
    return (time.process_time() - start) / BLOCK
