"""The audit trail."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import Block, Column, Line, Table
from mlreg.cli.views.formats import NOTHING, when
from mlreg.entities.documents import EventList


def blocks(found: EventList) -> Iterable[Block]:
    """The record as blocks."""
    if not found["events"]:
        yield Line("no events in this time")
        return
    columns = [
        Column("seq", right=True),
        Column("when (UTC)"),
        Column("actor"),
        Column("action"),
        Column("object", wraps=True),
        Column("reason", wraps=True),
    ]
    rows = [
        (str(e.seq), when(e.time), e.actor, e.action, e.object, e.reason or NOTHING)
        for e in found["events"]
    ]
    yield Table(columns, rows)
