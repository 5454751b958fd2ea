"""Measuring: cases interleaved in random order, medians, each budget with a baseline of its own.

A shared machine drifts by tens of percent within minutes. Ratios between cases that ran in the
same rounds hold; durations do not.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
MLREG = str(BIN / "mlreg")
BASELINES = Path(__file__).parent / "baselines"

Case = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measured budget.

    Attributes:
        budget: Its name, such as `B1`.
        what: What was measured, against what.
        value: The measure; None when it could not be taken.
        limit: What the budget asks for; None for a figure that no budget is set for.
        unit: `x` for a ratio, else `ms`, `µs` or a count.
        at_least: Whether more is better.
        detail: The medians behind a ratio, or why there is none.
    """

    budget: str
    what: str
    value: float | None
    limit: float | None
    unit: str = "x"
    at_least: bool = False
    detail: str = ""

    @property
    def verdict(self) -> str:
        """`pass`, `FAIL`, `not measured`, or nothing where there is no budget."""
        if self.value is None:
            return "not measured"
        if self.limit is None:
            return ""
        kept = self.value >= self.limit if self.at_least else self.value <= self.limit
        return "pass" if kept else "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How thorough a run is: where it works, for how long, and on how many rows."""

    folder: Path
    quick: bool
    rows: int

    @property
    def seconds(self) -> float:
        """The time for one group of interleaved cases."""
        return 4 if self.quick else 20


def medians(cases: Mapping[str, Case], *, seconds: float, least: int = 5) -> dict[str, float]:
    """The median seconds of each case, from rounds that each run all cases in random order."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for case in cases.values():
        case()  # warm caches are part of every case alike
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < least:
        for name in random.sample(list(cases), len(cases)):
            start = time.perf_counter()
            cases[name]()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def ratio(
    budget: str, what: str, found: Mapping[str, float], case: str, baseline: str, limit: float
) -> Line:
    """A line that compares two cases of the same rounds; less is better."""
    detail = f"{found[case] * 1e3:.3g} / {found[baseline] * 1e3:.3g} ms"
    value = found[case] / found[baseline]
    return Line(budget=budget, what=what, value=value, limit=limit, detail=detail)


def process(*command: str | Path, folder: Path) -> Case:
    """A case that runs a whole process; one that fails ends the benchmark."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLREG_")}
    environment["XDG_CONFIG_HOME"] = str(folder / ".config")  # not that of whoever measures
    arguments = [str(part) for part in command]

    def run() -> None:
        subprocess.run(
            arguments, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
        )

    return run


def baseline(name: str, *arguments: str | Path, folder: Path) -> Case:
    """A case that runs one of the scripts in `baselines/`."""
    return process(sys.executable, BASELINES / name, *arguments, folder=folder)
