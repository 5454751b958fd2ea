"""Answers, the log of them, and feedback."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from mlreg.cli.views.blocks import Block, Cell, Column, Content, Fields, Line, Table, text_of
from mlreg.cli.views.formats import NOTHING, count, measure, milliseconds, percent, when
from mlreg.entities.documents import PredictionLog
from mlreg.entities.predictions import FeedbackReceipt, LoggedPrediction, Prediction, Scalar

_INPUT = 60


def prediction(answer: Prediction) -> Iterable[Block]:
    """An answer."""
    yield Line(value(answer.prediction), "bold green")
    rows = [
        ("confidence", percent(answer.confidence)),
        ("version", f"{answer.model}@{answer.model_version} ({answer.arm_reason})"),
        ("prediction", str(answer.prediction_id)),
        ("took", measure(answer.latency_ms, "ms")),
    ]
    yield Fields([row for row in rows if row[1] != NOTHING])


def value(answer: Scalar | None) -> str:
    """A model's answer as text."""
    return answer if isinstance(answer, str) else json.dumps(answer)


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
        (Column("version"), [_ref(e) if len(names) > 1 else e.model_version for e in entries]),
        (Column("answer", wraps=True), [_answer(e) for e in entries]),
        (Column("conf.", right=True), [percent(e.confidence) for e in entries]),
        (Column("ms", right=True), [milliseconds(e.latency_ms) for e in entries]),
        (Column("truth"), [_truth(e) for e in entries]),
        (Column("input", cut=True), [_input(e) for e in entries]),
    ]
    told = [(column, cells) for column, cells in columns if set(cells) != {NOTHING}]
    return Table(
        [column for column, _ in told], list(zip(*(cells for _, cells in told), strict=True))
    )


def line(entry: LoggedPrediction) -> str:
    """One line of the log, as it is followed."""
    cells = (
        str(entry.prediction_id),
        when(entry.time),
        _ref(entry),
        _answer(entry),
        percent(entry.confidence),
        measure(entry.latency_ms, "ms"),
        _input(entry),
    )
    return "  ".join(map(text_of, cells)) + "\n"


def _ref(entry: LoggedPrediction) -> str:
    return f"{entry.model}@{entry.model_version}"


def _answer(entry: LoggedPrediction) -> Content:
    return Cell(entry.error, "red") if entry.error else value(entry.prediction)


def _input(entry: LoggedPrediction) -> str:
    if entry.input is None:
        return NOTHING
    text = entry.input
    shown = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return shown if len(shown) <= _INPUT else shown[: _INPUT - 1] + "…"


def _truth(entry: LoggedPrediction) -> Content:
    if entry.label is None and entry.correct is None:
        return NOTHING
    mark = {True: "✓ ", False: "✗ ", None: ""}[entry.correct]
    said = "" if entry.label is None else value(entry.label)
    return Cell((mark + said).strip(), {True: "green", False: "red", None: ""}[entry.correct])


def feedback_receipt(receipt: FeedbackReceipt) -> Iterable[Block]:
    """What was recorded."""
    repeated = f", {count(receipt.duplicates)} known already" if receipt.duplicates else ""
    yield Line(f"recorded {count(receipt.recorded)}{repeated}")
    if receipt.unknown:
        some = ", ".join(map(str, receipt.unknown[:10]))
        more = " …" if len(receipt.unknown) > 10 else ""
        number = count(len(receipt.unknown))
        yield Line(f"{number} ids that no prediction has: {some}{more}", "yellow")
