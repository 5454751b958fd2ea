"""What was decided without a person, and what will be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlreg.cli.views.blocks import Block, Column, Line, Table
from mlreg.cli.views.formats import NOTHING, when
from mlreg.cli.views.hooks import delivery_report
from mlreg.entities.decisions import Decision, Story, Turn, Upcoming
from mlreg.entities.documents import DecisionList


def turn(found: Turn) -> Iterable[Block]:
    """What a tick did, or would do."""
    if found.busy_with is not None:
        yield Line(f"nothing done: another tick is under way ({found.busy_with})")
        return
    if found.decisions:
        yield from decisions(found.decisions)
    else:
        yield Line("nothing is due")
    if found.told is not None and (found.told.deliveries or found.told.not_run):
        yield from delivery_report(found.told)
    if found.upcoming:
        yield _upcoming(found.upcoming)


def decisions(found: Sequence[Decision]) -> Iterable[Block]:
    """Decisions, one a row; those that are only planned have no number."""
    columns = [
        Column("decision", right=True),
        Column("when (UTC)"),
        Column("model"),
        Column("what"),
        Column("why", wraps=True),
    ]
    rows = [
        (
            str(one.number or NOTHING),
            when(one.time),
            one.model or NOTHING,
            one.what if one.outcome == "done" else f"{one.what} ({one.outcome})",
            one.why,
        )
        for one in found
    ]
    yield Table(columns, rows)


def decision_list(found: DecisionList) -> Iterable[Block]:
    """Decisions, or that there are none."""
    if found["decisions"]:
        yield from decisions(found["decisions"])
    else:
        yield Line("nothing has been decided without a person")


def story(found: Story) -> Iterable[Block]:
    """Why something happened."""
    yield Line(found.about, "bold")
    yield from (Line(line) for line in found.lines)


def _upcoming(found: Sequence[Upcoming]) -> Table:
    columns = [
        Column("from (UTC)"),
        Column("model"),
        Column("what"),
        Column("on what it depends", wraps=True),
    ]
    rows = [
        (
            "any tick" if one.time is None else when(one.time),
            one.model or NOTHING,
            one.what,
            one.why,
        )
        for one in found
    ]
    return Table(columns, rows, title="if nothing changes")
