"""Values as they are typed, numbers, percentages, pairs, times; and as they are shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeVar

from mlreg.errors import InvalidInput
from mlreg.jsonable import JsonValue, dumps, loads
from mlreg.names import safe

T = TypeVar("T")

Format = Literal["text", "jsonl", "csv", "tsv", "parquet"]

STDIN = "-"

_DECIMAL = re.compile(r"[+]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def percent(text: str) -> float:
    """A percentage: a plain decimal of ASCII digits; the sign behind it may be left out."""
    if not _DECIMAL.fullmatch(text.removesuffix("%")):
        raise InvalidInput(
            f"{safe(text)} is not a percentage", hint="write it as a plain number: 20 or 2.5"
        )
    return float(text.removesuffix("%"))


def number(text: str) -> float:
    """A finite number in ASCII digits."""
    value = float(text) if _NUMBER.fullmatch(text) else float("inf")
    if abs(value) == float("inf"):
        raise InvalidInput(f"{safe(text)} is not a number", hint="write it like 0.93 or 1e-3")
    return value


def amount(text: str) -> float:
    """A number, or one in percent: `0.1` and `10%` are the same."""
    return number(text[:-1]) / 100 if text.endswith("%") else number(text)


def whole_number(text: str) -> int:
    """A number of things: ASCII digits alone."""
    if not _WHOLE_NUMBER.fullmatch(text):
        raise InvalidInput(f"{safe(text)} is not a whole number")
    return int(text)


def limit(text: str) -> int:
    """How many rows to show: 1 to 100 000."""
    value = whole_number(text)
    if not 1 <= value <= 100_000:
        raise InvalidInput(f"the number of rows lies between 1 and 100,000, not at {value}")
    return value


def pair(text: str) -> tuple[str, str]:
    """`KEY=VALUE`, divided at the first equals sign."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidInput(f"{safe(text)} is not of the form NAME=VALUE")
    return key, value


def pairs(texts: list[str] | None, value: Callable[[str], T]) -> dict[str, T]:
    """Repeated `KEY=VALUE` as a mapping.

    Raises:
        InvalidInput: A key stands twice, or a value cannot be read.
    """
    found: dict[str, T] = {}
    for text in texts or ():
        key, raw = pair(text)
        if key in found:
            raise InvalidInput(f"{safe(key)} was given twice")
        found[key] = value(raw)
    return found


def moment(text: str | None) -> int | None:
    """An instant, or a duration back from now, in microseconds; None for none."""
    if text is None:
        return None
    from mlreg import clock

    return clock.parse_moment(text, now=clock.now())


def seconds(text: str) -> float:
    """A duration such as `5s`, in seconds."""
    from mlreg.clock import parse_duration

    return parse_duration(text).total_seconds()


def prediction_id(text: str) -> int:
    """The id of a prediction.

    Raises:
        InvalidInput: It cannot be one.
    """
    if not _WHOLE_NUMBER.fullmatch(text) or int(text) == 0:
        raise InvalidInput(
            f"{safe(text)!r} is not the id of a prediction", hint="it is a number: see mlreg log"
        )
    return int(text)


def breakdown(text: str | None) -> str | None:
    """A name such as `hour`, or `segment:KEY`; None for none.

    Raises:
        InvalidInput: It is written otherwise.
    """
    from mlreg.entities.reports import BREAKDOWNS

    if text is None or text in BREAKDOWNS:
        return text
    kind, _, key = text.partition(":")
    if kind != "segment" or not key:
        known = ", ".join(BREAKDOWNS)
        raise InvalidInput(
            f"{safe(text)} is nothing to report by", hint=f"{known}, or segment:country"
        )
    return text


def words(texts: list[str] | None) -> list[str]:
    """Options that can be repeated, and hold several parts between commas."""
    return [part.strip() for text in texts or () for part in text.split(",")]


def shown(answer: JsonValue) -> str:
    """An answer or a label as people see it: a text as it is, anything else as JSON."""
    return answer if isinstance(answer, str) else dumps(answer)


def json_or_text(text: str) -> JsonValue:
    """The value that the text is in JSON, or the text itself."""
    try:
        return loads(text)
    except InvalidInput:
        return text
