"""Settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import singledispatch

from mlreg.cli.views.blocks import Block, Cell, Column, Line, Table
from mlreg.config import ConfigEntry, Value
from mlreg.entities.documents import SettingList


@singledispatch
def blocks(record: object) -> Iterable[Block]:
    """The record as blocks."""
    raise TypeError(type(record).__name__)


@blocks.register
def _(found: SettingList) -> Iterable[Block]:
    columns = [Column("setting"), Column("value"), Column("from"), Column("meaning", wraps=True)]
    rows = [
        (s.name, _value(s.value), Cell(s.origin, "dim" if s.origin == "default" else ""), s.help)
        for s in found["settings"]
    ]
    yield Table(columns, rows)


@blocks.register
def _(entry: ConfigEntry) -> Iterable[Block]:
    yield Line(_value(entry.value))


def _value(value: Value) -> str:
    return value or '""' if isinstance(value, str) else json.dumps(value)
