"""How versions did: rates with intervals, latencies, comparisons, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    Interval,
    MetricComparison,
    PerformanceReport,
    VersionPerformance,
)
from mlreg.metrics import BY_NAME

_VERDICTS = {"better": "green", "worse": "red", "different": "", "inconclusive": "dim"}
_RECOMMENDED = {"ship": "bold green", "keep": "bold", "inconclusive": "bold", "invalid": "bold red"}


def blocks(report: PerformanceReport) -> Iterable[Block]:
    """The record as blocks."""
    since = f"from {when(report.since)} " if report.since else ""
    yield Line(f"{report.model}, {since}to {when(report.until)} UTC", "bold")
    if not report.models:
        yield Line('no predictions in this time; run: mlreg predict "some input"')
        return
    yield Line("")
    yield requests(report)
    if any(entry.labelled_count or entry.avg_confidence is not None for entry in report.models):
        yield Line("")
        yield quality(report)
    for compared in comparisons(report.comparisons):
        yield Line("")
        yield compared
    yield Line("")
    for assumption in report.assumptions:
        yield Line(assumption, "dim")
    yield Line(report.recommendation, _RECOMMENDED[report.verdict])


def _subject(report: PerformanceReport) -> list[Column]:
    return [Column("version"), *([Column(report.by)] if report.by else [])]


def _named(report: PerformanceReport, entry: VersionPerformance) -> list[Content]:
    return [entry.version, *([entry.segment or NOTHING] if report.by else [])]


def requests(report: PerformanceReport) -> Table:
    """Requests, errors and latencies."""
    titles = ("requests", "share", "error rate", "p50 ms", "p95 ms", "p99 ms")
    rows = [
        [
            *_named(report, entry),
            count(entry.request_count),
            percent(entry.traffic_share),
            _rate(entry.error_rate, entry.error_rate_ci),
            milliseconds(entry.p50_latency_ms),
            milliseconds(entry.p95_latency_ms),
            milliseconds(entry.p99_latency_ms),
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
        BY_NAME[c.metric].label if c.metric in BY_NAME else c.metric,
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
