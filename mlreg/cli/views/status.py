"""All at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlreg.cli.views.blocks import Block, Column, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, count, milliseconds, percent, traffic, when
from mlreg.entities.status import ModelStatus, Status

_STYLES = {"critical": "bold red", "warning": "yellow", "info": ""}
_FORESEEN = 8


def blocks(found: Status) -> Iterable[Block]:
    """Each model, then what comes next."""
    if not found.models:
        yield Line("no models yet; run: mlreg register NAME@1.0.0 model.joblib")
        return
    for place, model in enumerate(found.models):
        if place:
            yield Line("")
        yield from _model(model)
    yield from _next(found)


def _model(model: ModelStatus) -> Iterator[Block]:
    if model.since is None or not model.serving:
        yield Line(f"{model.model}: nothing serves", "bold")
    else:
        since = f"revision {model.revision} since {when(model.since)}"
        yield Line(f"{model.model}: {since}, {model.strategy}", "bold")
        yield _versions(model)
    yield from _wrong(model)
    if told := [*_under_way(model)]:
        yield Fields(told)


def _versions(model: ModelStatus) -> Table:
    columns = [
        Column("version"), Column("traffic", right=True), Column("since (UTC)"),
        Column("24 h", right=True), Column("errors", right=True), Column("p95 ms", right=True),
        Column("accuracy", right=True),
    ]  # fmt: skip
    rows = [
        (
            one.version,
            "shadow" if one.role == "shadow" else traffic(one.traffic_percent),
            NOTHING if one.since is None else when(one.since)[:16],
            NOTHING if one.role == "shadow" else count(one.requests),
            percent(one.error_rate),
            milliseconds(one.p95_latency_ms),
            percent(one.accuracy),
        )
        for one in model.serving
    ]
    return Table(columns, rows)


def _wrong(model: ModelStatus) -> Iterator[Line]:
    for alert in model.alerts:
        seen = f", seen by {alert.acknowledged_by}" if alert.acknowledged_by else ""
        quiet = ", silenced" if alert.silenced else ""
        style = _STYLES[alert.severity] if alert.state == "firing" else ""
        whose = f" of {alert.version}" if alert.version else ""
        yield Line(
            f"alert {alert.alert} {alert.state}, {alert.severity}{seen}{quiet}: "
            f"{alert.condition}{whose}",
            style,
        )


def _under_way(model: ModelStatus) -> Iterator[tuple[str, str]]:
    for test in model.tests:
        yield "test", f"{test.test_id}: {test.control} against {', '.join(test.treatments)}"
    for rollout in model.rollouts:
        yield "rollout", f"{rollout.rollout_id}: {rollout.version} {rollout.state}"
    last = model.last_rollback
    if last is not None:
        by = "mlreg" if last.automatic else last.actor
        yield (
            "last rollback",
            f"{when(last.time)} by {by}: {last.from_split} → {last.to_split}",
        )


def _next(found: Status) -> Iterator[Block]:
    if not found.upcoming:
        return
    yield Line("")
    columns = [Column("next (UTC)"), Column("what"), Column("on"), Column("why", wraps=True)]
    rows = [
        (when(one.time) if one.time else NOTHING, one.what, one.object, one.why)
        for one in found.upcoming[:_FORESEEN]
    ]
    yield Table(columns, rows)
    if len(found.upcoming) > _FORESEEN:
        yield Line(f"and {len(found.upcoming) - _FORESEEN} more: mlreg next-steps")
