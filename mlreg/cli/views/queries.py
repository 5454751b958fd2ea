"""The rows of a query."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import Block, Column, Line, Table
from mlreg.cli.views.formats import NOTHING
from mlreg.entities.documents import RowSet


def blocks(found: RowSet) -> Iterable[Block]:
    """The record as blocks."""
    if not found["rows"]:
        yield Line("no rows")
        return
    columns = [
        _column(name, [row[place] for row in found["rows"]])
        for place, name in enumerate(found["columns"])
    ]
    yield Table(columns, [tuple(_text(value) for value in row) for row in found["rows"]])


def _column(name: str, values: list[object]) -> Column:
    are_numbers = all(isinstance(value, int | float | None) for value in values)
    return Column(name, right=are_numbers, wraps=not are_numbers)


def _text(value: object) -> str:
    if value is None:
        return NOTHING
    return value.hex() if isinstance(value, bytes) else str(value)
