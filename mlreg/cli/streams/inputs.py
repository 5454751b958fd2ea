"""Inputs for `predict --file`: each line or row becomes a request for what the model takes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mlreg.cli.streams.lines import Source, lines
from mlreg.cli.streams.tables import table
from mlreg.entities.versions import FieldType, Signature
from mlreg.errors import InvalidInput, MlregWarning
from mlreg.inputs import describe
from mlreg.jsonable import JsonValue, loads
from mlreg.names import safe
from mlreg.services.answers import Request

_TEXT_COLUMNS = ("text", "input")
_OWN_IDS = ("request_id", "key")
_WORD = re.compile(r"[^\W\d][\w.-]{0,63}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,300}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)


class Manner(NamedTuple):
    """What holds for all inputs of a stream.

    Attributes:
        user_field: The column or key that holds each input's user; else `user`, where there is one
            that the model does not take.
        segment_fields: Those that hold a segment each; else `segment`.
        text_field: The one that holds the text, for a text model.
        has_header: Whether a table begins with the names of its columns; None: see for yourself.
    """

    signature: Signature
    user: str | None = None
    segment: Mapping[str, str] | None = None
    user_field: str | None = None
    segment_fields: tuple[str, ...] = ()
    text_field: str | None = None
    has_header: bool | None = None

    @property
    def named_fields(self) -> tuple[str, ...]:
        """The columns or keys that must be there."""
        named = (self.user_field, *self.segment_fields, self.text_field)
        return tuple(filter(None, named))


class Columns(NamedTuple):
    """Which column or key of a file holds what, beside what the model takes.

    Attributes:
        beside: All that the model does not get.
        unused: Those of them that nothing is made of.
    """

    user: str | None
    segments: tuple[str, ...]
    request_id: str | None
    text: str | None
    beside: frozenset[str]
    unused: tuple[str, ...]


def requests(origin: Source, manner: Manner) -> Iterator[Request]:
    """The inputs of a file, in order.

    Raises:
        InvalidInput: The file as a whole cannot be read. A bad line is a request with a problem.
    """
    return (request for request, _ in inputs(origin, manner))


def inputs(origin: Source, manner: Manner) -> Iterator[tuple[Request, dict[str, Any]]]:
    """The inputs of a file, each with its own columns or keys as they stand there.

    Raises:
        InvalidInput: The file as a whole cannot be read. A bad line is a request with a problem.
    """
    if origin.format == "text":
        return _from_text(origin, manner)
    if origin.format == "jsonl":
        return _from_json(origin, manner)
    if origin.format == "parquet":
        return _from_parquet(origin, manner)
    return _from_table(origin, manner)


def _from_text(origin: Source, manner: Manner) -> Iterator[tuple[Request, dict[str, Any]]]:
    if manner.named_fields:
        raise InvalidInput("columns are named of a file with fields: JSONL, CSV or TSV")
    for _, text, problem in lines(origin):
        yield Request(text, manner.user, manner.segment, problem), {"input": text}


def _from_json(origin: Source, manner: Manner) -> Iterator[tuple[Request, dict[str, Any]]]:
    place = _Places(origin, manner)
    for number, text, problem in lines(origin):
        if not text.strip() and problem is None:
            continue
        if problem is None:
            try:
                value = loads(text)
                if isinstance(value, dict):
                    yield _request(dict(value), place.columns(value), manner), value
                else:
                    yield _bare(value, manner), {"input": value}
                continue
            except InvalidInput as error:
                problem = f"line {number}: {error.message}"
        yield Request(None, problem=problem), {"input": text}


def _from_parquet(origin: Source, manner: Manner) -> Iterator[tuple[Request, dict[str, Any]]]:
    from mlreg.cli.streams.parquet import records

    place, is_vector = _Places(origin, manner), manner.signature.input == "vector"
    for number, record in enumerate(records(origin), 1):
        columns = place.columns(record)
        if number == 1:
            _check_columns(list(record), columns, manner, origin)
        try:
            request = _request(dict(record), columns, manner)
            if is_vector and isinstance(request.value, dict):
                request = request._replace(value=list(request.value.values()))
            yield request, record
        except InvalidInput as error:
            yield Request(None, problem=f"row {number}: {error.message}"), record


class _Places:
    """Which key of a record holds what; worked out anew where the keys change."""

    def __init__(self, origin: Source, manner: Manner) -> None:
        self._origin, self._manner = origin, manner
        self._names: list[str] = []
        self._columns = Columns(None, (), None, None, frozenset(), ())
        self._told: set[str] = set()

    def columns(self, record: Mapping[str, object]) -> Columns:
        """Those of a record; what nothing is made of is told once."""
        names = list(record)
        if names != self._names:
            self._columns, self._names = columns_of(names, self._manner), names
            unused = self._columns.unused
            _tell_unused(self._origin, [name for name in unused if name not in self._told])
            self._told.update(unused)
        return self._columns


def _bare(value: JsonValue, manner: Manner) -> Request:
    for name in manner.named_fields:
        raise InvalidInput(f"there is no field {safe(name)}")
    return Request(value, manner.user, manner.segment)


def _from_table(origin: Source, manner: Manner) -> Iterator[tuple[Request, dict[str, Any]]]:
    header, rows = table(origin, lambda first: names_of_data(first, manner, origin))
    columns = columns_of(header, manner)
    _check_columns(header, columns, manner, origin)
    _tell_unused(origin, columns.unused)
    for row in rows:
        record = dict(zip(header, row.cells, strict=False))
        if row.problem:
            yield Request(None, problem=row.problem), record
            continue
        try:
            request = _request(dict(record), columns, manner)
            yield request._replace(value=_typed(request.value, manner.signature)), record
        except InvalidInput as error:
            yield Request(None, problem=f"row {row.number}: {error.message}"), record


def names_of_data(first: list[str], manner: Manner, origin: Source) -> list[str] | None:
    """What the columns of a table are called whose first row is data; None if it is a header."""
    if manner.has_header or (manner.has_header is None and _is_header(first, manner)):
        if manner.has_header is None and _is_doubtful(first, manner):
            warnings.warn(
                f"{origin.name}: the first line, {safe(first[0], longest=40)}, is taken for the"
                " name of the column; --no-header reads it as an input",
                MlregWarning,
                stacklevel=2,
            )
        return None
    signature = manner.signature
    names = [f"column {place}" for place in range(1, len(first) + 1)]
    if signature.input == "text" and len(names) == 1:
        names = ["text"]
    elif signature.fields and len(signature.fields) == len(names):
        names = list(signature.fields)
    if manner.has_header is None:
        said = "is read without a header: its first line is an input like the others"
        warnings.warn(f"{origin.name} {said}", MlregWarning, stacklevel=2)
    return names


def _is_header(first: list[str], manner: Manner) -> bool:
    """Whether a first row names columns: else it fits what the model takes, as the others do."""
    signature, known = manner.signature, {*manner.named_fields, *_TEXT_COLUMNS, "user"}
    if known & set(first):
        return True
    if signature.input == "text":
        return len(first) > 1 or _WORD.fullmatch(first[0].strip()) is not None
    if signature.input == "record" and signature.fields:
        types = signature.types or ("any",) * len(signature.fields)
        return (
            bool(set(signature.fields) & set(first))
            or len(first) != len(types)
            or "number" not in types
            or not all(
                _is_number(c) for c, kind in zip(first, types, strict=True) if kind == "number"
            )
        )
    # A frame without names has the numbers of its columns as a header.
    counted = [str(place) for place in range(len(first) + 1)]
    return not all(map(_is_number, first)) or first in (counted[:-1], counted[1:])


def _is_doubtful(first: list[str], manner: Manner) -> bool:
    is_text = manner.signature.input == "text" and len(first) == 1
    return is_text and not {*manner.named_fields, *_TEXT_COLUMNS} & set(first)


def columns_of(names: list[str], manner: Manner) -> Columns:
    """Which of the names holds what.

    Raises:
        InvalidInput: One that was named is missing, or it is unclear which one has the text.
    """
    missing = next((name for name in manner.named_fields if name not in names), None)
    if missing is not None:
        raise InvalidInput(f"there is no column or key {safe(missing)}")
    taken = manner.signature.fields
    free = [name for name in names if name not in taken]
    user = manner.user_field or ("user" if "user" in free else None)
    segments = manner.segment_fields or (("segment",) if "segment" in free else ())
    request_id = next((name for name in _OWN_IDS if name in free), None)
    used = {user, *segments, request_id} - {None}
    rest = [name for name in free if name not in used]
    is_text = manner.signature.input == "text"
    text = (manner.text_field or _text_column(rest or names)) if is_text else None
    # A field that the model takes as well stays where it is.
    beside = {name for name in used if name not in taken} | ({*rest} - {text} if is_text else set())
    unused = tuple(name for name in rest if name != text) if is_text else ()
    return Columns(user, segments, request_id, text, frozenset(filter(None, beside)), unused)


def _check_columns(header: list[str], columns: Columns, manner: Manner, origin: Source) -> None:
    """Refuse a table that no row of it can be right in."""
    signature = manner.signature
    if not signature.fields:
        return
    missing = [name for name in signature.fields if name not in header]
    unknown = [n for n in header if n not in signature.fields and n not in columns.beside]
    if missing or unknown:
        what, names = ("lacks the column", missing) if missing else ("has the column", unknown)
        suffix = "" if missing else ", which the model does not take"
        shown = ", ".join(safe(name, longest=40) for name in names[:5])
        raise InvalidInput(
            f"{origin.name} {what} {shown}{suffix}", hint=f"the model takes {describe(signature)}"
        )


def _tell_unused(origin: Source, names: Sequence[str]) -> None:
    if names:
        shown = ", ".join(safe(name, longest=40) for name in names[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        warnings.warn(
            f"{origin.name}: nothing is made of {shown}{more}", MlregWarning, stacklevel=2
        )


def _text_column(names: list[str]) -> str:
    found = names[0] if len(names) == 1 else next((n for n in _TEXT_COLUMNS if n in names), None)
    if found is None:
        raise InvalidInput(
            "the model takes a text, and it is unclear which field has it",
            hint="name it: --text-field NAME",
        )
    return found


def _request(record: dict[str, Any], columns: Columns, manner: Manner) -> Request:
    """What a record asks, by whom and under which id."""
    user, segment = manner.user, dict(manner.segment or {})
    if columns.user is not None:
        user = _user(columns.user, record.get(columns.user))
    for name in columns.segments:
        segment |= _segment(name, record.get(name))
    own = record.get(columns.request_id) if columns.request_id else None
    request_id = None if own in (None, "") else str(own)
    value: object = {name: item for name, item in record.items() if name not in columns.beside}
    if columns.text is not None:
        value = record[columns.text]
    return Request(value, user, segment or None, request_id=request_id)


def _user(name: str, said: object) -> str:
    if isinstance(said, bool) or not isinstance(said, str | int) or said == "":
        raise InvalidInput(f"the field {safe(name)} must name the user: a text or a whole number")
    return str(said)


def _segment(name: str, said: object) -> dict[str, str]:
    """A segment by the name of its column, or all of them under the key `segment`."""
    if isinstance(said, dict):
        return {str(key): str(value) for key, value in said.items() if value is not None}
    if said in (None, ""):
        return {}
    key, equals, value = str(said).partition("=")
    return {key: value} if equals and name == "segment" else {name: str(said)}


def _typed(record: Any, signature: Signature) -> object:
    """A row with its numbers read, as the signature asks."""
    if signature.input == "text":
        return record
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


def _is_number(cell: str) -> bool:
    return _DECIMAL.fullmatch(cell.strip()) is not None


def _number(name: str, cell: str) -> int | float | None:
    text = cell.strip()
    if not text:
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    raise InvalidInput(f"the field {safe(name)} must be a number, not {safe(cell)}")
