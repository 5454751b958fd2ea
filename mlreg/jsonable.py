"""Records to plain JSON values and text: the one place that decides how a field looks outside."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache

from mlreg.clock import isoformat
from mlreg.errors import InvalidInput

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]

MAX_DEPTH = 64

# An encoder made once: `json.dumps` with options of its own makes one for each call.
encode_plain = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_encode_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode
_PLAIN = frozenset({str, int, bool, type(None)})


def jsonable(value: object) -> JsonValue:
    """A record, or anything made of records, as plain JSON values.

    NaN and infinities become null; times become ISO 8601 in UTC.
    """
    if type(value) in _PLAIN or isinstance(value, str | int):
        return value  # type: ignore[return-value]  # the checker does not know the set
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return isoformat(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if is_dataclass(value):
        return {name: jsonable(getattr(value, name)) for name in _names(value.__class__)}
    if hasattr(value, "_asdict"):  # a named tuple is a record too
        return {name: jsonable(item) for name, item in value._asdict().items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


@cache
def _names(record: type) -> tuple[str, ...]:
    named: tuple[str, ...] | None = getattr(record, "__json__", None)
    return named or tuple(field.name for field in fields(record))


def dumps(value: object, *, indent: int | None = None) -> str:
    """One JSON document; escapes nothing but what JSON must, and never writes NaN."""
    plain = jsonable(value)
    if indent is None:
        text = encode_plain(plain)
    else:
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=indent)
    # A lone surrogate cannot be written as UTF-8; its escape can.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def canonical(value: object) -> str:
    """The one spelling of a value that is hashed: sorted keys, no white space, ASCII only."""
    return _encode_canonical(jsonable(value))


def loads(text: str) -> JsonValue:
    """Read strict JSON (RFC 8259): no NaN, no infinite numbers, no duplicate keys, limited depth.

    Raises:
        InvalidInput: The text is something else; the message says what and where.
    """
    try:
        value: JsonValue = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unique_keys,
        )
        _check_depth(value, MAX_DEPTH)
    except RecursionError:
        raise InvalidInput(f"JSON is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except ValueError as error:
        raise InvalidInput(f"not JSON: {error}") from None
    return value


def _refuse_constant(name: str) -> float:
    raise InvalidInput(f"not JSON: {name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidInput("a number is too large for a double")
    return number


def _unique_keys(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidInput(f"the key {twice!r} stands twice in a JSON object")
    return found


def _check_depth(value: JsonValue, left: int) -> None:
    if not isinstance(value, list | dict):
        return
    if left == 0:
        raise InvalidInput(f"JSON is nested deeper than {MAX_DEPTH} levels")
    for item in value.values() if isinstance(value, dict) else value:
        _check_depth(item, left - 1)
