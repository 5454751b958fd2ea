"""What a look at an experiment shows: metrics with their intervals, gates, looks, the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlreg.cli.views.bars import WIDTH, bar, pen
from mlreg.cli.views.blocks import (
    BAD,
    GOOD,
    ODD,
    UNKNOWN,
    Block,
    Cell,
    Column,
    Content,
    Line,
    Table,
)
from mlreg.cli.views.formats import (
    NOTHING,
    count,
    difference,
    measure,
    p_value,
    percent,
    signed,
    when,
)
from mlreg.entities.analyses import Analysis, Gate, MetricResult, RecordedLook, Verification
from mlreg.metrics import label_of

_RECOMMENDED = {
    "ship": "bold green",
    "rollback": "bold red",
    "continue": "bold",
    "stop_futile": "bold yellow",
    "inconclusive": "bold yellow",
    "invalid": "bold red",
}
# The words of `perf`, and more where an experiment can say more.
_VERDICTS = {
    "better_practical": Cell("better", "green"),
    "better_small": Cell("better, small", "green"),
    "equivalent": Cell("equivalent"),
    "worse": Cell("worse", "red"),
    "no_worthwhile_gain": Cell("no gain", "yellow"),
    "inconclusive": Cell("inconclusive", "dim"),
    "undefined": Cell("undefined", "dim"),
}
_CHECKED = {True: GOOD, False: BAD, None: UNKNOWN}
_KEPT = {True: Cell("kept", "green"), False: Cell("broken", "bold red"), None: Cell("open", "dim")}


def analysis(analysis: Analysis) -> Iterable[Block]:
    """A look at an experiment."""
    yield Line(f"{analysis.test_id}: {analysis.model}, {analysis.status}, {analysis.mode}", "bold")
    yield Line(_exposed(analysis))
    for table in metrics(analysis):
        yield Line("")
        yield table
    if len(analysis.phases) > 1:
        yield Line("")
        yield _phases(analysis)
    yield Line("")
    yield gates(analysis.gates)
    if analysis.looks:
        yield Line("")
        yield looks(analysis.looks)
    yield Line("")
    yield from _notes(analysis)
    style = _RECOMMENDED[analysis.verdict]
    yield Line(f"{analysis.verdict}: {analysis.recommendation}", style)


def _exposed(analysis: Analysis) -> str:
    exposure = analysis.exposure
    units = f"{count(exposure.units)} {analysis.unit}{'' if exposure.units == 1 else 's'}"
    said = f"{units} until {when(analysis.computed_at)} UTC"
    if exposure.double_exposed:
        said += f"; {count(exposure.double_exposed)} met more than one arm"
        said += f", {count(exposure.excluded)} of them are left out"
    return said


def metrics(analysis: Analysis) -> Iterable[Table]:
    """A table for each treatment: the metric that decides, guardrails, and what is beside them."""
    for lead in analysis.primaries:
        mine = [
            result
            for result in (lead, *analysis.as_assigned, *analysis.guardrails, *analysis.secondary)
            if result.variant == lead.variant
        ]
        columns = [
            Column("metric", wraps=True),
            Column(lead.control.version, right=True),
            Column(lead.version, right=True),
            Column("difference [interval]", right=True, wraps=True),
            Column("0".center(WIDTH)),
            Column("p", right=True),
            Column("verdict"),
        ]
        yield Table(columns, [_compared(result) for result in mine])


def _compared(result: MetricResult) -> list[Content]:
    verdict, is_guard = _VERDICTS[result.verdict], result.role == "guardrail"
    p = result.p_value if result.p_adjusted is None else result.p_adjusted
    return [
        _named(result),
        measure(result.control.value, result.unit),
        measure(result.treatment.value, result.unit),
        difference(result.diff, result.diff_ci, result.unit),
        Cell(_drawn(result), verdict.style),
        NOTHING if is_guard else p_value(p),
        _KEPT[result.passed] if is_guard else verdict,
    ]


def _named(result: MetricResult) -> Cell:
    label = label_of(result.metric)
    if result.role == "guardrail" and result.margin:
        return Cell(result.margin.replace(result.metric, label))
    if result.role == "as_assigned":
        return Cell(f"{label}, as first assigned", "dim")
    return Cell(label, "bold" if result.role == "primary" else "dim")


def _drawn(result: MetricResult) -> str:
    if result.diff_ci is None:
        return ""
    low, high = result.diff_ci
    finite = [abs(limit) for limit in (low, high) if abs(limit) != float("inf")]
    return bar(low, result.diff, high, reach=max(finite, default=0.0), pen=pen())


def gates(found: Sequence[Gate]) -> Table:
    """Each gate with its state."""
    columns = [Column(""), Column("gate"), Column("found", wraps=True)]
    return Table(columns, [(_mark(gate), gate.gate, gate.detail) for gate in found])


def _mark(gate: Gate) -> Cell:
    if gate.passed:
        return GOOD
    return ODD if gate.effect != "invalid" else BAD


def looks(found: Sequence[RecordedLook]) -> Table:
    """The looks so far, each with its z between the boundaries."""
    titles = ("look", "data", "z", "boundary")
    columns = [Column(title, right=True) for title in titles]
    more = [
        Column("-b".ljust(WIDTH // 2) + "0" + "+b".rjust(WIDTH // 2)),
        Column("p", right=True),
        Column("said"),
    ]
    return Table([*columns, *more], [_look(look) for look in found])


def _look(look: RecordedLook) -> list[Content]:
    return [
        str(look.slot),
        percent(look.information, 0),
        signed(look.z, "+.2f"),
        NOTHING if look.boundary is None else f"{look.boundary:.2f}",
        _between(look),
        p_value(look.p_value),
        Cell(look.verdict, _RECOMMENDED[look.verdict] if look.is_crossed else ""),
    ]


def _between(look: RecordedLook) -> str:
    if look.boundary is None or look.z is None or look.boundary == float("inf"):
        return ""
    # A margin around the boundaries, so that a z beyond them stands outside of the bar.
    reach = look.boundary * 7 / 5
    return bar(-look.boundary, look.z, look.boundary, reach=reach, pen=pen())


def _phases(analysis: Analysis) -> Table:
    titles = ("revision", "since (UTC)", "split", "units", "difference", "split p")
    columns = [
        Column(title, right=title not in titles[:3], wraps=title in titles[2:5]) for title in titles
    ]
    rows = [
        (
            str(phase.revision),
            when(phase.started_at)[:16],
            " / ".join(f"{weight:g}" for weight in phase.weights),
            " / ".join(map(count, phase.units)),
            " / ".join(difference(d, None, analysis.primary.unit) for d in phase.differences),
            p_value(phase.srm_p_value),
        )
        for phase in analysis.phases
    ]
    return Table(columns, rows)


def _notes(analysis: Analysis) -> Iterable[Line]:
    needed, days = analysis.units_still_needed, analysis.days_still_needed
    if needed:
        time = f", {days:,.1f} days at the present traffic" if days is not None else ""
        yield Line(f"still needed: about {count(needed)} {analysis.unit}s{time}")
    if analysis.primary.mde_at_n is not None:
        found = difference(analysis.primary.mde_at_n, None, analysis.primary.unit).lstrip("+")
        yield Line(f"by now a true difference of {found} would be found with the planned power")
    for sentence in analysis.assumptions:
        yield Line(sentence, "dim")


def verification(found: Verification) -> Iterable[Block]:
    """What checking the receipts found."""
    columns = [Column(""), Column("receipt"), Column("found", wraps=True)]
    rows = [
        (
            _CHECKED[check.agrees],
            check.kind if check.slot is None else f"{check.kind} {check.slot}",
            check.detail,
        )
        for check in found.checks
    ]
    yield Table(columns, rows)
    if found.agrees and any(check.agrees is None for check in found.checks):
        yield Line(f"{found.test_id}: nothing contradicts the verdicts that could be checked")
    elif found.agrees:
        yield Line(f"{found.test_id}: every stored verdict follows from its receipt", "green")
    else:
        yield Line(f"{found.test_id}: the stored verdicts do not all agree", "bold red")
