"""B3, B4, B5, B8: inside one process that has everything loaded."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlreg
from benchmarks.harness import MLREG, Case, Line, Plan, baseline, medians, process, ratio
from benchmarks.models import TEXT, mid, registry, texts
from mlreg.store.predictions import INSERT, Entry
from mlreg.store.store import Store
from mlreg.store.summaries import EVERY

BATCH = 10_000
PREDICT_FILE = [MLREG, "predict", "--file", "texts.txt", "--json"]


def one_text(plan: Plan) -> list[Line]:
    """B3: predict, route and commit a row, against the pipeline alone."""
    with opened(plan) as (opened_registry, pipeline):
        found = medians(
            {
                "pipeline": lambda: pipeline.predict_proba([TEXT]),
                "mlreg": lambda: opened_registry.predictions.predict(
                    TEXT, model="sentiment", unit="u1"
                ),
            },
            seconds=plan.seconds / 2,
        )
    return [ratio("B3", "library predict / predict_proba", found, "mlreg", "pipeline", 1.15)]


def many_texts(plan: Plan) -> list[Line]:
    """B4: many texts answered and logged, in process and as `predict --file`; and its memory."""
    inputs = texts(BATCH)
    model = plan.folder / "mid.joblib"
    with opened(plan) as (opened_registry, pipeline):
        write_texts(plan.folder, BATCH)
        many = opened_registry.predictions.predict_many

        def answer() -> None:
            with (plan.folder / "answers").open("w") as out:
                out.writelines(f"{p.prediction}\t{p.confidence}\n" for p in many(inputs))

        script = baseline("predict_file.py", model, "texts.txt", folder=plan.folder)
        cases: dict[str, Case] = {
            "pipeline": lambda: pipeline.predict_proba(inputs),
            "mlreg": answer,
            "script": script,
            "file": process(*PREDICT_FILE, folder=plan.folder),
        }
        found = medians(cases, seconds=plan.seconds)
    return [
        throughput("predict --file / script, whole process", found, "file", "script", 0.8),
        # For the record: in one process nothing overlaps, and the rows have to be written.
        throughput(f"predict_many, {BATCH} texts / pipeline", found, "mlreg", "pipeline", None),
        memory(plan.folder),
    ]


def throughput(
    what: str, found: dict[str, float], case: str, bare: str, limit: float | None
) -> Line:
    """Rows per second of a case as a fraction of those of its baseline."""
    detail = f"{BATCH / found[case]:.0f} / {BATCH / found[bare]:.0f} rows/s"
    value = found[bare] / found[case]
    return Line(budget="B4", what=what, value=value, limit=limit, at_least=True, detail=detail)


def memory(folder: Path) -> Line:
    """Peak memory of `mlreg predict --file` on a file and on one five times as long."""
    short, long = (peak_memory(folder, count) for count in (BATCH, 5 * BATCH))
    return Line(
        budget="B4",
        what=f"peak memory, {5 * BATCH} / {BATCH} lines",
        value=long / short,
        limit=1.1,
        detail=f"{long / 1024:.0f} / {short / 1024:.0f} MiB",
    )


def peak_memory(folder: Path, count: int) -> int:
    """The largest resident set of `predict --file` and its children, in KiB on Linux."""
    write_texts(folder, count)
    child = subprocess.Popen(PREDICT_FILE, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, PREDICT_FILE)
    return usage.ru_maxrss


def write_texts(folder: Path, count: int) -> None:
    """A file with one text a line."""
    (folder / "texts.txt").write_text("\n".join(texts(count)))


def log_rows(plan: Plan) -> list[Line]:
    """B5: one row a transaction with its share of the summaries, against sqlite3 alone."""
    registry(plan.folder, mid(plan.folder))
    store = Store(plan.folder / ".mlreg" / "registry.db", timeout=30)
    raw = raw_log(plan.folder / "raw.db")
    rows = 2 * EVERY
    found = medians(
        {
            "mlreg": lambda: append_rows(store, rows),
            "sqlite3": lambda: insert_rows(raw, rows, explicit=True),
            "autocommit": lambda: insert_rows(raw, rows, explicit=False),
        },
        seconds=plan.seconds / 2,
    )
    store.close()
    rates = {name: rows / seconds for name, seconds in found.items()}
    return [
        Line(
            budget="B5",
            what="log, one row a transaction / sqlite3, rows/s",
            value=rates["mlreg"] / rates["sqlite3"],
            limit=0.7,
            at_least=True,
            detail=f"{rates['mlreg']:.0f} / {rates['sqlite3']:.0f} rows/s"
            f" (autocommit {rates['autocommit']:.0f})",
        )
    ]


def append_rows(store: Store, count: int) -> None:
    """What `predict` does to log, `count` times."""
    for _ in range(count):
        last = store.append_prediction(entry())
        if last % EVERY == 0:
            with store.write(durable=False) as tx:
                tx.summaries.fold(limit=10 * EVERY)


def insert_rows(connection: Any, count: int, *, explicit: bool) -> None:
    """The same rows with the bare driver: in a transaction as ours, or each one by itself."""
    for _ in range(count):
        if explicit:
            connection.execute("begin immediate")
        connection.execute(INSERT, entry())
        if explicit:
            connection.execute("commit")


def entry() -> Entry:
    """A row like those of a text model."""
    at = time.time_ns() // 1000
    return Entry(
        at, 1, 2, 0, "sticky", "u1", None, '"w1 w2"', '"positive"', 0.87, 412, 0, None, None
    )


def raw_log(path: Path) -> Any:
    """The table of the log alone, by the driver that the store uses."""
    from mlreg.store.engines.sqlite import sqlite3

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    connection.execute(
        "create table predictions (id integer primary key autoincrement, at integer,"
        " version integer, revision integer, role integer, arm_reason text, unit text,"
        " segment text, input text, output text, confidence real, latency_us integer,"
        " status integer, error text, cost real, is_call integer)"
    )
    return connection


def routing(plan: Plan) -> list[Line]:
    """B8: one sticky decision with the check that its revision still is in force."""
    neighbour = growthbook()
    units = [f"user-{n}" for n in range(1000)]
    with opened(plan) as (found_registry, _):
        decide = decision(found_registry)
        cases: dict[str, Case] = {"mlreg": lambda: [decide(unit) for unit in units]}
        if neighbour:
            cases["growthbook"] = lambda: [neighbour(unit) for unit in units]
        found = medians(cases, seconds=plan.seconds / 4)
    micros = found["mlreg"] / len(units) * 1e6
    times = found["growthbook"] / found["mlreg"] if neighbour else None
    detail = "" if neighbour else "growthbook is not installed"
    versus = "GrowthBook SDK / sticky decision"
    return [
        Line(budget="B8", what="sticky decision and check", value=micros, limit=2, unit="µs"),
        Line(budget="B8", what=versus, value=times, limit=4, at_least=True, detail=detail),
    ]


def decision(found: mlreg.Registry) -> Any:
    """A function from unit to arm, as `predict` decides."""
    from mlreg.routing import choose
    from mlreg.services.routes import Routes

    routes = Routes(found._context)

    def decide(unit: str) -> Any:
        return choose(routes.current("sentiment").table, unit)[0]

    return decide


def growthbook() -> Any:
    """The same decision by the GrowthBook SDK, for a new user each time; None without it."""
    try:
        from growthbook import Experiment, GrowthBook
    except ImportError:
        return None
    experiment = Experiment(key="sentiment", variations=["1.0.0", "2.0.0"], weights=[0.8, 0.2])
    client = GrowthBook(attributes={"id": "u1"})

    def decide(unit: str) -> Any:
        client.set_attributes({"id": unit})
        return client.run(experiment).value

    return decide


@contextmanager
def opened(plan: Plan) -> Iterator[tuple[Any, Any]]:
    """An open registry whose one active version is a pipeline, and that pipeline."""
    import joblib

    model = mid(plan.folder)
    registry(plan.folder, model)
    with mlreg.open(plan.folder) as found:
        yield found, joblib.load(model)
