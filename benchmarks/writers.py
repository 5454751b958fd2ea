"""B6: sixteen processes that write lightly to one registry."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Line, Plan
from benchmarks.models import registry, tiny
from mlreg.store.store import Store

WRITERS = 16
START_UP = 3.0  # until the last of them is ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the writers of one round waited and lost."""

    waits: list[float]
    errors: int
    lost: int

    @property
    def p99(self) -> float:
        """Milliseconds that 99 of 100 writes stay below."""
        return statistics.quantiles(self.waits, n=100)[98] * 1e3

    @property
    def worst(self) -> float:
        """Milliseconds of the slowest write."""
        return max(self.waits) * 1e3


def light_writers(plan: Plan) -> list[Line]:
    """Waits, errors and lost rows; beside them those of the driver's own busy handler."""
    registry(plan.folder, tiny(plan.folder))
    database = plan.folder / ".mlreg" / "registry.db"
    rounds = 1 if plan.quick else 3
    ours, bare = [], []
    for _ in range(rounds):
        ours.append(one_round(database, max(2, plan.seconds / 5), "mlreg"))
        bare.append(one_round(database, max(2, plan.seconds / 5), "sqlite3"))
    driver = f"driver's busy handler: {_median(bare, 'p99'):.1f} / {_median(bare, 'worst'):.1f} ms"
    failed = sum(outcome.errors + outcome.lost for outcome in ours)
    return [
        _line("p99 wait of 16 writers", _median(ours, "p99"), 15, "ms", driver),
        _line("worst wait of 16 writers", _median(ours, "worst"), 50, "ms"),
        _line("errors and lost rows", failed, 0, "rows"),
    ]


def one_round(database: Path, seconds: float, mode: str) -> Outcome:
    """Start the writers at one moment, and compare what they counted with what is there."""
    before = rows(database)
    start = str(time.time() + START_UP)
    arguments = [str(database), str(seconds), start, mode]
    command = [sys.executable, "-m", "benchmarks.writer", *arguments]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(WRITERS)]
    reports = [json.loads(child.communicate()[0]) for child in children]
    waits = [wait for report in reports for wait in report["waits"]]
    errors = sum(report["errors"] for report in reports)
    return Outcome(waits=waits, errors=errors, lost=len(waits) - (rows(database) - before))


def rows(database: Path) -> int:
    """How many rows the log has."""
    store = Store(database, timeout=30)
    with store.read() as tx:
        count = tx.connection.execute("select count(*) from predictions").fetchone()[0]
    store.close()
    return int(count)


def _median(outcomes: list[Outcome], name: str) -> float:
    return float(statistics.median(getattr(outcome, name) for outcome in outcomes))


def _line(what: str, value: float, limit: float, unit: str, detail: str = "") -> Line:
    return Line(budget="B6", what=what, value=value, limit=limit, unit=unit, detail=detail)
