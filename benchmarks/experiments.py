"""B11: looking at an experiment must not grow with the log, and must be quick even from cold."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.harness import Line, Plan
from mlreg.clock import now
from mlreg.registry import Registry, init_registry

ROWS = 1_000_000
USERS = 100_000

# Ten predictions by each user, in an order that scatters them over the log.
FILL = """
    with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < :rows)
    insert into predictions (at, version, revision, role, arm_reason, unit, output, confidence,
        latency_us, status, error)
    select :now, 1 + (i * 7919 % :users) % 2, 1, 0, 'sticky', 'u' || (i * 7919 % :users),
        case when i % 50 <> 7 then '"positive"' end, 0.7, 300 + i * 7919 % 1000, i % 50 = 7,
        case when i % 50 = 7 then 'ValueError' end
    from n
"""


def looks(plan: Plan) -> list[Line]:
    """The first look at a million predictions, after a log that was folded as it grew; the next."""
    cold = _prepared(plan.folder / "cold")
    _fill(cold, fold=False)
    warm = _prepared(plan.folder / "warm")
    _fill(warm, fold=True)
    found = [
        ("first look, folded as the log grew", _seconds(warm), 1.0),
        ("next look", min(_seconds(warm) for _ in range(3)), 0.3),
        ("first look, nothing folded (import)", _seconds(cold), 1.0),
    ]
    warm.close()
    cold.close()
    return [
        Line(budget="B11", what=what, value=seconds * 1000, limit=limit * 1000, unit="ms")
        for what, seconds, limit in found
    ]


def _prepared(folder: Path) -> Registry:
    registry = init_registry(folder)
    for version in ("1.0.0", "2.0.0"):
        registry.versions.register(f"m@{version}")
    registry.experiments.create(
        "t", control="m@1.0.0", treatments=["m@2.0.0"], strategy="sticky", mde=0.01
    )
    registry.experiments.start("t")
    return registry


def _fill(registry: Registry, *, fold: bool) -> None:
    from mlreg.store.experiment_units import BACKLOG
    from mlreg.store.store import Store

    store = Store(registry.folder / "registry.db", timeout=30)
    with store.write(durable=False) as tx:
        tx.connection.execute(FILL, {"rows": ROWS, "users": USERS, "now": now()})
    last, reached = ROWS - BACKLOG // 2, 0
    while fold and reached < last:
        with store.write(durable=False) as tx:
            tx.experiments.units.fold_backlogs(limit=BACKLOG)
            reached += BACKLOG
    store.close()


def _seconds(registry: Registry) -> float:
    start = time.perf_counter()
    registry.experiments.analyze("t")
    return time.perf_counter() - start
