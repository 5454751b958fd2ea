"""Records to plain JSON values and text: the one place that decides how a field looks outside."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mlreg.clock import isoformat
from mlreg.errors import InvalidInput

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]

T = TypeVar("T")

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
        return {name: jsonable(getattr(value, name)) for name in names_of(value.__class__)}
    if hasattr(value, "_asdict"):  # a named tuple is a record too
        return {name: jsonable(item) for name, item in value._asdict().items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


@cache
def names_of(record: type) -> tuple[str, ...]:
    """The names that the fields of a record, or of a named tuple, have in JSON."""
    named: tuple[str, ...] | None = getattr(record, "__json__", None) or getattr(
        record, "_fields", None
    )
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


def restore(kind: type[T], value: object) -> T:
    """The record that was written as these JSON values, each checked against its annotation.

    A field with a default may be left out, as by those who wrote before there was one.

    Raises:
        ValueError: A field is missing, unknown or of another type; the message says where.
    """
    found: T = _restored(kind, value, kind.__name__)
    return found


def _restored(kind: Any, value: Any, place: str) -> Any:
    if kind is Any:
        return _frozen(value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _first_of(inner, value, place)
    if origin is tuple and type(value) is list:
        kinds = inner[:1] * len(value) if inner[-1] is ... else inner
        if len(kinds) == len(value):
            return tuple(_restored(k, v, f"{place}[]") for k, v in zip(kinds, value, strict=True))
    elif origin is dict and type(value) is dict:
        return {key: _restored(inner[1], item, f"{place}.{key}") for key, item in value.items()}
    elif (origin is Literal and value in inner) or _is_plain(kind, value):
        return value
    elif isinstance(kind, type) and type(value) is dict and _parts(kind):
        return _record(kind, value, place)
    raise ValueError(f"{place} is {type(value).__name__}, not {kind}")


def _first_of(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    """The value as the one of these kinds that it can be; the error of the last that it is not."""
    if any(_is_plain(kind, value) for kind in kinds):
        return value
    for kind in kinds[:-1]:
        with suppress(ValueError):
            return _restored(kind, value, place)
    return _restored(kinds[-1], value, place)


def _record(kind: type, value: dict[str, Any], place: str) -> Any:
    parts = _parts(kind)
    odd = [name for name in value if name not in parts]
    odd += [name for name, (_, is_needed) in parts.items() if is_needed and name not in value]
    if odd:
        raise ValueError(f"{place} lacks the field {odd[0]}, or does not know it")
    return kind(**{k: _restored(parts[k][0], v, f"{place}.{k}") for k, v in value.items()})


@cache
def _parts(kind: type) -> dict[str, tuple[Any, bool]]:
    """The fields of a record: the type of each, and whether it has no default."""
    if is_dataclass(kind):
        needed = {f.name: f.default is f.default_factory is MISSING for f in fields(kind)}
    else:
        defaults = getattr(kind, "_field_defaults", {})
        needed = {name: name not in defaults for name in getattr(kind, "_fields", ())}
    hints = get_type_hints(kind) if needed else {}
    return {name: (hints[name], is_needed) for name, is_needed in needed.items()}


def _is_plain(kind: Any, value: Any) -> bool:
    """Whether a value is of a plain type; whole numbers are numbers, however they are written."""
    if kind in (int, float):
        is_number = type(value) is int or (type(value) is float and math.isfinite(value))
        return is_number and (kind is float or value == int(value))
    return kind in (str, bool, type(None)) and type(value) is kind


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


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
    except ValueError:  # Python reads no whole number of more than some thousand digits
        raise InvalidInput("a number has too many digits") from None
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
