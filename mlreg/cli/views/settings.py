"""Settings."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mlreg.cli.views.blocks import Block, Cell, Column, Line, Table
from mlreg.config import ConfigEntry, Value
from mlreg.entities.documents import SettingList


def setting_list(found: SettingList) -> Iterable[Block]:
    """All settings."""
    columns = [Column("setting"), Column("value"), Column("from"), Column("meaning", wraps=True)]
    rows = [
        (s.name, _value(s.value), Cell(s.origin, "dim" if s.origin == "default" else ""), s.help)
        for s in found["settings"]
    ]
    yield Table(columns, rows)


def config_entry(entry: ConfigEntry) -> Iterable[Block]:
    """One value."""
    yield Line(_value(entry.value))


def _value(value: Value) -> str:
    return value or '""' if isinstance(value, str) else json.dumps(value)
