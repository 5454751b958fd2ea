"""One light writer of B6: writer.py DATABASE SECONDS START MODE prints its waits as JSON.

MODE `mlreg` writes through the store; `sqlite3` through the bare driver with its busy handler.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.library import entry
from mlreg.store.engines.sqlite import sqlite3
from mlreg.store.predictions import INSERT
from mlreg.store.store import Store

PAUSE = 0.02
Write = Callable[[], object]


def main(database: Path, seconds: float, start: float, mode: str) -> None:
    """Write a row about every 20 ms from `start` on; every row is on disk when it is counted."""
    write = (through_store if mode == "mlreg" else through_driver)(database)
    time.sleep(max(0, start - time.time()))
    waits, errors, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(random.uniform(0.5, 1.5) * PAUSE)
        began = time.perf_counter()
        try:
            write()
        except Exception:  # noqa: BLE001 - whatever it is, it is counted and shown
            errors += 1
        else:
            waits.append(time.perf_counter() - began)
    print(json.dumps({"waits": waits, "errors": errors}))


def through_store(database: Path) -> Write:
    """As mlreg writes."""
    store = Store(database, timeout=30)

    def write() -> None:
        with store.write() as tx:
            tx.predictions.append(entry())

    return write


def through_driver(database: Path) -> Write:
    """As one would write with sqlite3 and a generous timeout."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    connection.execute("pragma synchronous = full")

    def write() -> None:
        connection.execute("begin immediate")
        connection.execute(INSERT, entry())
        connection.execute("commit")

    return write


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
