"""B12: what a shadow costs those who wait for the live answer."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import mlreg
from benchmarks.harness import Line, Plan, ratio
from benchmarks.models import TEXT, mid, registry

BLOCK = 200


def followed(plan: Plan) -> list[Line]:
    """Library predict with a shadow that has the same work to do, against without one.

    Block by block and not call by call: a shadow is asked a moment later.
    """
    registry(plan.folder, mid(plan.folder))
    times: dict[str, list[float]] = {"alone": [], "followed": []}
    with mlreg.open(plan.folder) as found:
        end = time.perf_counter() + plan.seconds
        while time.perf_counter() < end or len(times["alone"]) < BLOCK:
            for name, shadows in (("alone", []), ("followed", ["2.0.0"])):
                found.traffic.route("sentiment", {"1.0.0": 100}, shadows=shadows)
                found.predictions.predict(TEXT, model="sentiment")
                found.shadows.drain()  # its process is there, and its model loaded
                times[name] += [
                    _seconds(lambda: found.predictions.predict(TEXT, model="sentiment"))
                    for _ in range(BLOCK)
                ]
                found.shadows.drain()
        dropped = found.shadows.report("sentiment").shadows[0].dropped
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    line = ratio(
        "B12", "library predict with a shadow / without", medians, "followed", "alone", 1.1
    )
    return [line, Line(budget="B12", what="dropped", value=sum(dropped.values()), limit=0, unit="")]


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
