"""What doctor found."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import BAD, GOOD, ODD, Block, Column, Content, Line, Table
from mlreg.cli.views.formats import NOTHING
from mlreg.entities.audit import Diagnosis

_STATES: dict[str, Content] = {"ok": GOOD, "warning": ODD, "failed": BAD, "skipped": NOTHING}


def blocks(diagnosis: Diagnosis) -> Iterable[Block]:
    """The record as blocks."""
    yield Line(diagnosis.registry)
    columns = [Column(""), Column("check"), Column("found", wraps=True)]
    yield Table(columns, [(_STATES[f.state], f.check, f.detail) for f in diagnosis.findings])
    yield from (Line(f"repaired: {text}", "green") for text in diagnosis.repaired)
    yield from (Line(f"can be repaired: {text}") for text in diagnosis.repairable)
    yield Line("healthy", "green") if diagnosis.healthy else Line("not healthy", "bold red")
