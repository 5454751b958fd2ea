"""B12: what a shadow costs those who wait for the live answer."""

from __future__ import annotations

import random
import statistics
import subprocess
import time
from pathlib import Path

import mlreg
from benchmarks.harness import MLREG, Line, Plan, ratio
from benchmarks.models import TEXT, mid, registry

BLOCK, LEAST = 200, 5


def followed(plan: Plan) -> list[Line]:
    """A shadow that has the same work to do, against none: in the library and until it prints."""
    return [*in_library(plan), until_printed(plan)]


def in_library(plan: Plan) -> list[Line]:
    """Library predict, block by block and not call by call: a shadow is asked a moment later."""
    times: dict[str, list[float]] = {"alone": [], "followed": []}
    registry(plan.folder, mid(plan.folder))
    with mlreg.open(plan.folder) as found:
        end = time.perf_counter() + plan.seconds
        while time.perf_counter() < end or len(times["alone"]) < BLOCK:
            for name, shadows in (("alone", []), ("followed", ["2.0.0"])):
                found.traffic.route("sentiment", {"1.0.0": 100}, shadows=shadows)
                found.predictions.predict(TEXT, model="sentiment")
                found.shadows.drain()  # its process is there, and its model loaded
                for _ in range(BLOCK):
                    start = time.perf_counter()
                    found.predictions.predict(TEXT, model="sentiment")
                    times[name].append(time.perf_counter() - start)
                found.shadows.drain()
        dropped = found.shadows.report("sentiment").shadows[0].dropped
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    what = "library predict with a shadow / without"
    line = ratio("B12", what, medians, "followed", "alone", 1.1)
    return [line, Line(budget="B12", what="dropped", value=sum(dropped.values()), limit=0, unit="")]


def until_printed(plan: Plan) -> Line:
    """How long whoever reads what `mlreg predict` prints waits for its end."""
    times: dict[str, list[float]] = {"alone": [], "followed": []}
    for name, shadows in (("alone", []), ("followed", ["2.0.0"])):
        (plan.folder / name).mkdir()
        registry(plan.folder / name, mid(plan.folder))
        with mlreg.open(plan.folder / name) as found:
            found.traffic.route("sentiment", {"1.0.0": 100}, shadows=shadows)
    end = time.perf_counter() + plan.seconds
    while time.perf_counter() < end or len(times["alone"]) < LEAST:
        for name in random.sample(list(times), len(times)):
            times[name].append(read_seconds(plan.folder / name))
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    what = "predict with a shadow, until it has printed / without"
    return ratio("B12", what, medians, "followed", "alone", 1.05)


def read_seconds(folder: Path) -> float:
    """The time until the output of a prediction has been read to its end."""
    start = time.perf_counter()
    words = [MLREG, "predict", TEXT, "--json"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()
        return time.perf_counter() - start
