"""Windows of the log, and the tallies of what lies in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import HOUR, Moment, moment
from mlreg.errors import InvalidInput
from mlreg.store.predictions import DISORDER
from mlreg.store.summaries import Cells, Span, merge_cells

if TYPE_CHECKING:
    from mlreg.store.store import Transaction

FOREVER = 2**62


class Window(NamedTuple):
    """A span of time in microseconds; `until` is excluded."""

    since: int
    until: int


def window_of(since: Moment | None, until: Moment | None, *, now: int) -> Window:
    """From one moment to another; None stands for the beginning, and for no end.

    Raises:
        InvalidInput: It is empty.
    """
    window = Window(
        0 if since is None else moment(since, now=now),
        FOREVER if until is None else moment(until, now=now),
    )
    if window.since >= window.until:
        raise InvalidInput("the window is empty: since is not before until")
    return window


Edges = dict[tuple[int, int], Cells]
"""What was read of ends of windows, for others who ask for the same ones."""


def cells_of(
    tx: Transaction, wanted: set[int], window: Window, *, now: int, edges: Edges | None = None
) -> Cells:
    """Whole hours from the summaries; the ends of the window from the log itself."""
    cells: Cells = {}
    if window == (0, FOREVER):
        for key in wanted:
            merge_cells(cells, tx.summaries.all_time(key))
        return cells
    for span in spans(tx, wanted, window, now=now, edges=edges):
        merge_cells(cells, {span.cell: span.tally})
    return cells


def spans(
    tx: Transaction,
    wanted: set[int],
    window: Window,
    *,
    now: int,
    hourly: bool = False,
    edges: Edges | None = None,
) -> Iterator[Span]:
    """The tallies of the window hour by hour, and day by day where days lie in it as a whole."""
    edges = {} if edges is None else edges
    present = now + DISORDER
    until = min(window.until, present)
    first, last = -(-window.since // HOUR), until // HOUR
    if window.until >= present:
        last += 1  # nothing lies in the future: the hour under way counts as whole
    if first >= last:
        inner = min(first * HOUR, until)
        yield from _edge(tx, wanted, window.since, inner, edges)
        yield from _edge(tx, wanted, inner, until, edges)
        return
    yield from _edge(tx, wanted, window.since, first * HOUR, edges)
    for key in wanted:
        yield from tx.summaries.spans(key, first, last, hourly=hourly)
    yield from _edge(tx, wanted, last * HOUR, until, edges)


def _edge(
    tx: Transaction, wanted: set[int], since: int, until: int, edges: Edges
) -> Iterator[Span]:
    if since >= until:
        return
    if (since, until) not in edges:
        first = tx.predictions.first_id(since)
        last = tx.predictions.first_id(until + 2 * DISORDER)
        edges[since, until] = tx.summaries.edge(
            first_id=first, last_id=last, since=since, until=until
        )
    for cell, tally in edges[since, until].items():
        if cell.version in wanted:
            yield Span(since, cell, tally)
