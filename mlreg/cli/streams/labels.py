"""Feedback from files: all rows are read and checked before any is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlreg.cli.kit.values import STDIN, Format, number, prediction_id
from mlreg.cli.streams.lines import Source, lines, source
from mlreg.cli.streams.tables import table
from mlreg.entities.predictions import LABEL, Feedback
from mlreg.errors import InvalidInput
from mlreg.jsonable import loads
from mlreg.names import safe
from mlreg.services.feedback import checked

_ID, _CORRECT = "prediction_id", "correct"
_OWN_IDS = ("request_id", "key")  # either names the id that the caller gave
_IDS = (_ID, *_OWN_IDS)
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def label_source(path: Path, wanted: Format | None) -> Source:
    """The file, which has fields.

    Raises:
        InvalidInput: It is text alone.
    """
    origin = source(path, wanted or ("csv" if str(path) == STDIN else None))
    if origin.format == "text":
        raise InvalidInput("feedback needs fields", hint="give a CSV, TSV, JSONL or Parquet file")
    return origin


def entries(origin: Source) -> Iterator[Feedback]:
    """What the rows of a file say, checked.

    Raises:
        InvalidInput: A row is wrong; the message names it.
    """
    for where, record in _records(origin):
        try:
            yield from map(checked, _said(record))
        except InvalidInput as error:
            raise InvalidInput(f"{where}: {error.message}", hint="nothing was recorded") from None


def _records(origin: Source) -> Iterator[tuple[str, dict[str, object]]]:
    if origin.format == "jsonl":
        yield from _objects(origin)
        return
    if origin.format == "parquet":
        from mlreg.cli.streams.parquet import records

        for number, record in enumerate(records(origin), 1):
            yield f"row {number}", {name: v for name, v in record.items() if v is not None}
        return
    header, rows = table(origin)
    if not set(_IDS) & set(header):
        raise InvalidInput(f"{origin.name} has no column {_ID}, {' or '.join(_OWN_IDS)}")
    for row in rows:
        if row.problem:
            raise InvalidInput(row.problem, hint="nothing was recorded")
        cells = zip(header, row.cells, strict=True)
        yield f"row {row.number}", {name: cell for name, cell in cells if cell.strip()}


def _objects(origin: Source) -> Iterator[tuple[str, dict[str, object]]]:
    for place, text, problem in lines(origin):
        if problem:
            raise InvalidInput(problem, hint="nothing was recorded")
        if not text.strip():
            continue
        try:
            value = loads(text)
        except InvalidInput as error:
            raise InvalidInput(f"line {place}: {error.message}") from None
        if not isinstance(value, dict):
            raise InvalidInput(f"line {place} is no JSON object")
        yield f"line {place}", {name: item for name, item in value.items() if item is not None}


def _said(record: dict[str, object]) -> Iterator[Feedback]:
    """The label or judgement of a row, and its named values."""
    which = _which(record)
    label, correct = record.get(LABEL), record.get(_CORRECT)
    if label is not None and not isinstance(label, str | int | float):
        raise InvalidInput("the label must be a plain value")
    values = {n: v for n, v in record.items() if n not in (*_IDS, LABEL, _CORRECT)}
    if label is not None or correct is not None or not values:
        judged = None if correct is None else _judgement(correct)
        yield replace(which, label=label, correct=judged)
    for name, value in values.items():
        yield replace(which, name=name, value=_value(name, value))


def _which(record: dict[str, object]) -> Feedback:
    """Which prediction a row is about, with nothing said of it yet."""
    named = [name for name in _IDS if name in record]
    if len(named) != 1:
        what = f"has {' and '.join(named)}" if named else f"has no {_ID}"
        raise InvalidInput(f"it {what}", hint=f"give one of {', '.join(_IDS)}")
    said = str(record[named[0]])
    if named[0] == _ID:
        return Feedback(prediction_id=prediction_id(said))
    return Feedback(request_id=said)


def _judgement(said: object) -> bool:
    word = _WORDS.get(str(said).strip().lower())
    if word is None:
        raise InvalidInput(f"correct must be true or false, not {safe(str(said))}")
    return word


def _value(name: str, said: object) -> float:
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        raise InvalidInput(f"the value {safe(name)} must be a number")
    return number(said.strip()) if isinstance(said, str) else said
