"""Rollouts: where they stand, what their checks say, and how a plan does on the log."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import BAD, GOOD, ODD, UNKNOWN, Block, Cell, Column, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, count, percent, traffic, when
from mlreg.clock import format_duration
from mlreg.entities.documents import RolloutList
from mlreg.entities.rollouts import (
    CheckResult,
    Lint,
    Plan,
    Rollout,
    RolloutStatus,
    Simulation,
    Trial,
)

_STYLES = {
    "pending": "dim", "progressing": "green", "baking": "green", "paused": "yellow",
    "awaiting-approval": "yellow", "completed": "bold", "aborted": "bold red",
}  # fmt: skip
_MARKS = {"pass": GOOD, "fail": BAD, "between": ODD, "unknown": UNKNOWN}


def rollout(found: Rollout) -> Iterable[Block]:
    """A rollout with its steps and its plan."""
    yield from _head(found)
    yield Line("")
    yield _steps(found)
    yield Line("")
    yield Fields(_planned(found.plan))


def rollout_status(found: RolloutStatus) -> Iterable[Block]:
    """A rollout as it stands: its steps, its checks, and what it waits for."""
    yield from _head(found)
    yield Line("")
    yield _steps(found)
    if found.checks:
        yield Line("")
        yield Table(
            [Column(""), Column("check", wraps=True), Column("what is known", wraps=True)],
            [_check(check) for check in found.checks],
        )
    if not found.is_over:
        yield Line("")
        at = found.next_decision_at
        yield Line(f"next: {found.outlook}" + (f", until {when(at)} UTC" if at else ""))


def _head(found: Rollout) -> Iterable[Block]:
    would = " (dry run: nothing is changed)" if found.dry_run else ""
    what = f"{found.rollout_id}: {found.model}@{found.version} by {found.strategy}, {found.state}"
    where = "" if found.is_over else f" at {found.traffic_percent:g} %"
    yield Line(f"{what}{where}{would}", _STYLES[found.state])
    if found.reason:
        yield Line(found.reason, "dim")


def _steps(found: Rollout) -> Table:
    marks = {"pass": GOOD, "fail": BAD, "running": Cell("→", "green"), "": Cell(" ")}
    rows = [
        (
            marks[stage.verdict],
            traffic(stage.traffic_percent),
            when(stage.started_at) if stage.started_at else NOTHING,
            str(stage.revision or NOTHING),
            _waits(found, stage.traffic_percent),
        )
        for stage in found.steps
    ]
    return Table(
        [
            Column(""),
            Column("share", right=True),
            Column("since (UTC)"),
            Column("revision", right=True),
            Column(""),
        ],
        rows,
    )


def _waits(found: Rollout, share: float) -> str:
    if share not in found.plan.approve:
        return ""
    return "approved" if share in found.approved else "needs approval"


def _check(check: CheckResult) -> tuple[Cell, str, str]:
    return _MARKS[check.outcome], check.finding.condition, check.finding.sentence


def _planned(plan: Plan) -> list[tuple[str, str]]:
    who = f" (by {', '.join(plan.approvers)})" if plan.approvers else ""
    inconclusive = {
        "hold": f"hold, then abort after {_time(plan.hold_at_most_seconds)}",
        "advance": "go on",
        "abort": "abort",
    }
    rows = [
        ("strategy", plan.strategy),
        ("steps", ", ".join(f"{share:g} %" for share in plan.steps)),
        ("each lasts", f"{_time(plan.interval_seconds)} and {plan.min_samples:,} predictions"),
        ("bakes", _time(plan.bake_seconds)),
        ("if a check cannot be told", inconclusive[plan.on_inconclusive]),
        ("approval", ", ".join(f"{share:g} %" for share in plan.approve) + who),
        ("probes", count(len(plan.probes)) if plan.probes else ""),
        ("decided by", plan.metric if plan.strategy == "ab" else ""),
        ("checks", "; ".join(plan.checks)),
    ]
    return [row for row in rows if row[1]]


def _time(seconds: float) -> str:
    return format_duration(seconds) if seconds else "no time"


def rollout_list(found: RolloutList) -> Iterable[Block]:
    """A line for each rollout."""
    if not found["rollouts"]:
        yield Line("no rollouts; run: mlreg rollout start NAME@VERSION")
        return
    columns = [Column("rollout"), Column("version"), Column("strategy"), Column("state")]
    columns += [Column("share", right=True), Column("started (UTC)"), Column("why", wraps=True)]
    yield Table(columns, [_row(one) for one in found["rollouts"]])


def _row(one: Rollout) -> tuple[str | Cell, ...]:
    return (
        one.rollout_id,
        one.version,
        one.strategy,
        Cell(one.state, _STYLES[one.state]),
        traffic(one.traffic_percent),
        when(one.started_at),
        one.reason or NOTHING,
    )


def lint(found: Lint) -> Iterable[Block]:
    """A plan, and what may go wrong with it."""
    yield Line(f"a rollout of {found.model}@{found.version} would be")
    yield Line("")
    yield Fields(_planned(found.plan))
    yield Line("")
    daily = f"{found.requests_per_day:,} predictions in the last day"
    yield Line(f"it takes {_time(found.least_seconds)} at least; {daily}")
    for warning in found.warnings:
        yield Line(f"warning: {warning}", "yellow")


def simulation(found: Simulation) -> Iterable[Block]:
    """A plan on the log: when it would have gone on, and how often it errs."""
    labels = f", {found.labelled:,} of them with a label" if found.labelled else ""
    yield Line(
        f"{found.model}: {found.predictions:,} predictions from {when(found.since)} "
        f"to {when(found.until)} UTC{labels}"
    )
    yield Line("")
    rows = [
        (traffic(one.traffic_percent), when(one.started_at), count(one.samples))
        for one in found.passages
    ]
    columns = [Column("share", right=True), Column("from (UTC)"), Column("samples", right=True)]
    yield Table(columns, rows, title=f"an equal version, as it was logged: {found.ended}")
    yield Line("")
    columns = [
        Column("version"), Column("aborted", right=True), Column("held too long", right=True),
        Column("completed", right=True), Column("log too short", right=True),
        Column("requests before", right=True), Column("by", wraps=True),
    ]  # fmt: skip
    title = f"{found.trials[0].runs} runs each" if found.trials else ""
    yield Table(columns, [_trial(one) for one in found.trials], title=title)


def _trial(one: Trial) -> tuple[str, ...]:
    return (
        one.version,
        percent(one.aborted),
        percent(one.held),
        percent(one.completed),
        percent(one.unfinished),
        f"{one.requests[0]:,} (90 %: {one.requests[1]:,})" if one.requests else NOTHING,
        one.by or NOTHING,
    )
