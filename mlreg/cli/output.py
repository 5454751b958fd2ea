"""Results to stdout: JSON, one field, or blocks for people. Notes go to stderr."""

from __future__ import annotations

import errno
import re
import sys
from contextlib import suppress

from mlreg.cli.exit_codes import OutputFailed
from mlreg.errors import InvalidInput
from mlreg.jsonable import JsonValue, dumps, jsonable
from mlreg.names import safe

# Valid inside JSON, yet a terminal would act on them: C1 controls, bidirectional marks, separators.
_ACTING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_NO_LIMIT = sys.maxsize


def emit(record: object, *, as_json: bool, field: str | None) -> None:
    """Print one record in the form that is wanted."""
    if field is not None:
        write("".join(f"{line}\n" for line in field_lines(jsonable(record), field)))
    elif as_json:
        write(json_line(record))
    else:
        from mlreg.cli.views import show

        show(record)


def json_line(record: object) -> str:
    """A record as one line of JSON that no terminal acts upon."""
    text = dumps(record)
    if not text.isascii():
        text = _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return f"{text}\n"


def field_lines(document: JsonValue, path: str) -> list[str]:
    """The values at a dotted path, through lists, one line each.

    Raises:
        InvalidInput: There is no such field; the hint lists those that there are.
    """
    values = [document]
    done: list[str] = []
    for name in path.split("."):
        values = [_step(value, name, done) for value in _flat(values)]
        done.append(name)
    return [_raw(value) for value in _flat(values)]


def _flat(values: list[JsonValue]) -> list[JsonValue]:
    """The values, with the items of a list in its place; a list knows no field names."""
    return [
        item for value in values for item in (_flat(value) if isinstance(value, list) else [value])
    ]


def _step(value: JsonValue, name: str, done: list[str]) -> JsonValue:
    if isinstance(value, dict) and name in value:
        return value[name]
    where = f" in {safe('.'.join(done))}" if done else ""
    known = f"the fields are: {', '.join(value)}" if isinstance(value, dict) else ""
    raise InvalidInput(f"there is no field {safe(name)}{where}", hint=known)


def _raw(value: JsonValue) -> str:
    """A value as a shell wants it: text without quotes, on one line, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return safe(value, longest=_NO_LIMIT)
    return json_line(value).rstrip("\n")


def write(text: str) -> None:
    """Write results to stdout at once, in UTF-8 whatever the locale says.

    Raises:
        OutputFailed: They could not be written.
        BrokenPipeError: Nobody reads them any more.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    except OSError as error:
        _give_up(error)


def write_text(text: str) -> None:
    """Write text for people to stdout, with escapes for what the terminal cannot show.

    Raises:
        OutputFailed: It could not be written.
        BrokenPipeError: Nobody reads it any more.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _give_up(error)


def _give_up(error: OSError) -> None:
    if error.errno == errno.EPIPE:
        raise BrokenPipeError from None
    raise OutputFailed(f"the results could not be written: {error.strerror}") from None


def note(text: str) -> None:
    """Say something beside the result."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{safe(text, longest=_NO_LIMIT)}\n")
        sys.stderr.flush()
