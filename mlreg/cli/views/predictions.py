"""Answers, the log of them, and feedback."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from mlreg.cli.kit.values import shown
from mlreg.cli.views.blocks import Block, Cell, Column, Content, Fields, Line, Table, text_of
from mlreg.cli.views.formats import NOTHING, count, measure, milliseconds, percent, picked, when
from mlreg.entities.documents import PredictionLog
from mlreg.entities.predictions import (
    AnswerReceipt,
    FeedbackEntry,
    FeedbackReceipt,
    LoggedPrediction,
    Prediction,
    PredictionTrail,
)
from mlreg.names import counted

_INPUT = 60


def prediction(answer: Prediction) -> Iterable[Block]:
    """An answer."""
    yield Line(shown(answer.prediction), "bold green")
    rows = [
        ("confidence", percent(answer.confidence)),
        ("version", f"{answer.model}@{answer.model_version} ({picked(answer.arm_reason)})"),
        ("prediction", str(answer.prediction_id)),
        ("took", measure(answer.latency_ms, "ms")),
    ]
    yield Fields([row for row in rows if row[1] != NOTHING])
    yield from _warned(answer.warning)


def _warned(warning: str | None) -> Iterable[Block]:
    if warning is not None:
        yield Line(warning, "bold yellow")


def prediction_log(found: PredictionLog) -> Iterable[Block]:
    """Rows of the log."""
    if not found["predictions"]:
        yield Line('no such predictions yet; run: mlreg predict "some input"')
        return
    yield log_table(found["predictions"])


def log_table(entries: Sequence[LoggedPrediction]) -> Table:
    """The log; the model and the truth only where they tell rows apart."""
    names = {entry.model for entry in entries}
    columns: list[tuple[Column, Sequence[Content]]] = [
        (Column("id", right=True), [str(e.prediction_id) for e in entries]),
        (Column("when (UTC)"), [when(e.time) for e in entries]),
        (Column("version"), [_version(e, is_alone=len(names) == 1) for e in entries]),
        (Column("answer", cut=True), [_answer(e) for e in entries]),
        (Column("conf.", right=True), [percent(e.confidence) for e in entries]),
        (Column("ms", right=True), [milliseconds(e.latency_ms) for e in entries]),
        (Column("truth"), [_truth(e) for e in entries]),
        (Column("input", cut=True), [shown_input(e.input) for e in entries]),
    ]
    told = [(column, cells) for column, cells in columns if set(cells) != {NOTHING}]
    return Table(
        [column for column, _ in told], list(zip(*(cells for _, cells in told), strict=True))
    )


def prediction_trail(found: PredictionTrail) -> Iterable[Block]:
    """A prediction with all that is known of it."""
    entry = found.prediction
    yield Line(f"prediction {entry.prediction_id}", "bold")
    rows: list[tuple[str, Content]] = [
        ("answer", _answer(entry)),
        ("confidence", percent(entry.confidence)),
        ("version", f"{_ref(entry)}, {entry.role}, {picked(entry.arm_reason)}"),
        ("revision", str(entry.revision)),
        ("when (UTC)", when(entry.time)),
        ("took", measure(entry.latency_ms, "ms")),
        ("cost", measure(entry.cost, "")),
        ("user", entry.unit or NOTHING),
        ("segment", ", ".join(f"{k}={v}" for k, v in entry.segment.items()) or NOTHING),
        ("request id", found.request_id or NOTHING),
        ("input", _whole(entry.input)),
        ("same input", ", ".join(map(str, found.same_input)) or NOTHING),
        ("truth", _truth(entry)),
    ]
    yield Fields([row for row in rows if row[1] != NOTHING])
    if found.feedback:
        yield Line("")
        yield Table(
            [Column("said (UTC)"), Column("what"), Column("value", wraps=True), Column("by")],
            [(when(e.time), e.name, _said(e), e.actor) for e in found.feedback],
        )


def _whole(entered: object) -> str:
    if entered is None:
        return NOTHING
    return entered if isinstance(entered, str) else json.dumps(entered, ensure_ascii=False)


def _said(entry: FeedbackEntry) -> Content:
    if entry.value is not None:
        return f"{entry.value:g}"
    mark = {True: "✓ ", False: "✗ ", None: ""}[entry.correct]
    return (mark + ("" if entry.label is None else shown(entry.label))).strip()


def line(entry: LoggedPrediction) -> str:
    """One line of the log, as it is followed."""
    cells = (
        str(entry.prediction_id),
        when(entry.time),
        _ref(entry),
        _answer(entry),
        percent(entry.confidence),
        measure(entry.latency_ms, "ms"),
        shown_input(entry.input),
    )
    return "  ".join(map(text_of, cells)) + "\n"


def _version(entry: LoggedPrediction, *, is_alone: bool) -> str:
    name = entry.model_version if is_alone else _ref(entry)
    return f"{name} shadow" if entry.role == "shadow" else name


def _ref(entry: LoggedPrediction) -> str:
    return f"{entry.model}@{entry.model_version}"


def _answer(entry: LoggedPrediction) -> Content:
    return Cell(entry.error, "red") if entry.error else shown(entry.prediction)


def shown_input(found: object) -> str:
    """An input as far as a line has room."""
    if found is None:
        return NOTHING
    shown = _whole(found)
    return shown if len(shown) <= _INPUT else shown[: _INPUT - 1] + "…"


def _truth(entry: LoggedPrediction) -> Content:
    if entry.label is None and entry.correct is None:
        return NOTHING
    mark = {True: "✓ ", False: "✗ ", None: ""}[entry.correct]
    said = "" if entry.label is None else shown(entry.label)
    return Cell((mark + said).strip(), {True: "green", False: "red", None: ""}[entry.correct])


def answer_receipt(receipt: AnswerReceipt) -> Iterable[Block]:
    """What was recorded."""
    known = receipt.duplicates
    if receipt.prediction_id is None:
        repeated = f", {count(known)} known already" if known else ""
        yield Line(f"recorded {count(receipt.recorded)} for {receipt.model}{repeated}")
    else:
        said = "had been recorded as" if known else "recorded as"
        ref = f"{receipt.model}@{receipt.version}"
        yield Line(f"{said} prediction {receipt.prediction_id} of {ref}")
    yield from _warned(receipt.warning)


def feedback_receipt(receipt: FeedbackReceipt) -> Iterable[Block]:
    """What was recorded."""
    repeated = f", {count(receipt.duplicates)} known already" if receipt.duplicates else ""
    verb = "would be recorded" if receipt.dry_run else "recorded"
    said = count(receipt.recorded)
    yield Line(f"{said} {verb}{repeated}" if receipt.dry_run else f"{verb} {said}{repeated}")
    if receipt.unusual_labels:
        named = ", ".join(f"{label} ({count(n)})" for label, n in receipt.unusual_labels.items())
        total = sum(receipt.unusual_labels.values())
        what = "label is none" if total == 1 else "labels are none"
        yield Line(f"{count(total)} {what} of the version's classes: {named}", "yellow")
        yield Line("they count as wrong answers; --strict-labels refuses them", "yellow")
    if receipt.unknown:
        some = ", ".join(map(str, receipt.unknown[:10]))
        more = " …" if len(receipt.unknown) > 10 else ""
        number = counted(len(receipt.unknown), "id")
        yield Line(f"{number} that no prediction has: {some}{more}", "yellow")
