"""Rows beside what the audit trail sealed of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mlreg.clock import from_micros, isoformat, to_micros
from mlreg.jsonable import canonical, jsonable
from mlreg.services.checks.findings import Mend, Problems, shown
from mlreg.store.raw_rows import Row, update
from mlreg.store.rows import UNREADABLE
from mlreg.store.store import Transaction

_MISSING = object()


def as_json(text: object) -> object:
    """A stored JSON value; the text itself where it is none."""
    try:
        return json.loads(text)  # type: ignore[arg-type]  # whatever the row holds
    except UNREADABLE:
        return text


def as_time(micros: object) -> object:
    """A stored time as events write it; the number itself where it is none."""
    try:
        return None if micros is None else isoformat(from_micros(micros))  # type: ignore[arg-type]  # whatever the row holds
    except UNREADABLE:
        return micros


def stored_time(told: str | None) -> int | None:
    """The stored form of a time that an event tells."""
    from datetime import datetime

    return None if told is None else to_micros(datetime.fromisoformat(told))


def stored_json(told: object) -> str | None:
    """The stored form of a JSON value that an event tells."""
    return None if told is None else canonical(told)


class Column:
    """A column of a row that events tell of.

    Args:
        name: Its name in the table.
        told: Its name in events, where that is another.
        read: From the stored value to that of events.
        write: Back again.
    """

    def __init__(
        self,
        name: str,
        told: str | None = None,
        read: Callable[[Any], object] = lambda value: value,
        write: Callable[[Any], object] = lambda value: value,
    ) -> None:
        self.name = name
        self.told = told or name
        self.read = read
        self.write = write

    def difference(self, row: Row, state: Mapping[str, Any]) -> tuple[object, object] | None:
        """What the row and the trail say, where that is not the same."""
        told = state.get(self.told, _MISSING)
        stored = jsonable(self.read(row[self.name]))
        return None if told is _MISSING or told == stored else (stored, told)


def compare_row(
    found: Problems,
    subject: str,
    table: str,
    where: Mapping[str, object],
    row: Row,
    state: Mapping[str, Any],
    columns: Mapping[Column, bool],
) -> None:
    """Note each column that is not as it was sealed.

    Args:
        found: Takes the problems.
        subject: The thing that the row is about.
        table: Where the row is.
        where: What tells it from the others.
        row: What is stored.
        state: What the trail says.
        columns: Each with whether it is sure to be as sealed: no event that was cut off the end of
            the trail could have changed it.
    """
    for column, is_sure in columns.items():
        difference = column.difference(row, state)
        if difference is None:
            continue
        stored, told = difference
        mend = None
        if is_sure:
            values = {column.name: column.write(told)}
            mend = Mend(
                subject=subject,
                text=f"{subject}: {column.name} is {shown(told)} again",
                before={column.told: stored},
                after={column.told: told},
                apply=partial(_set, table, dict(where), values),
            )
        found.add(
            f"{subject}: {column.name} is {shown(stored)}, the audit trail says {shown(told)}",
            mend=mend,
        )


def _set(
    table: str, where: Mapping[str, object], values: Mapping[str, object], tx: Transaction
) -> None:
    update(tx.connection, table, where, values)
