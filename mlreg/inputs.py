"""Inputs: from text to what a version's signature asks for, or one clear error."""

from __future__ import annotations

import json
import math

from mlreg.entities.versions import FieldType, Signature
from mlreg.errors import InvalidInput
from mlreg.jsonable import loads
from mlreg.names import safe

Scalar = str | int | float | bool
Input = str | dict[str, Scalar | None] | list[int | float | None]

MAX_CHARACTERS = 10_000_000


def parse_input(signature: Signature, text: str) -> Input:
    """Read an input from a command line: plain text, or JSON for records and vectors.

    Raises:
        InvalidInput: It is not what the signature asks for.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(f"an input has at most {MAX_CHARACTERS:,} characters")
    if signature.input == "text":
        return check_input(signature, text)
    try:
        value = loads(text)
    except InvalidInput as error:
        hint = f"the model takes {describe(signature)}; write it like {_example(signature)}"
        raise InvalidInput(error.message, hint=hint) from None
    return check_input(signature, value)


def _example(signature: Signature) -> str:
    """An input as it is typed in a shell."""
    if signature.input == "vector":
        return f"'{json.dumps([0] * min(signature.length or 3, 6))}'"
    anything: FieldType = "any"
    types = signature.types or (anything,) * len(signature.fields)
    fields = zip(signature.fields[:3], types, strict=False)
    record = {name: "..." if kind == "text" else 0 for name, kind in fields}
    return f"'{safe(json.dumps(record or {'name': 0}, ensure_ascii=False))}'"


def check_input(signature: Signature, value: object) -> Input:
    """The value, if it is an input for the signature.

    Raises:
        InvalidInput: It is not; the message names the field.
    """
    if signature.input == "text":
        return _text(value)
    if signature.input == "record":
        return _record(signature, value)
    return _vector(signature, value)


def describe(signature: Signature) -> str:
    """What a signature takes, in one line for people."""
    if signature.input == "text":
        return "a text"
    if signature.input == "vector":
        return f"a list of {signature.length} numbers" if signature.length else "a list of numbers"
    names = ", ".join(safe(name, longest=40) for name in signature.fields[:6])
    more = f" and {len(signature.fields) - 6} more" if len(signature.fields) > 6 else ""
    return f"a record with {names}{more}" if names else "a record"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"the model takes a text, not {_kind(value)}")
    if len(value) > MAX_CHARACTERS:
        raise InvalidInput(f"an input has at most {MAX_CHARACTERS:,} characters")
    _check_unicode(value, "the text")
    return value


def _check_unicode(text: str, what: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInput(f"{what} is not valid Unicode") from None


def _record(signature: Signature, value: object) -> dict[str, Scalar | None]:
    if not isinstance(value, dict):
        raise InvalidInput(f"the model takes {describe(signature)}, not {_kind(value)}")
    if not signature.fields:
        for name in value:
            _check_unicode(str(name), f"the field's name {safe(str(name), longest=40)}")
        return {str(name): _field("any", True, str(name), item) for name, item in value.items()}
    missing = [name for name in signature.fields if name not in value]
    unknown = [str(name) for name in value if name not in signature.fields]
    if missing or unknown:
        what, names = ("lacks", missing) if missing else ("has an unknown field", unknown)
        raise InvalidInput(
            f"the record {what} {', '.join(safe(name, longest=40) for name in names[:5])}",
            hint=f"the model takes {describe(signature)}",
        )
    anything: FieldType = "any"
    types = signature.types or (anything,) * len(signature.fields)
    return {
        name: _field(kind, signature.nullable, name, value[name])
        for name, kind in zip(signature.fields, types, strict=True)
    }


def _vector(signature: Signature, value: object) -> list[int | float | None]:
    if not isinstance(value, list | tuple):
        raise InvalidInput(f"the model takes {describe(signature)}, not {_kind(value)}")
    if signature.length is not None and len(value) != signature.length:
        raise InvalidInput(f"the model takes {signature.length} numbers, not {len(value)}")
    if not value:
        raise InvalidInput("the model takes a list of numbers, and this one is empty")
    return [_number(signature.nullable, f"number {i + 1}", v) for i, v in enumerate(value)]


def _field(kind: FieldType, nullable: bool, name: str, value: object) -> Scalar | None:
    label = f"the field {safe(name, longest=40)}"
    if kind == "number":
        return _number(nullable, label, value)
    if value is None and not nullable:
        raise InvalidInput(f"{label} must not be null")
    if kind == "text" and not isinstance(value, str | None):
        raise InvalidInput(f"{label} must be a text, not {_kind(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{label} must be a finite number")
    if isinstance(value, str):
        _check_unicode(value, label)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise InvalidInput(f"{label} must be a plain value, not {_kind(value)}")


def _number(nullable: bool, label: str, value: object) -> int | float | None:
    if value is None and nullable:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{label} must be a number, not {_kind(value)}")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise InvalidInput(f"{label} must be a finite number")
    return value


def _kind(value: object) -> str:
    names = {bool: "true or false", str: "a text", dict: "an object", list: "a list"}
    if value is None:
        return "null"
    return names.get(type(value), "a number" if isinstance(value, int | float) else "this value")
