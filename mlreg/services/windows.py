"""Windows of the log, and the tallies of what lies in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import HOUR, Moment, moment
from mlreg.errors import InvalidInput
from mlreg.store.predictions import DISORDER
from mlreg.store.summaries import Cells, merge_cells

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


def cells_of(tx: Transaction, wanted: set[int], window: Window, *, now: int) -> Cells:
    """Whole hours from the summaries; the ends of the window from the log itself."""
    cells = _all_cells(tx, wanted, window, now + DISORDER)
    return {cell: tally for cell, tally in cells.items() if cell.version in wanted}


def _all_cells(tx: Transaction, wanted: set[int], window: Window, present: int) -> Cells:
    cells: Cells = {}
    if window == (0, FOREVER):
        for key in wanted:
            merge_cells(cells, tx.summaries.all_time(key))
        return cells
    until = min(window.until, present)
    first, last = -(-window.since // HOUR), until // HOUR
    if window.until >= present:
        last += 1  # nothing lies in the future: the hour under way counts as whole
    if first >= last:
        merge_cells(cells, _edge(tx, window.since, until))
        return cells
    for key in wanted:
        merge_cells(cells, tx.summaries.whole_hours(key, first, last))
    if window.since < first * HOUR:
        merge_cells(cells, _edge(tx, window.since, first * HOUR))
    if last * HOUR < until:
        merge_cells(cells, _edge(tx, last * HOUR, until))
    return cells


def _edge(tx: Transaction, since: int, until: int) -> Cells:
    first = tx.predictions.first_id(since)
    last = tx.predictions.first_id(until + 2 * DISORDER)
    return tx.summaries.edge(first_id=first, last_id=last, since=since, until=until)
