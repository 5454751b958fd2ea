"""Experiments: their designs, their states, and who takes part."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from mlreg.cli.views.blocks import Block, Cell, Column, Content, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, count, joined, points, traffic, weight, when
from mlreg.clock import format_duration
from mlreg.entities.documents import ExperimentList, Recorded
from mlreg.entities.experiments import Assignment, Design, Experiment, TestMetric
from mlreg.metrics import BY_NAME

_MEANINGS = {
    "success_rate": "the share of requests answered without an error, right or wrong",
    "accuracy": "the share of labels that were right",
}
_STATES = {"draft": "dim", "running": "green", "concluded": "bold", "stopped": "yellow"}


def experiment(found: Experiment) -> Iterable[Block]:
    """The design of an experiment, and its course."""
    would = " (dry run: nothing is changed)" if found.dry_run else ""
    yield Line(f"{found.test_id}: {found.model}, {found.state}{would}", _STATES[found.state])
    yield Line("")
    yield arms(found)
    yield Line("")
    yield Fields([row for row in _design(found.design) if row[1] not in ("", NOTHING)])
    if found.state != "draft":
        yield Line("")
        yield Fields([row for row in _course(found) if row[1] not in ("", NOTHING)])


def arms(found: Experiment) -> Table:
    """Who takes part, with the share at the start and now."""
    now = found.phases[-1].weights if found.state == "running" else ()
    rows = [
        (
            variant.variant,
            f"{found.model}@{variant.version}",
            traffic(variant.traffic_percent),
            weight(now[place]) if place < len(now) else NOTHING,
        )
        for place, variant in enumerate(found.design.variants)
    ]
    columns = [Column("arm"), Column("version"), Column("planned", right=True)]
    return Table([*columns, Column("now", right=True)], rows)


def _design(design: Design) -> list[tuple[str, Content]]:
    return [
        ("hypothesis", design.hypothesis),
        ("description", design.description),
        ("decides", described(design.metric)),
        ("that is", _MEANINGS.get(design.metric.name, "")),
        ("beside it", joined([metric.name for metric in design.secondary])),
        ("guardrails", joined([guardrail.text for guardrail in design.guardrails])),
        ("strategy", f"{design.strategy}, by {design.unit}"),
        ("looks", design.mode),
        ("levels", f"alpha {design.alpha:g}, power {design.power:.0%}"),
        ("to find", _in_unit(design.metric, design.mde)),
        ("worth shipping", _in_unit(design.metric, design.min_effect)),
        ("planned units", _size(design)),
        ("least units", f"{design.min_samples:,} in each arm"),
        ("least time", _time(design.min_run_seconds)),
        ("ends after", _time(design.max_duration_seconds)),
        ("label age", _time(design.label_window_seconds)),
    ]


def _size(design: Design) -> str:
    said = count(design.planned_units)
    return said if design.driver in ("", design.metric.name) else f"{said}, for {design.driver}"


def described(metric: TestMetric) -> str:
    """A metric with the direction that is an improvement."""
    known = BY_NAME.get(metric.name)
    if known is not None and known.better == "zero":
        return f"{metric.name} (nearer to zero is better)"
    better = "higher" if metric.direction == "up" else "lower"
    return f"{metric.name} ({better} is better)"


def _in_unit(metric: TestMetric, value: float | None) -> str:
    if value is None:
        return NOTHING
    return points(value) if metric.unit == "share" else f"{value:g} {metric.unit}".strip()


def _course(found: Experiment) -> list[tuple[str, Content]]:
    started, ended = found.started_at, found.ended_at
    phases = [f"revision {phase.revision} since {when(phase.started_at)}" for phase in found.phases]
    return [
        ("started", when(started) if started else NOTHING),
        ("ran" if ended else "runs", lasted(found)),
        ("ended", when(ended) if ended else NOTHING),
        ("verdict", found.verdict or NOTHING),
        ("winner", found.winner or NOTHING),
        ("phases", joined(phases)),
        ("fingerprint", found.fingerprint or NOTHING),
    ]


def _time(seconds: float | None) -> str:
    return format_duration(seconds) if seconds else NOTHING


def lasted(found: Experiment) -> str:
    """How long it has run."""
    if found.started_at is None:
        return NOTHING
    length = (found.ended_at or datetime.now(UTC)) - found.started_at
    return format_duration(max(length.total_seconds(), 0))


def experiment_list(found: ExperimentList) -> Iterable[Block]:
    """A line for each experiment."""
    if not found["experiments"]:
        yield Line("no experiments; run: mlreg abtest create ID --control REF --treatment REF")
        return
    titles = ("experiment", "state", "model", "split", "metric", "ran")
    columns = [Column(title, wraps=title == "split") for title in (*titles, "verdict")]
    yield Table(columns, [_row(experiment) for experiment in found["experiments"]])


def _row(found: Experiment) -> list[Content]:
    return [
        found.test_id,
        Cell(found.state, _STATES[found.state]),
        found.model,
        split(found),
        found.design.metric.name,
        lasted(found),
        _ending(found),
    ]


def split(found: Experiment) -> str:
    """The versions with their shares, as of the newest phase."""
    shares = zip(found.design.variants, found.weights, strict=True)
    return ", ".join(f"{v.version} {weight(share)}" for v, share in shares)


def _ending(found: Experiment) -> str:
    winner = f" {found.winner}" if found.winner else ""
    return f"{found.verdict}{winner}" if found.verdict else NOTHING


def assignment(found: Assignment) -> Iterable[Block]:
    """Which arm answers."""
    who = found.unit if found.unit is not None else "this request"
    yield Line(f"{who}: {found.ref}, {found.variant} of {found.test_id}")
    yield Line(f"{found.reason}, revision {found.revision}", "dim")


def recorded(found: Recorded) -> Iterable[Block]:
    """What was recorded."""
    if found["prediction_id"] is not None:
        yield Line(f"recorded as prediction {found['prediction_id']}")
    else:
        yield Line(f"{count(found['recorded'])} outcomes recorded for {found['test_id']}")
