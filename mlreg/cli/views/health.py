"""What doctor found."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import Block, Cell, Column, Line, Table
from mlreg.entities.audit import Diagnosis

_MARKS = {
    "ok": Cell("✓", "green"),
    "warning": Cell("!", "yellow"),
    "failed": Cell("✗", "bold red"),
    "skipped": Cell("-"),
}


def blocks(diagnosis: Diagnosis) -> Iterable[Block]:
    """The record as blocks."""
    yield Line(diagnosis.registry)
    columns = [Column(""), Column("check"), Column("found", wraps=True)]
    yield Table(columns, [(_MARKS[f.state], f.check, f.detail) for f in diagnosis.findings])
    yield from (Line(f"repaired: {text}", "green") for text in diagnosis.repaired)
    yield from (Line(f"can be repaired: {text}") for text in diagnosis.repairable)
    yield Line("healthy", "green") if diagnosis.healthy else Line("not healthy", "bold red")
