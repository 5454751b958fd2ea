"""Performance: how versions did in a window, compared, with a verdict that needs evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import DAY, HOUR, Moment, from_micros, to_micros
from mlreg.entities.predictions import FORCED, LIVE
from mlreg.entities.reports import (
    LabelPerformance,
    MetricComparison,
    OfflineMetric,
    PerformanceReport,
    TrendPoint,
    VersionComparison,
    VersionPerformance,
)
from mlreg.errors import NotFound
from mlreg.evidence.breakdowns import by_label, performance, trend
from mlreg.evidence.reports import compare, conclude
from mlreg.names import check_key
from mlreg.services.context import Context
from mlreg.services.label_ages import with_due
from mlreg.services.together import (
    Split,
    assumptions,
    off_split,
    ran_together,
    splits,
    usual_baseline,
)
from mlreg.services.windows import FOREVER, Window, cells_of, spans, window_of
from mlreg.store.summaries import Cells, by_role
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.traffic import Revision
    from mlreg.entities.versions import Version
    from mlreg.evidence.together import Together
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

# Of each version, for a report on the split in force alone.
ENOUGH_REQUESTS = 100
_TIMES = {"hour": HOUR, "day": DAY}
SEGMENT = "segment:"


class Performance:
    """Reports on what the versions of a model did."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def report(
        self,
        name: str | None = None,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        baseline: str | None = None,
        by: str | None = None,
    ) -> PerformanceReport:
        """How each version with predictions in the window did, and what that allows to conclude.

        Args:
            name: The model; None where there is only one.
            since: An instant, how long ago, or microseconds since 1970, 0 for all there is. None:
                since the split in force began if each version in it has been asked often enough,
                else the beginning; a trend or a segment is always of all.
            until: The end of the window; None: now.
            baseline: The version to compare with; None: the champion, else the oldest of
                those that the newest split was made for.
            by: `hour`, `day` or `revision` for a trend, `label` for each class; or a segment key,
                which may be written `segment:KEY`: one entry for each version and value.

        Raises:
            NotFound: The baseline has no predictions in the window, or there is no such model.
            InvalidInput: The window is empty.
        """
        now = self._context.clock()
        window = window_of(since, until, now=now)
        with self._context.folded() as tx:
            model = self._context.model(tx, name)
            versions = tx.versions.of_model(model.key)
            cells = cells_of(tx, {version.key for version in versions}, window, now=now)
            is_open = since is None and until is None and by in (None, "label")
            split = _split_in_force(tx, model, cells) if is_open else None
            if split is not None:
                cells = {cell: c for cell, c in cells.items() if cell.revision == split.number}
                window = window._replace(since=to_micros(split.created_at))
            found = _judged(tx, model, versions, _Log(cells, window, now), baseline)
            broken_down = _broken_down(tx, model, versions, window, cells, by, now)
        everyone = broken_down.segments
        return replace(
            found,
            revision=None if split is None else split.number,
            models=found.models if everyone is None else tuple(everyone),
            by=by.removeprefix(SEGMENT) if by else None,
            trend=broken_down.trend,
            labels=broken_down.labels,
        )

    def compare(self, left: str, right: str) -> VersionComparison:
        """Two versions side by side: metrics given at registration, and what was seen live."""
        with self._context.store.read() as tx:
            one, other = self._context.version(tx, left), self._context.version(tx, right)
        names = sorted({*one.metrics, *other.metrics})
        offline = tuple(
            _offline(metric, one.metrics.get(metric), other.metrics.get(metric)) for metric in names
        )
        return VersionComparison(
            left=one, right=other, offline=offline, live=self._live_pair(one, other)
        )

    def _live_pair(self, one: Version, other: Version) -> PerformanceReport | None:
        """The live report of two versions of the same model, if both have predictions."""
        if one.model_key != other.model_key or one.key == other.key:
            return None
        now = self._context.clock()
        with self._context.folded() as tx:
            window, model = window_of(None, None, now=now), self._context.model(tx, one.name)
            cells = cells_of(tx, {one.key, other.key}, window, now=now)
            tallies = by_role(cells)
            if not all(tallies[version.key, LIVE].requests for version in (one, other)):
                return None
            return _judged(tx, model, (one, other), _Log(cells, window, now), one.version)


class _Log(NamedTuple):
    """What a report is of: the tallies of a window that was looked at now."""

    cells: Cells
    window: Window
    now: int


def _judged(
    tx: Transaction, model: ModelRow, versions: Sequence[Version], log: _Log, wanted: str | None
) -> PerformanceReport:
    """How versions did, compared with one of them, and what that allows to conclude."""
    tallies = by_role(log.cells)
    seen = [version for version in versions if tallies[version.key, LIVE].requests]
    found = splits(tx, model, log.cells)
    base = _baseline(tx, model, seen, found, wanted)
    live = {version.version: tallies[version.key, LIVE] for version in seen}
    together: dict[str, Together] = {}
    comparisons: list[MetricComparison] = []
    if base is not None:
        numbers = {split.number for split in found}
        together = ran_together(tx, model, found, seen, base, log.window)
        together = with_due(tx, model, together, seen, base, log.window, numbers, log.now)
        comparisons = compare(together, base.version, tx.models.directions(model.key))
    against = base.version if base else None
    verdict, best, sentence = conclude(
        live,
        against,
        comparisons,
        together,
        off_split=off_split(found, {version.key for version in versions}),
        is_window=log.window != (0, FOREVER),
    )
    return PerformanceReport(
        model=model.name,
        since=from_micros(log.window.since) if log.window.since > 0 else None,
        until=from_micros(min(log.window.until, log.now)),
        models=tuple(_performances(versions, tallies)),
        comparisons=tuple(comparisons),
        best=next((v.model_id for v in seen if v.version == best), None),
        verdict=verdict,
        recommendation=sentence,
        assumptions=assumptions(together, live, base.version) if base else (),
        baseline=against,
    )


def _split_in_force(tx: Transaction, model: ModelRow, cells: Cells) -> Revision | None:
    """The revision in force, if it splits traffic and each of its versions was asked enough."""
    now = tx.traffic.current(model)
    if len(now.live) < 2:
        return None
    asked = {cell.version: t.requests for cell, t in cells.items()
             if cell.revision == now.number and cell.role == LIVE}  # fmt: skip
    is_enough = all(asked.get(arm.version_key, 0) >= ENOUGH_REQUESTS for arm in now.live)
    return now if is_enough else None


class _BrokenDown(NamedTuple):
    """A report by something: by a segment, over time, or by label."""

    segments: list[VersionPerformance] | None = None
    trend: tuple[TrendPoint, ...] | None = None
    labels: tuple[LabelPerformance, ...] | None = None


def _broken_down(
    tx: Transaction,
    model: ModelRow,
    versions: Sequence[Version],
    window: Window,
    cells: Cells,
    by: str | None,
    now: int,
) -> _BrokenDown:
    names = {version.key: version.version for version in versions}
    if by is None:
        return _BrokenDown()
    if by == "label":
        live = by_role(cells)
        return _BrokenDown(labels=tuple(
            by_label(name, live[key, LIVE]) for key, name in names.items()
            if live[key, LIVE].requests
        ))  # fmt: skip
    if by == "revision":
        places = ((cell.revision, cell, tally) for cell, tally in cells.items())
    elif by in _TIMES:
        step, hourly = _TIMES[by], by == "hour"
        found = spans(tx, set(names), window, now=now, hourly=hourly)
        places = ((span.at // step * step, span.cell, span.tally) for span in found)
    else:
        key = by.removeprefix(SEGMENT)
        return _BrokenDown(segments=_by_segment(tx, model, versions, window, key))
    points: dict[tuple[int, str], Tally] = defaultdict(Tally)
    for place, cell, tally in places:
        if cell.role == LIVE:
            points[place, names[cell.version]].merge(tally)
    return _BrokenDown(trend=tuple(trend(points, is_revision=by == "revision")))


def _by_segment(
    tx: Transaction, model: ModelRow, versions: Sequence[Version], window: Window, key: str
) -> list[VersionPerformance]:
    check_key(key, "segment")
    by_key = {version.key: version for version in versions}
    found = tx.predictions.by_segment(model.key, key, since=window.since, until=window.until)
    # The others have been deleted.
    rows = {place: tally for place, tally in found.items() if place.version in by_key}
    total: dict[str | None, int] = defaultdict(int)
    for place, tally in rows.items():
        total[place.segment] += tally.requests
    entries = []
    for place in sorted(rows, key=lambda p: (p.segment is None, p.segment or "", p.version)):
        version, whole = by_key[place.version], total[place.segment]
        entries.append(performance(version, rows[place], whole, segment=place.segment))
    return entries


def _baseline(
    tx: Transaction,
    model: ModelRow,
    seen: Sequence[Version],
    found: Sequence[Split],
    wanted: str | None,
) -> Version | None:
    if wanted is not None:
        named = tx.versions.select(model, wanted)
        if all(version.key != named.key for version in seen):
            raise NotFound(f"the baseline {named.ref} has no predictions in this window")
        return named
    return usual_baseline(seen, [v for v in seen if not found or v.key in found[0].tallies])


def _performances(
    versions: Iterable[Version], tallies: dict[tuple[int, int], Tally]
) -> list[VersionPerformance]:
    shown = [v for v in versions if v.status == "active" or tallies[v.key, LIVE].requests]
    total = sum(tallies[v.key, LIVE].requests for v in shown)
    return [
        performance(v, tallies[v.key, LIVE], total, forced=tallies[v.key, FORCED].requests)
        for v in shown
    ]


def _offline(metric: str, left: float | None, right: float | None) -> OfflineMetric:
    gap = None if left is None or right is None else right - left
    return OfflineMetric(metric=metric, left=left, right=right, difference=gap)
