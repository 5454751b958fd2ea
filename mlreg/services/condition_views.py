"""A model as conditions look at it: which predictions count, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import to_micros
from mlreg.entities.predictions import LIVE
from mlreg.evidence.conditions import Condition, Measured
from mlreg.services.windows import FOREVER, Edges, Window, cells_of
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.traffic import Revision
    from mlreg.entities.versions import Version
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction
    from mlreg.store.summaries import Cell, Cells

# How far back the last predictions of a version, and what served before, are looked for.
_FARTHEST_ROWS, _FARTHEST_REVISIONS = 50_000, 1000
_MOST_FAILURES = 1000  # in a row: so many are counted


class Span(NamedTuple):
    """Which predictions count.

    Attributes:
        revisions: Those that gave them; None: any.
        last: How many of each version, the newest; 0: all.
    """

    window: Window
    revisions: frozenset[int] | None = None
    last: int = 0


Tallies = dict[tuple[int, str | None], Tally]
"""By version, and by the value of the segment key; None where it is not by segment."""


class View:
    """A snapshot of a model, and how its predictions are looked at."""

    def __init__(
        self,
        tx: Transaction,
        model: ModelRow,
        revision: Revision,
        usual: Span,
        now: int,
        by: str | None,
        *,
        is_bound: bool = False,
        edges: Edges | None = None,
    ) -> None:
        self._bound = usual.revisions if is_bound else None
        self._began: dict[int, int] = {}
        self._edges = {} if edges is None else edges
        self._lasts: dict[tuple[int, int, int], Cells] = {}
        self.tx, self.model, self.revision, self.by = tx, model, revision, by
        self.versions = tx.versions.of_model(model.key)
        self.active = [v for v in self.versions if revision.arm_of(v.key)]
        self._usual, self._now = usual, now

    def baseline(self, wanted: str | None) -> Version | None:
        """The version to compare with."""
        if wanted is not None:
            return self.tx.versions.select(self.model, wanted)
        from mlreg.services.together import usual_baseline

        return usual_baseline(self.versions, self.active)

    def forget_before(self, began: dict[int, int]) -> None:
        """Count of each of these versions only what it did from then on."""
        self._began = began

    def began(self, version: int | None) -> int:
        """From when on a version counts; of all of them, the first."""
        if version is not None:
            return self._began.get(version, 0)
        return min(self._began.values(), default=0)

    def failures(self, version: Version, condition: Condition) -> Measured:
        """How many of a version's last predictions failed, as far as the condition asks."""
        since = max(self.span(condition).window.since, self.began(version.key))
        count = self.tx.predictions.failures_in_a_row(
            version.key, since=since, farthest=_FARTHEST_ROWS, most=_MOST_FAILURES
        )
        return Measured(float(count), count)

    def span(self, condition: Condition) -> Span:
        """The predictions that a condition is about."""
        until, over = self._usual.window.until, condition.over
        if over is None:
            return self._usual
        if isinstance(over, int):
            return Span(Window(0, until), self._bound, last=over)
        return Span(Window(min(until, self._now) - micros(over), until), self._bound)

    def times(self, span: Span) -> Window:
        """When these predictions were made."""
        began = to_micros(self.revision.created_at) if span.revisions else 0
        return Window(max(began, span.window.since), min(span.window.until, self._now))

    def tallies(self, keys: set[int], span: Span) -> Tallies:
        """What these versions did in live traffic."""
        if self.by is not None:
            rows = self.tx.predictions.by_segment(
                self.model.key, self.by, since=self.times(span).since, until=span.window.until
            )
            return {
                (at.version, at.segment): tally for at, tally in rows.items() if at.version in keys
            }
        found = Tallies()
        for cell, tally in self._cells(keys, span):
            if cell.role == LIVE and (span.revisions is None or cell.revision in span.revisions):
                found.setdefault((cell.version, None), Tally()).merge(tally)
        return found

    def _cells(self, keys: set[int], span: Span) -> Iterator[tuple[Cell, Tally]]:
        since, until = span.window
        for began in {max(since, self.began(key)) for key in keys} if not span.last else ():
            group = {key for key in keys if max(since, self.began(key)) == began}
            window = Window(began, max(began, until))
            cells = cells_of(self.tx, group, window, now=self._now, edges=self._edges)
            yield from cells.items()
        for key in keys if span.last else ():
            yield from self._last(key, span.last, until).items()

    def _last(self, key: int, count: int, until: int) -> Cells:
        """The last predictions of a version; read once, however many conditions ask for them."""
        known = self._lasts.get((key, count, until))
        if known is None:
            first = self.tx.predictions.nth_newest(key, count, until=until, farthest=_FARTHEST_ROWS)
            ends = {"first_id": first, "last_id": FOREVER, "since": self.began(key)}
            known = self.tx.summaries.edge(**ends, until=until, version=key)
            self._lasts[key, count, until] = known
        return known

    def previous(self) -> tuple[set[int], frozenset[int], int]:
        """The versions that served before those of now, in which revisions, and until when.

        A change of weights alone is no other state, and where nothing served there is none.
        """
        now, end = _served(self.revision), to_micros(self.revision.created_at)
        found: set[int] = set()
        run: list[int] = []
        for number in range(self.revision.number - 1, 0, -1)[:_FARTHEST_REVISIONS]:
            revision = self.tx.traffic.find(self.model, number)
            served = _served(revision) if revision else set()
            if run and served != found:
                break
            if revision and served and served != now:
                found = served
                run.append(number)
            elif revision:
                end = to_micros(revision.created_at)
        return found, frozenset(run), end


def _served(revision: Revision) -> set[int]:
    return {arm.version_key for arm in revision.live}


def micros(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
