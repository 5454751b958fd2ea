"""Inputs for `predict --file`: each line or row becomes a request for what the model takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from mlreg.cli.streams.lines import Source, lines, table
from mlreg.entities.versions import FieldType, Signature
from mlreg.errors import InvalidInput
from mlreg.inputs import describe
from mlreg.jsonable import JsonValue, loads
from mlreg.names import safe
from mlreg.services.answers import Request

T = TypeVar("T")

_TEXT_COLUMNS = ("text", "input")
_WHOLE = re.compile(r"[+-]?[0-9]{1,300}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)


class Manner(NamedTuple):
    """What holds for all inputs of a stream.

    Attributes:
        user_field: The column or key that holds each input's user.
    """

    signature: Signature
    user: str | None
    segment: Mapping[str, str] | None
    user_field: str | None


def requests(origin: Source, manner: Manner) -> Iterator[Request]:
    """The inputs of a file, in order.

    Raises:
        InvalidInput: The file as a whole cannot be read. A bad line is a request with a problem.
    """
    if origin.format == "text":
        return _from_text(origin, manner)
    if origin.format == "jsonl":
        return _from_json(origin, manner)
    return _from_table(origin, manner)


def _from_text(origin: Source, manner: Manner) -> Iterator[Request]:
    if manner.user_field:
        raise InvalidInput("--user-field needs a file with fields: JSONL, CSV or TSV")
    for _, text, problem in lines(origin):
        yield Request(text, manner.user, manner.segment, problem)


def _from_json(origin: Source, manner: Manner) -> Iterator[Request]:
    for number, text, problem in lines(origin):
        if not text.strip() and problem is None:
            continue
        if problem is None:
            try:
                yield _from_value(loads(text), manner)
                continue
            except InvalidInput as error:
                problem = f"line {number}: {error.message}"
        yield Request(None, problem=problem)


def _from_value(value: JsonValue, manner: Manner) -> Request:
    if not isinstance(value, dict):
        if manner.user_field:
            raise InvalidInput(f"there is no field {safe(manner.user_field)}")
        return Request(value, manner.user, manner.segment)
    record, user = _divided(dict(value), manner)
    if manner.signature.input == "text":
        return Request(record[_text_column(list(record))], user, manner.segment)
    return Request(record, user, manner.segment)


def _from_table(origin: Source, manner: Manner) -> Iterator[Request]:
    header, rows = table(origin)
    _check_columns(header, manner, origin)
    for row in rows:
        if row.problem:
            yield Request(None, problem=row.problem)
            continue
        try:
            record, user = _divided(dict(zip(header, row.cells, strict=True)), manner)
            yield Request(_typed(record, manner.signature), user, manner.segment)
        except InvalidInput as error:
            yield Request(None, problem=f"row {row.number}: {error.message}")


def _check_columns(header: list[str], manner: Manner, origin: Source) -> None:
    """Refuse a table that no row of it can be right in."""
    signature = manner.signature
    if manner.user_field and manner.user_field not in header:
        raise InvalidInput(f"{origin.name} has no column {safe(manner.user_field)}")
    columns = [name for name in header if name != manner.user_field]
    if signature.input == "text":
        _text_column(columns)
    if not signature.fields:
        return
    missing = [name for name in signature.fields if name not in header]
    unknown = [name for name in columns if name not in signature.fields]
    if missing or unknown:
        what, names = ("lacks the column", missing) if missing else ("has the column", unknown)
        suffix = "" if missing else ", which the model does not take"
        shown = ", ".join(safe(name, longest=40) for name in names[:5])
        raise InvalidInput(
            f"{origin.name} {what} {shown}{suffix}", hint=f"the model takes {describe(signature)}"
        )


def _text_column(names: list[str]) -> str:
    found = names[0] if len(names) == 1 else next((n for n in _TEXT_COLUMNS if n in names), None)
    if found is None:
        raise InvalidInput(
            "the model takes a text, and it is unclear which field has it",
            hint="call it text or input, or leave it alone",
        )
    return found


def _divided(record: dict[str, T], manner: Manner) -> tuple[dict[str, T], str | None]:
    """A record without the field that has its user, and that user."""
    name = manner.user_field
    if name is None:
        return record, manner.user
    user = record.get(name)
    if isinstance(user, bool) or not isinstance(user, str | int) or user == "":
        raise InvalidInput(f"the field {safe(name)} must name the user: a text or a whole number")
    if name not in manner.signature.fields:  # what the model takes as well stays where it is
        del record[name]
    return record, str(user)


def _typed(record: dict[str, str], signature: Signature) -> object:
    """A row with its numbers read, as the signature asks."""
    if signature.input == "text":
        return record[_text_column(list(record))]
    if signature.input == "vector":
        return [_number(name, cell) for name, cell in record.items()]
    types = dict(zip(signature.fields, signature.types, strict=False))
    return {name: _cell(types.get(name, "any"), name, cell) for name, cell in record.items()}


def _cell(kind: FieldType, name: str, cell: str) -> str | int | float | None:
    if kind == "text":
        return cell
    try:
        return _number(name, cell)
    except InvalidInput:
        if kind == "number":
            raise
        return cell


def _number(name: str, cell: str) -> int | float | None:
    text = cell.strip()
    if not text:
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    raise InvalidInput(f"the field {safe(name)} must be a number, not {safe(cell)}")
