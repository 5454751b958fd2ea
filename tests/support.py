"""What tests of several parts share: a clock to turn, and a look at the tables themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlreg.artifacts.runner import Answer, Batch, Input, Inspection, Loadable
from mlreg.clock import now
from mlreg.store.engines.sqlite import sqlite3

DATABASE = "registry.db"


class Clock:
    """A clock that stands still until it is turned; microseconds since 1970."""

    def __init__(self, start: int | None = None) -> None:
        self.at = now() if start is None else start

    def __call__(self) -> int:
        return self.at


class Done:
    """Answers that are there already."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def result(self) -> Batch:
        return self._batch


class Echo:
    """A runner that answers each input with its text, for tests that need no model."""

    def inspect(self, digest: str, *, trusted: bool) -> Inspection:
        raise AssertionError("register with check=False")

    def predict(self, model: Loadable, inputs: Sequence[Input]) -> Batch:
        return Batch([Answer(str(value), 0.5) for value in inputs], 1e-3)

    def submit(self, model: Loadable, inputs: Sequence[Input]) -> Done:
        return Done(self.predict(model, inputs))

    def close(self) -> None:
        pass


@contextmanager
def raw(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection of its own to a registry's database, as somebody with an SQL shell has."""
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def dump(folder: Path) -> dict[str, list[tuple]]:
    """All rows of all tables."""
    with raw(folder) as connection:
        names = connection.execute("select name from sqlite_schema where type = 'table'").fetchall()
        return {
            name: connection.execute(f'select * from "{name}"').fetchall()  # noqa: S608
            for (name,) in names
        }


def drop_triggers(connection: sqlite3.Connection) -> None:
    """Take away what keeps revisions and events as they were written."""
    names = connection.execute("select name from sqlite_schema where type = 'trigger'").fetchall()
    for (name,) in names:
        connection.execute(f"drop trigger {name}")
