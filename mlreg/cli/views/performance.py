"""How versions did: rates with intervals, latencies, comparisons, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlreg.cli.views.bars import pen, sparkline
from mlreg.cli.views.blocks import Block, Cell, Column, Content, Line, Table
from mlreg.cli.views.formats import (
    NOTHING,
    count,
    difference,
    measure,
    milliseconds,
    number,
    p_value,
    percent,
    when,
)
from mlreg.entities.reports import (
    ConfusionCell,
    Figure,
    Interval,
    LabelPerformance,
    MetricComparison,
    PerformanceReport,
    TrendPoint,
    VersionPerformance,
)
from mlreg.metrics import BY_NAME, CATALOGUE, find, label_of
from mlreg.tallies import MOST_CLASSES

_SCORES = ("precision", "recall", "f1")
_FAILED = "(failed)"
# As many points as hours in a day, and as many classes beside each other as fit 80 columns.
_POINTS, _WIDEST = 24, 8
_VERDICTS = {"better": "green", "worse": "red", "different": "", "inconclusive": "dim"}
_RECOMMENDED = {"ship": "bold green", "keep": "bold", "inconclusive": "bold", "invalid": "bold red"}


def blocks(report: PerformanceReport) -> Iterable[Block]:
    """The record as blocks."""
    since = f"from {when(report.since)} " if report.since else ""
    yield Line(f"{report.model}, {since}to {when(report.until)} UTC", "bold")
    if report.revision is not None:
        yield Line(f"the split in force, revision {report.revision}; all there is: --all", "dim")
    if not report.models:
        yield Line('no predictions in this time; run: mlreg predict "some input"')
        return
    yield Line("")
    yield requests(report)
    if any(entry.labelled_count or entry.avg_confidence is not None for entry in report.models):
        yield Line("")
        yield quality(report)
    for part in (*deviations(report), *trends(report), *labels(report)):
        yield Line("")
        yield part
    for compared in comparisons(report.comparisons):
        yield Line("")
        yield compared
    yield Line("")
    for assumption in report.assumptions:
        yield Line(assumption, "dim")
    yield Line(report.recommendation, _RECOMMENDED[report.verdict])


def _subject(report: PerformanceReport) -> list[Column]:
    return [Column("version"), *([Column(report.by or "")] if report.is_by_segment else [])]


def _named(report: PerformanceReport, entry: VersionPerformance) -> list[Content]:
    return [entry.version, *([entry.segment or NOTHING] if report.is_by_segment else [])]


def requests(report: PerformanceReport) -> Table:
    """Requests, errors and latencies."""
    quantiles = [metric for metric in CATALOGUE if metric.kind == "quantile"]
    tails = [metric.name.replace("_latency_", " ") for metric in quantiles]
    titles = ("requests", "share", "error rate", *tails)
    rows = [
        [
            *_named(report, entry),
            count(entry.request_count),
            percent(entry.traffic_share),
            _rate(entry.error_rate, entry.error_rate_ci),
            *(milliseconds(_value(entry.metrics, metric.name)) for metric in quantiles),
        ]
        for entry in report.models
    ]
    return Table([*_subject(report), *(Column(title, right=True) for title in titles)], rows)


def quality(report: PerformanceReport) -> Table:
    """Labels, accuracy, confidence, cost and named values; without columns that are empty."""
    names = sorted({name for entry in report.models for name in entry.values})
    columns = {
        "labelled": [count(e.labelled_count) for e in report.models],
        "coverage": [percent(e.label_coverage) for e in report.models],
        "accuracy": [_rate(e.accuracy, e.accuracy_ci) for e in report.models],
        "confidence": [percent(e.avg_confidence) for e in report.models],
        "cost": [number(e.cost_per_request) for e in report.models],
        **{name: [number(e.values.get(name)) for e in report.models] for name in names},
    }
    filled = {title: cells for title, cells in columns.items() if set(cells) != {NOTHING}}
    rows = [
        [*_named(report, entry), *(cells[place] for cells in filled.values())]
        for place, entry in enumerate(report.models)
    ]
    return Table([*_subject(report), *(Column(title, right=True) for title in filled)], rows)


def deviations(report: PerformanceReport) -> Iterable[Table]:
    """How far predicted numbers are off, where there are any."""
    names = [metric.name for metric in CATALOGUE if metric.unit == "label"]
    rows = [
        [*_named(report, entry), *(_with_interval(entry.metrics.get(name)) for name in names)]
        for entry in report.models
        if entry.metrics.keys() & set(names)
    ]
    if rows:
        yield Table([*_subject(report), *(Column(name, right=True) for name in names)], rows)


def trends(report: PerformanceReport) -> Iterable[Table]:
    """Each version's course, a line for each metric; the newest of it, as far as a line goes."""
    points = report.trend or ()
    places = list(dict.fromkeys(_place(point) for point in points))[-_POINTS:]
    if not places:
        return
    columns = [
        Column("version"),
        Column("metric", wraps=True),
        *(Column(title, right=True) for title in ("least", "most", "latest")),
        Column(f"by {report.by}"),
    ]
    rows: list[Sequence[Content]] = []
    for version in dict.fromkeys(point.version for point in points):
        own = {_place(p): p for p in points if p.version == version}
        seen = [own.get(place) for place in places]
        counts = [None if point is None else float(point.request_count) for point in seen]
        rows.append(_course(version, "requests", counts, ""))
        for name in dict.fromkeys(name for point in own.values() for name in point.metrics):
            known = find(name)
            if known is not None and known.role:
                values = [None if p is None else _value(p.metrics, name) for p in seen]
                rows.append(_course(version, known.label, values, known.unit))
    yield Table(columns, [row for row in rows if row], title=f"{places[0]} to {places[-1]}")


def _place(point: TrendPoint) -> str:
    return f"revision {point.revision}" if point.at is None else when(point.at)[:16]


def _course(
    version: str, label: str, values: Sequence[float | None], unit: str
) -> Sequence[Content]:
    known = [value for value in values if value is not None]
    if not known:
        return ()
    numbers = [measure(value, unit) for value in (min(known), max(known), known[-1])]
    return (version, label, *numbers, sparkline(values, pen=pen()))


def labels(report: PerformanceReport) -> Iterable[Table | Line]:
    """Each version class by class, and which classes it takes for which."""
    whole = {entry.version: entry.metrics for entry in report.models}
    for found in report.labels or ():
        columns = [Column(f"class ({found.version})"), Column("labelled", right=True)]
        columns += [Column(name, right=True) for name in _SCORES]
        scored = [(c.label, count(c.labelled), c.metrics) for c in found.classes]
        scored.append(("mean", "", whole.get(found.version, {})))
        rows = [
            (name, labelled, *(_share(metrics.get(score)) for score in _SCORES))
            for name, labelled, metrics in scored
        ]
        yield Table(columns, rows)
        yield _confusion(found)
        if found.others:
            yield Line(f"{count(found.others)} labelled predictions have classes beyond the first "
                f"{MOST_CLASSES}, which are one: *", "yellow")  # fmt: skip


def _confusion(found: LabelPerformance) -> Table:
    """All pairs where they fit a line, else the mistakes that were made most."""
    answers = list(dict.fromkeys(sorted(_said(cell) for cell in found.confusion)))
    if len(answers) > _WIDEST:
        wrong = [cell for cell in found.confusion if cell.answer != cell.label]
        worst = sorted(wrong, key=lambda cell: -cell.count)[:_POINTS]
        columns = [Column("right"), Column("answered"), Column("times", right=True)]
        return Table(columns, [(cell.label, _said(cell), count(cell.count)) for cell in worst])
    counts = {(cell.label, _said(cell)): cell.count for cell in found.confusion}
    columns = [Column("right \\ answered"), *(Column(name, right=True) for name in answers)]
    rows = [
        (label, *(count(counts.get((label, answer), 0)) for answer in answers))
        for label in dict.fromkeys(cell.label for cell in found.confusion)
    ]
    return Table(columns, rows)


def _said(cell: ConfusionCell) -> str:
    return _FAILED if cell.answer is None else cell.answer


def _value(metrics: Mapping[str, Figure], name: str) -> float | None:
    return metrics[name].value if name in metrics else None


def _share(figure: Figure | None) -> str:
    return _rate(None, None) if figure is None else _rate(figure.value, figure.ci)


def _with_interval(figure: Figure | None) -> str:
    if figure is None or figure.ci is None:
        return number(figure.value if figure else None, 3)
    return f"{number(figure.value, 3)} [{figure.ci[0]:.3g}, {figure.ci[1]:.3g}]"


def comparisons(found: Sequence[MetricComparison]) -> Iterable[Table]:
    """Metric by metric, a table for each candidate against the baseline."""
    for candidate in dict.fromkeys(c.candidate for c in found):
        rows = [_compared(c) for c in found if c.candidate == candidate]
        columns = [
            Column("metric"),
            Column(found[0].baseline, right=True),
            Column(candidate, right=True),
            Column("difference [interval]", right=True, wraps=True),
            Column("p", right=True),
            Column("verdict"),
        ]
        yield Table(columns, rows)


def _compared(c: MetricComparison) -> tuple[Content, ...]:
    return (
        label_of(c.metric),
        _in_unit(c.metric, c.baseline_value),
        _in_unit(c.metric, c.candidate_value),
        _difference(c),
        p_value(c.p_value),
        Cell(c.verdict, _VERDICTS[c.verdict]),
    )


def _rate(rate: float | None, interval: Interval | None) -> str:
    if rate is None or interval is None:
        return percent(rate)
    return f"{percent(rate)} [{interval[0] * 100:.1f}, {interval[1] * 100:.1f}]"


def _difference(c: MetricComparison) -> str:
    return difference(c.difference, c.difference_ci, _unit(c.metric))


def _in_unit(metric: str, value: float | None) -> str:
    return measure(value, _unit(metric))


def _unit(metric: str) -> str:
    return BY_NAME[metric].unit if metric in BY_NAME else ""
