"""B7: reading a report must not grow with the log. B14: neither must a tick with nothing to do."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import MLREG, Line, Plan, medians, process, ratio
from benchmarks.models import registry, tiny
from mlreg.store.store import Store

SMALL = 10_000
FOLD = 100_000
WEEK = 7 * 86_400 * 1_000_000

# A week of two versions at 80 : 20, one answer in fifty an error. Rows are made inside SQLite,
# which is some ten times faster than bringing them there.
FILL = """
    with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < :rows)
    insert into predictions (at, version, revision, role, arm_reason, unit, input, output,
        confidence, latency_us, status, error)
    select
        :now - :week + i * (:week / :rows),
        :version, 2, 0, 'random', 'u' || (i % 5000), '"text"',
        case when i % 50 <> 7 then '"positive"' end,
        case when i % 50 <> 7 then 0.5 + (i * 7919 % 5000) / 10000.0 end,
        300 + i * 7919 % 1000,
        i % 50 = 7,
        case when i % 50 = 7 then 'ValueError' end
    from n
"""


def report(plan: Plan) -> list[Line]:
    """`mlreg perf` as a process, on a long log and on a short one."""
    cases = {}
    for rows in (SMALL, plan.rows):
        folder = plan.folder / str(rows)
        folder.mkdir()
        registry(folder, tiny(folder))
        fill(folder / ".mlreg" / "registry.db", rows)
        cases[str(rows)] = process(MLREG, "perf", "sentiment", "--json", folder=folder)
    found = medians(cases, seconds=plan.seconds / 2)
    what = f"mlreg perf, {plan.rows:,} rows / {SMALL:,} rows"
    return [ratio("B7", what, found, str(plan.rows), str(SMALL), 1.1)]


MODELS, THRESHOLDS = 20, 50
# What a service on call watches; some models have three of them and some two.
WATCHED = (
    "error_rate <= 5% over 10m min 100",
    "p95_latency_ms <= 2000ms over 1h min 100",
    "avg_confidence >= 60% over 100 predictions",
)


def ticks(plan: Plan) -> list[Line]:
    """`mlreg tick` with nothing to do, beside `mlreg list`, on a long log of many models."""
    from mlreg.clock import now
    from mlreg.config import FOLDER
    from mlreg.registry import Registry, init_registry

    folder = plan.folder / "ticks"
    folder.mkdir()
    init_registry(folder).close()
    # They have served for longer than the log is: what counts is not cut off.
    with Registry(folder / FOLDER, clock=lambda: now() - 2 * WEEK) as registry:
        for n in range(MODELS):
            registry.versions.register(f"m{n}@1.0.0", external=True)
            registry.traffic.activate(f"m{n}@1.0.0")
        for n in range(THRESHOLDS):
            registry.thresholds.set(f"m{n % MODELS}", WATCHED[n // MODELS])
    fill(folder / ".mlreg" / "registry.db", plan.rows, version=f"1 + i % {MODELS}")
    cases = {
        "tick": process(MLREG, "tick", folder=folder),
        "list": process(MLREG, "list", "--json", folder=folder),
    }
    found = medians(cases, seconds=plan.seconds / 2)
    what = f"mlreg tick, nothing due, {plan.rows:,} rows, {MODELS} models, {THRESHOLDS} thresholds"
    return [ratio("B14", f"{what} / mlreg list", found, "tick", "list", 2.0)]


def fill(database: Path, rows: int, *, version: str = "1 + (i % 5 = 0)") -> None:
    """Write a log of a week that ends now, and fold it."""
    from mlreg.clock import now

    store = Store(database, timeout=30)
    with store.write(durable=False) as tx:
        sql = FILL.replace(":version", version)
        tx.connection.execute(sql, {"rows": rows, "now": now(), "week": WEEK})
    left = True
    while left:
        with store.write(durable=False) as tx:
            left = tx.summaries.fold(limit=FOLD)
    store.close()
