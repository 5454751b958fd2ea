"""Thresholds and alerts."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import BAD, Block, Cell, Column, Content, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, when
from mlreg.entities.documents import AlertList, ThresholdList
from mlreg.entities.thresholds import Alert, Silence, Threshold, Trial
from mlreg.names import counted

_COLUMNS = (
    Column("model"),
    Column("name"),
    Column("what must hold", wraps=True),
    Column("severity"),
    Column("action"),
)
_STYLES = {"firing": "bold red", "pending": "yellow", "resolved": "green"}


def threshold(found: Threshold) -> Iterable[Block]:
    """A threshold that was just set."""
    yield Line(f"{found.model}: {found.name}, {found.severity}: {found.demand}")
    if found.action != "alert":
        yield Line(f"where it is broken: an alert, and a {found.action}")
    if found.cost:
        yield Line(found.cost)


def threshold_list(found: ThresholdList) -> Iterable[Block]:
    """Thresholds, one a row, with how many alerts of each fire."""
    if not found["thresholds"]:
        yield Line("no thresholds; set the usual ones: mlreg threshold defaults NAME")
        return
    rows = [
        (*_row(one), Cell(str(one.firing), BAD.style) if one.firing else NOTHING)
        for one in found["thresholds"]
    ]
    yield Table([*_COLUMNS, Column("firing", right=True)], rows)


def threshold_table(found: Iterable[Threshold]) -> Table:
    """The thresholds of a policy."""
    return Table(_COLUMNS, [_row(one) for one in found])


def _row(one: Threshold) -> tuple[Content, ...]:
    return one.model, one.name, one.demand, one.severity, one.action


def trial(found: Trial) -> Iterable[Block]:
    """When a threshold would have fired."""
    days = (found.until - found.since).total_seconds() / 86_400
    times = counted(len(found.fired), "time")
    yield Line(f"{found.model}: {found.condition}")
    yield Line(f"would have fired {times} in {days:.3g} days, in {found.looks:,} looks")
    if found.fired:
        columns = [Column("fired (UTC)"), Column("over (UTC)"), Column("why", wraps=True)]
        rows = [
            (when(one.fired_at), when(one.over_at) if one.over_at else NOTHING, one.why)
            for one in found.fired
        ]
        yield Table(columns, rows)


def alert_list(found: AlertList) -> Iterable[Block]:
    """Alerts, one a row."""
    columns = [
        Column("id", right=True),
        Column("state"),
        Column("severity"),
        Column("model"),
        Column("threshold"),
        Column("since (UTC)"),
        Column("why", wraps=True),
    ]
    rows = [
        (
            str(one.alert),
            Cell(_state(one), _STYLES[one.state]),
            one.severity,
            one.model + (f"@{one.version}" if one.version else ""),
            one.threshold,
            when(one.resolved_at or one.fired_at or one.began_at),
            str(one.finding.get("sentence", "")),
        )
        for one in found["alerts"]
    ]
    yield Table(columns, rows)


def alert(found: Alert) -> Iterable[Block]:
    """An alert with what it rests on."""
    ref = found.model + (f"@{found.version}" if found.version else "")
    yield Line(f"alert {found.alert}: {ref}, {found.threshold} ({found.severity})")
    acted = {None: NOTHING, 0: "refused"}.get(found.acted, f"made revision {found.acted}")
    yield Fields(
        [
            ("state", Cell(_state(found), _STYLES[found.state])),
            ("must hold", found.condition),
            ("why", str(found.finding.get("sentence", ""))),
            ("began", when(found.began_at)),
            ("fired", when(found.fired_at) if found.fired_at else NOTHING),
            ("over", when(found.resolved_at) if found.resolved_at else NOTHING),
            ("acknowledged by", found.acknowledged_by or NOTHING),
            ("action", f"{found.action}: {acted}" if found.action != "alert" else NOTHING),
            ("under policy", str(found.policy)),
        ]
    )


def silence(found: Silence) -> Iterable[Block]:
    """What is silent from now on."""
    what = f"{found.model}, {found.threshold}" if found.threshold else found.model
    if found.until <= found.since:
        yield Line(f"alerts of {what} are told of again")
    else:
        yield Line(f"nobody is told of alerts of {what} until {when(found.until)} UTC")


def _state(one: Alert) -> str:
    marks: list[str] = [one.state]
    if one.acknowledged_by and one.state != "resolved":
        marks.append("seen")
    if one.silenced and one.state != "resolved":
        marks.append("silenced")
    return ", ".join(marks)
