"""B11: looks at an experiment, beside tea-tasting's at the same file; what it costs the log."""

from __future__ import annotations

import functools
import importlib
import math
import random
import shutil
import sqlite3
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import mlreg
from benchmarks.harness import Line, Plan
from mlreg.clock import now
from mlreg.entities.analyses import MetricResult
from mlreg.entities.experiments import Draft, Outcome
from mlreg.registry import Registry, init_registry
from mlreg.store import unit_folds
from mlreg.store.predictions import Entry
from mlreg.store.store import Store
from mlreg.store.unit_folds import BACKLOG

ROWS = 1_000_000
USERS = 100_000
ROUNDS = 3

LOGGED = 200_000
LOGGED_USERS = 20_000
LOG_ROUNDS = 5
CHUNK = 1000

# Users scattered over the log, a few of them far busier than most; both arms fail now and then,
# and some users more often than others.
FILL = """
    with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < :rows),
    x (i, x) as (select i, i * 2654435761 % 4294967296 / 4294967296.0 from n),
    u (i, u) as (select i, cast(:users * x * x as integer) from x),
    f (i, u, f) as (select i, u, i * 7919 % 1000 < 10 + u % 30 + u % 2 * 5 from u)
    insert into predictions (at, version, revision, role, arm_reason, unit, output, confidence,
        latency_us, status, error)
    select :now, 1 + u % 2, 1, 0, 'sticky', 'u' || u, case when not f then '"positive"' end, 0.7,
        300 + i * 7919 % 1000, f, case when f then 'ValueError' end
    from f
"""

# The fastest way with what tea-tasting itself depends on: grouped by version first, in Arrow, or
# with a larger cache it takes longer. Its Ibis is no faster, and needs pandas for SQLite.
PER_USER = """
    select version, count(*), sum(status = 0) from predictions where role = 0
    group by unit, version
"""


class Effect(NamedTuple):
    """Treatment minus control, and its standard error."""

    difference: float
    se: float


Peer = Callable[[Path], Effect]
Write = Callable[[Registry], None]


def looks(plan: Plan) -> list[Line]:
    """Looks at a million predictions, and what a running experiment costs whoever logs."""
    return [*looking(plan.folder), *logging(plan)]


def looking(folder: Path) -> list[Line]:
    """A first look after a log that was folded as it grew, the next one, and one from cold."""
    peer = tea_tasting()
    sources = {"folded": _filled(folder / "folded", fold=True)}
    sources["cold"] = _filled(folder / "cold", fold=False)
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for name, source in sources.items():
            _look_twice(source, folder / "copy", name, peer, times)
    found = {name: statistics.median(seconds) for name, seconds in times.items()}
    return [
        _milliseconds("first look, folded as the log grew", found["folded first"], 1000),
        _milliseconds("next look", found["folded next"], 300),
        _milliseconds("first look, nothing folded (import)", found["cold first"], 1000),
        _versus_peer("first look, folded", found, "folded first"),
        _versus_peer("next look", found, "folded next"),
        _versus_peer("first look, nothing folded", found, "cold first"),
    ]


def _look_twice(
    source: Path, copy: Path, name: str, peer: Peer | None, times: dict[str, list[float]]
) -> None:
    """Times, in seconds, of two looks at a copy of a registry, and of the peer at the same file."""
    shutil.copytree(source, copy)
    theirs = None
    if peer:
        start = time.perf_counter()
        theirs = peer(copy / "registry.db")
        times["peer"].append(time.perf_counter() - start)
    with mlreg.open(copy) as registry:
        for which in ("first", "next"):
            start = time.perf_counter()
            primary = registry.experiments.analyze("t").primary
            times[f"{name} {which}"].append(time.perf_counter() - start)
            if theirs:
                ours = _effect(primary)
                agree = map(functools.partial(math.isclose, rel_tol=1e-9), ours, theirs)
                assert all(agree), f"{ours} is not tea-tasting's {theirs}"
    shutil.rmtree(copy)


def _effect(result: MetricResult) -> Effect:
    """With the arms' own errors: `se` is the larger one, theirs or that of one common rate."""
    errors = result.control.se, result.treatment.se
    return Effect(result.diff or 0, math.hypot(*(error or 0 for error in errors)))


def tea_tasting() -> Peer | None:
    """The same test by tea-tasting, from the log in the file; None without it.

    Successes by requests, by the delta method over users, variances not pooled.
    """
    try:
        arrow, tasting = (importlib.import_module(name) for name in ("pyarrow", "tea_tasting"))
    except ImportError:
        return None
    # Arrow's join on several threads may reorder rows, and tea-tasting's variances then come out
    # wrong in some runs. One thread takes no longer.
    arrow.set_cpu_count(1)
    metrics = {"success_rate": tasting.RatioOfMeans("successes", "requests")}
    experiment = tasting.Experiment(metrics, "version")

    def look(database: Path) -> Effect:
        with closing(sqlite3.connect(database)) as connection:
            rows = connection.execute(PER_USER).fetchall()
        columns = zip(("version", "requests", "successes"), zip(*rows, strict=True), strict=True)
        found = experiment.analyze(arrow.table(dict(columns)))["success_rate"]
        return Effect(found.effect_size, found.effect_size / found.statistic)

    return look


def _versus_peer(what: str, found: Mapping[str, float], case: str) -> Line:
    """A look against one of the peer, which always begins at the rows; imports left out of both."""
    value, detail = None, "tea-tasting is not installed"
    if "peer" in found:
        value = found[case] / found["peer"]
        detail = f"{found[case] * 1e3:.0f} / {found['peer'] * 1e3:.0f} ms, without imports"
    return Line(budget="B11", what=f"{what} / tea-tasting", value=value, limit=None, detail=detail)


def _milliseconds(what: str, seconds: float, limit: float) -> Line:
    return Line(budget="B11", what=what, value=seconds * 1000, limit=limit, unit="ms")


def logging(plan: Plan) -> list[Line]:
    """What logging costs while an experiment is folded as the log grows, against without one."""
    entries = _entries(LOGGED // 4 if plan.quick else LOGGED)
    outcomes = [_outcome(entry) for entry in entries]

    def one_by_one(registry: Registry) -> None:
        context = registry.predictions._context
        for entry in entries:  # as `predict` logs
            context.fold_if_due(context.store.append_prediction(entry), 1)

    def in_chunks(registry: Registry) -> None:
        for first in range(0, len(entries), CHUNK):  # as `predict_many` does
            chunk = entries[first : first + CHUNK]
            registry.predictions._log_all([(entry, None) for entry in chunk])

    def record_many(registry: Registry) -> None:
        registry.external.record_many("t", outcomes)

    return [
        _cost("log, one row a transaction", one_by_one, plan.folder),
        _cost(f"log, {CHUNK} rows a transaction", in_chunks, plan.folder),
        _cost("record_many", record_many, plan.folder, needs_experiment=True),
    ]


def _cost(what: str, write: Write, folder: Path, *, needs_experiment: bool = False) -> Line:
    """Seconds of `write` with folds / without: no running experiment, or one put off for good."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(LOG_ROUNDS):
        for folds in random.sample([True, False], 2):
            registry = _prepared(folder / "log", running=folds or needs_experiment)
            with mock.patch.object(unit_folds, "BACKLOG", BACKLOG if folds else math.inf):
                start = time.perf_counter()
                write(registry)
                times[folds].append(time.perf_counter() - start)
            registry.close()
            shutil.rmtree(folder / "log")
    return Line(
        budget="B11",
        what=f"{what}, folded / not",
        value=statistics.median(a / b for a, b in zip(times[True], times[False], strict=True)),
        limit=1.2,
        detail=f"{statistics.median(times[True]):.3g} / {statistics.median(times[False]):.3g} s",
    )


def _entries(count: int) -> list[Entry]:
    """Rows like those of a text model, by users that are scattered over them."""
    users, at = [n * 7919 % LOGGED_USERS for n in range(count)], now()
    return [
        Entry(
            at, 1 + user % 2, 1, 0, "sticky", f"u{user}", None, '"w1 w2"', '"positive"', 0.87, 412,
            0, None, None,
        )
        for user in users
    ]  # fmt: skip


def _outcome(entry: Entry) -> Outcome:
    """The same row as a program reports it that runs its own model."""
    version = f"{entry.version}.0.0"
    return Outcome(
        unit=entry.unit, version=version, output="positive", confidence=0.87, latency_ms=0.412
    )


def _filled(folder: Path, *, fold: bool) -> Path:
    """The folder of a registry with a running experiment and its log, folded as it grew or not."""
    registry = _prepared(folder, running=True)
    found = registry.folder
    registry.close()
    store = Store(found / "registry.db", timeout=30)
    with store.write(durable=False) as tx:
        tx.connection.execute(FILL, {"rows": ROWS, "users": USERS, "now": now()})
    last, reached = ROWS - BACKLOG // 2, 0
    while fold and reached < last:
        with store.write(durable=False) as tx:
            tx.experiments.folds.fold_backlogs(limit=BACKLOG)
            reached += BACKLOG
    store.close()
    return found


def _prepared(folder: Path, *, running: bool) -> Registry:
    """A registry with two versions and a sticky experiment, which runs or is a draft."""
    registry = init_registry(folder)
    for version in ("1.0.0", "2.0.0"):
        registry.versions.register(f"m@{version}")
    draft = Draft(control="m@1.0.0", treatments=["m@2.0.0"], strategy="sticky", mde=0.01)
    registry.experiments.create("t", draft)
    if running:
        registry.experiments.start("t")
    return registry
