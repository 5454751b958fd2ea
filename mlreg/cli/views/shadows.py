"""Shadows beside what was live."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.kit.values import shown
from mlreg.cli.views.blocks import Block, Column, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, count, difference, milliseconds, p_value, percent
from mlreg.cli.views.predictions import shown_input
from mlreg.entities.documents import DisagreementList
from mlreg.entities.predictions import Scalar
from mlreg.entities.shadows import (
    AnswerChange,
    Disagreement,
    Replay,
    ShadowComparison,
    ShadowCoverage,
    ShadowReport,
)
from mlreg.names import counted

_MOST = 8
_WHY = {
    "full": "the queue was full",
    "resting": "it had hung or died",
    "closed": "the program ended",
    "failed": "it could not be asked or logged",
}
_STYLES = {"shadow-better": "bold green", "live-better": "bold yellow", "undecided": ""}


def report(found: ShadowReport) -> Iterable[Block]:
    """Each shadow, and each version that it met."""
    if not found.shadows:
        name = found.model
        yield Line(f"{name} has no shadow; run: mlreg route {name} --shadow VERSION")
        return
    for shadow in found.shadows:
        yield Line(_covered(found, shadow))
    for comparison in found.comparisons:
        yield Line("")
        yield from _comparison(comparison)


def _covered(found: ShadowReport, shadow: ShadowCoverage) -> str:
    state = "is a shadow" if shadow.active else "is no shadow now"
    said = f"{found.model}@{shadow.version} {state}: asked {count(shadow.asked)} of "
    said += counted(shadow.followed, "live input")
    if shadow.replayed:
        said += f", and {count(shadow.replayed)} from the log"
    dropped = [f"{count(n)} as {_WHY.get(why, why)}" for why, n in shadow.dropped.items()]
    ever = "" if found.since is None else " in all time"
    return said + (f"; not asked{ever}: {', '.join(dropped)}" if dropped else "")


def _comparison(found: ShadowComparison) -> Iterable[Block]:
    yield Line(f"{found.shadow} beside {found.live}", "bold")
    gap = found.difference
    is_share = gap.measure == "accuracy"
    limits = None if gap.lower is None or gap.upper is None else (gap.lower, gap.upper)
    size = difference(gap.estimate, limits, "share" if is_share else "")
    rows = [
        ("pairs", count(found.pairs)),
        ("same answer", f"{percent(found.agreement)} ({count(found.same)})"),
        ("no answer", f"live {count(found.live_failed)}, shadow {count(found.shadow_failed)}"),
        ("with a label", count(found.labels)),
        ("right", _right(found)),
        ("difference", NOTHING if gap.estimate is None else f"{size} of {gap.measure}"),
        (
            "p",
            NOTHING if gap.estimate is None else f"{p_value(gap.p_value)}, at all looks together",
        ),
        ("confidence", _beside(found.live_confidence, found.shadow_confidence)),
        ("latency", _latency(found)),
    ]
    yield Fields([row for row in rows if row[1] != NOTHING])
    if found.changes:
        yield _changes(found.changes)
    if found.answers:
        yield _answers(found)
    yield Line(found.summary, _STYLES[found.verdict])


def _right(found: ShadowComparison) -> str:
    labelled = found.labelled
    if labelled is None or not labelled.pairs:
        return NOTHING
    only = f"only live {count(labelled.only_live)}, only shadow {count(labelled.only_shadow)}"
    return f"{only}, both {count(labelled.both)}, neither {count(labelled.neither)}"


def _beside(live: float | None, shadow: float | None) -> str:
    if live is None and shadow is None:
        return NOTHING
    return f"live {percent(live)}, shadow {percent(shadow)} (mean)"


def _latency(found: ShadowComparison) -> str:
    seen = found.latency
    if seen is None:
        return NOTHING
    sides = (
        ("live", seen.live_p50_ms, seen.live_p95_ms),
        ("shadow", seen.shadow_p50_ms, seen.shadow_p95_ms),
    )
    said = [f"{name} {milliseconds(p50)} / {milliseconds(p95)} ms" for name, p50, p95 in sides]
    return f"{', '.join(said)} (p50 / p95 of {counted(seen.pairs, 'pair')})"


def _changes(changes: tuple[AnswerChange, ...]) -> Table:
    columns = [
        Column("live", cut=True),
        Column("shadow", cut=True),
        Column("pairs", right=True),
        Column("only live right", right=True),
        Column("only shadow right", right=True),
    ]
    rows = [
        (
            _answer(change.live),
            _answer(change.shadow),
            count(change.pairs),
            count(change.only_live),
            count(change.only_shadow),
        )
        for change in changes[:_MOST]
    ]
    return Table(columns, rows)


def _answers(found: ShadowComparison) -> Table:
    columns = [Column("answer", cut=True), Column("live", right=True), Column("shadow", right=True)]
    whole = max(found.pairs, 1)
    rows = [
        (_answer(share.answer), percent(share.live / whole), percent(share.shadow / whole))
        for share in found.answers[:_MOST]
    ]
    return Table(columns, rows)


def disagreements(found: DisagreementList) -> Iterable[Block]:
    """Inputs to be labelled."""
    rows: list[Disagreement] = found["disagreements"]
    if not rows:
        yield Line("no disagreement waits for a label")
        return
    columns = [
        Column("id", right=True),
        Column(f"live {rows[0].live_version}", cut=True),
        Column(f"shadow {rows[0].shadow_version}", cut=True),
        Column("input", cut=True),
    ]
    yield Table(
        columns,
        [
            (
                str(row.prediction_id),
                _sure(row.live, row.live_confidence),
                _sure(row.shadow, row.shadow_confidence),
                shown_input(row.input),
            )
            for row in rows
        ],
    )


def replay(found: Replay) -> Iterable[Block]:
    """What became of a replay."""
    would = "would be asked" if found.dry_run else "was asked"
    yield Line(f"{found.model}@{found.version} {would} {counted(found.replayed, 'input')}")
    if found.failed:
        yield Line(f"{count(found.failed)} without an answer: mlreg log --errors", "yellow")
    if found.not_kept:
        yield Line(
            f"{count(found.not_kept)} left out: the log does not keep their inputs", "yellow"
        )


def _sure(answer: Scalar | None, confidence: float | None) -> str:
    return _answer(answer) + ("" if confidence is None else f" {percent(confidence, 0)}")


def _answer(answer: Scalar | None) -> str:
    return "(none)" if answer is None else shown(answer)
