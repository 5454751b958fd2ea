"""Records for programs: a line of JSON, or the values of one field."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlreg.cli.stdout import ENDLESS
from mlreg.errors import InvalidInput
from mlreg.jsonable import JsonValue, dumps, jsonable
from mlreg.names import safe

# Valid inside JSON, yet a terminal would act on them: C1 controls, bidirectional marks, separators.
_ACTING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def json_line(record: object) -> str:
    """A record as one line of JSON that no terminal acts upon."""
    text = dumps(record)
    if not text.isascii():
        text = _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return f"{text}\n"


def field_lines(record: object, path: str) -> str:
    """The values at a dotted path, through lists, one line each.

    Raises:
        InvalidInput: There is no such field; the hint lists those that there are.
    """
    values = [jsonable(record)]
    done: list[str] = []
    for name in path.split("."):
        values = [_step(value, name, done) for value in _flat(values)]
        done.append(name)
    return "".join(f"{_raw(value)}\n" for value in _flat(values))


def _flat(values: list[JsonValue]) -> list[JsonValue]:
    """The values, with the items of a list in its place; a list knows no field names."""
    return [
        item for value in values for item in (_flat(value) if isinstance(value, list) else [value])
    ]


def _step(value: JsonValue, name: str, done: list[str]) -> JsonValue:
    if value is None:  # what is not there has all its fields, and they are not there either
        return None
    if isinstance(value, dict) and name in value:
        return value[name]
    raise unknown_field(name, done, value if isinstance(value, dict) else ())


def unknown_field(name: str, done: list[str], known: Iterable[str]) -> InvalidInput:
    """The error for a field that is not there, below those that were."""
    where = f" in {safe('.'.join(done))}" if done else ""
    listed = ", ".join(known)
    hint = f"the fields are: {listed}" if listed else ""
    return InvalidInput(f"there is no field {safe(name)}{where}", hint=hint)


def _raw(value: JsonValue) -> str:
    """A value as a shell wants it: text without quotes, on one line, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return safe(value, longest=ENDLESS)
    return json_line(value).rstrip("\n")
