"""Answers, the log of them, and feedback."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import singledispatch

from mlreg.cli.blocks import Block, Cell, Column, Fields, Line, Table
from mlreg.cli.formats import NOTHING, count, milliseconds, percent, when
from mlreg.cli.records import PredictionLog
from mlreg.entities.predictions import FeedbackReceipt, LoggedPrediction, Prediction, Scalar

_INPUT = 60


@singledispatch
def blocks(record: object) -> Iterable[Block]:
    """The record as blocks."""
    raise TypeError(type(record).__name__)


@blocks.register
def _(answer: Prediction) -> Iterable[Block]:
    yield Line(value(answer.prediction), "bold green")
    rows = [
        ("confidence", percent(answer.confidence)),
        ("version", f"{answer.model}@{answer.model_version} ({answer.arm_reason})"),
        ("prediction", str(answer.prediction_id)),
        ("took", f"{milliseconds(answer.latency_ms)} ms"),
    ]
    yield Fields([row for row in rows if row[1] != NOTHING])


def value(answer: Scalar | None) -> str:
    """A model's answer as text."""
    return answer if isinstance(answer, str) else json.dumps(answer)


@blocks.register
def _(found: PredictionLog) -> Iterable[Block]:
    if not found["predictions"]:
        yield Line('no such predictions yet; run: mlreg predict "some input"')
        return
    yield Table(COLUMNS, [row(entry) for entry in found["predictions"]])


COLUMNS = (
    Column("id", right=True),
    Column("when (UTC)"),
    Column("version"),
    Column("answer"),
    Column("confidence", right=True),
    Column("ms", right=True),
    Column("truth"),
    Column("input", wraps=True),
)


def row(entry: LoggedPrediction) -> tuple[str | Cell, ...]:
    """One line of the log."""
    text = entry.input if isinstance(entry.input, str) else json.dumps(entry.input)
    return (
        str(entry.prediction_id),
        when(entry.time),
        f"{entry.model}@{entry.model_version}",
        Cell(entry.error, "red") if entry.error else value(entry.prediction),
        percent(entry.confidence),
        milliseconds(entry.latency_ms),
        _truth(entry),
        text if len(text) <= _INPUT else text[: _INPUT - 1] + "…",
    )


def _truth(entry: LoggedPrediction) -> str | Cell:
    if entry.label is None and entry.correct is None:
        return NOTHING
    mark = {True: "✓ ", False: "✗ ", None: ""}[entry.correct]
    said = "" if entry.label is None else value(entry.label)
    return Cell((mark + said).strip(), {True: "green", False: "red", None: ""}[entry.correct])


@blocks.register
def _(receipt: FeedbackReceipt) -> Iterable[Block]:
    repeated = f", {count(receipt.duplicates)} known already" if receipt.duplicates else ""
    yield Line(f"recorded {count(receipt.recorded)}{repeated}")
    if receipt.unknown:
        some = ", ".join(map(str, receipt.unknown[:10]))
        more = " …" if len(receipt.unknown) > 10 else ""
        number = count(len(receipt.unknown))
        yield Line(f"{number} ids that no prediction has: {some}{more}", "yellow")
