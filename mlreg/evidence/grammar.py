"""Conditions: what must hold of a version, as people write it.

METRIC[:KEY] OP BOUND [over WINDOW] [min N] [sure] [for DURATION | for N in a row]
OP      < | <= | > | >=, or `within TOLERANCE of` and `outside TOLERANCE of` a reference
BOUND   5% | 200ms | 0.8 | REFERENCE [+ 20% | - 2pt | * 1.2]
WINDOW  10m | 24h | 100 predictions
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import NoReturn, cast
from unicodedata import east_asian_width

from mlreg.clock import parse_duration
from mlreg.errors import InvalidInput
from mlreg.evidence.conditions import (
    BARE_KEY,
    BEFORE,
    Condition,
    Kind,
    Lookup,
    Reference,
    Sign,
    of_catalogue,
)
from mlreg.names import safe

MOST_PREDICTIONS = 10_000

_LONGEST, _LARGEST = 500, Decimal(10) ** 12
_DIGITS = 15  # so many a float keeps, and reads back as they were
_SHOWN = 60  # characters to either side of a place that is pointed at
_NEVER_NEGATIVE = ("share", "ms", "cost", "count")
_METRIC = re.compile(rf'([A-Za-z_][A-Za-z0-9_.-]*)(?::("(?:[^"\\]|\\.)*"|{BARE_KEY}))?')
_SIGN = re.compile(r"(<=|>=|<|>|within\b|outside\b)")
_REFERENCE = re.compile(r"(baseline|previous|yesterday|last-week|training)(?![\w-])")
_CHANGE = re.compile(r"([+*-])")
_AMOUNT = re.compile(r"([+-]?)\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*(%|pt|ms|s)?(?![\w.%])")
_OF = re.compile(r"of\b")
_CLAUSE = re.compile(r"(over|min|sure|for)\b")
_PREDICTIONS = re.compile(r"([0-9]{1,9})\s*predictions?\b")
_IN_A_ROW = re.compile(r"([0-9]{1,9})\s+in\s+a\s+row\b")
_DURATION = re.compile(r"([0-9][0-9.smhdw]*)(?!\w)")
_WHOLE = re.compile(r"([0-9]{1,9})(?![\w.])")
_WORD = re.compile(r"[\w-]+|\S")


def parse(
    text: str,
    *,
    lookup: Lookup = of_catalogue,
    is_short: bool = False,
    refused: Mapping[str, str] | None = None,
    what: str = "condition",
) -> Condition:
    """Read a condition; see the module's docstring for the grammar.

    Args:
        text: Such as `error_rate <= 5% over 10m min 100`.
        lookup: Knows the metrics.
        is_short: Whether a bound with a sign, `+10%`, is short for `baseline + 10%`.
        refused: Words of the grammar that make no sense here, with the reason.
        what: What it is called.

    Raises:
        InvalidInput: It is none; the hint points at the place.
    """
    if len(text) > _LONGEST:
        raise InvalidInput(f"a {what} has at most {_LONGEST} characters, this has {len(text)}")
    reader = _Reader(text, refused or {}, what)
    metric = reader.metric()
    sign = cast(Sign, reader.word(_SIGN, "an operator", "like <=, >=, within 2pt of"))
    unit = lookup(metric).unit
    numbers = _Numbers(reader, metric, unit)
    reference: Reference | None
    if sign in ("within", "outside"):
        kind, amount = numbers.tolerance()
        reader.expect(_OF, "`of`", f"like {sign} 20% of baseline")
        reference = reader.reference()
    else:
        reference, kind, amount = numbers.bound(is_short=is_short)
    return _with_clauses(
        reader,
        Condition(
            metric=metric, unit=unit, sign=sign, kind=kind, amount=amount, reference=reference
        ),
    )


def _with_clauses(reader: _Reader, condition: Condition) -> Condition:
    """What stands behind the bound, in any order, each at most once."""
    seen: set[str] = set()
    while not reader.is_done():
        at = reader.at
        word = reader.word(_CLAUSE, "over, min, sure, for or nothing more", "like over 24h min 100")
        if word in seen:
            reader.fail(f"{word} stands there twice", "once is enough", at)
        seen.add(word)
        if word == "over":
            over = reader.extent(_PREDICTIONS, "a window", "like 10m, 24h or 100 predictions")
            _check_window(reader, condition, over, at)
            condition = replace(condition, over=over)
        elif word == "min":
            condition = replace(condition, least=reader.count(_WHOLE, "a number", "like 100"))
        elif word == "for":
            lasting = reader.extent(_IN_A_ROW, "a time or a number", "like 10m or 3 in a row")
            condition = replace(condition, lasting=lasting)
        else:
            condition = replace(condition, sure=True)
    return condition


def _check_window(reader: _Reader, condition: Condition, over: timedelta | int, at: int) -> None:
    reference = condition.reference
    if isinstance(over, int):
        if over > MOST_PREDICTIONS:
            reader.fail("the window is too long", f"at most {MOST_PREDICTIONS} predictions", at)
        if reference == "previous" or reference in BEFORE:
            reader.fail(f"{reference} is about a time", "like over 24h", at)
    elif reference in BEFORE and over > BEFORE[reference]:
        days = BEFORE[reference].days
        reader.fail(f"it would overlap the window of {reference}", f"at most over {days}d", at)


class _Reader:
    """Reads a text from left to right, and points at what cannot be read.

    Attributes:
        at: Where the next part begins.
    """

    def __init__(self, text: str, refused: Mapping[str, str], what: str) -> None:
        self.at = len(text) - len(text.lstrip())
        self._text, self._refused, self._what = text, refused, what

    def is_done(self) -> bool:
        return self.at >= len(self._text)

    def sees(self, pattern: re.Pattern[str]) -> bool:
        return pattern.match(self._text, self.at) is not None

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self.at)
        if found:
            rest = self._text[found.end() :]
            self.at = found.end() + len(rest) - len(rest.lstrip())
        return found

    def expect(self, pattern: re.Pattern[str], what: str, hint: str) -> re.Match[str]:
        found = self.take(pattern)
        if found is None:
            word = _WORD.match(self._text, self.at)
            place = f"where {safe(word[0], longest=40)} stands" if word else "at its end"
            self.fail(f"{what} belongs {place}", hint)
        return found

    def word(self, pattern: re.Pattern[str], what: str, hint: str) -> str:
        """A word of the grammar, unless it is refused."""
        at = self.at
        found = self.expect(pattern, what, hint)[1]
        if found in self._refused:
            self.fail(f"{found} has no place in it", self._refused[found], at)
        return found

    def reference(self) -> Reference:
        hint = "like baseline, previous, yesterday, last-week or training"
        return cast(Reference, self.word(_REFERENCE, "a reference", hint))

    def metric(self) -> str:
        """The name of a metric, with its key."""
        at = self.at
        found = self.expect(_METRIC, "a metric", "like error_rate")
        name, key = found.groups()
        if key and key.startswith('"'):
            try:
                key = json.loads(key)
            except ValueError:
                key = None
        if key == "" or (key is None and found[2]):
            self.fail(f"{name} has a key that cannot be read", 'like f1:spam or f1:"not spam"', at)
        return f"{name}:{key}" if key else name

    def count(self, pattern: re.Pattern[str], what: str, hint: str) -> int:
        at = self.at
        number = int(self.expect(pattern, what, hint)[1])
        if number < 1:
            self.fail("none is not enough", hint, at)
        return number

    def extent(self, counted: re.Pattern[str], what: str, hint: str) -> timedelta | int:
        """A time, or a number of what the pattern counts."""
        if self.sees(counted):
            return self.count(counted, what, hint)
        at = self.at
        found = self.expect(_DURATION, what, hint)[1]
        try:
            return parse_duration(found)
        except InvalidInput as error:
            return self.fail(error.message, hint, at)

    def fail(self, problem: str, hint: str, at: int | None = None) -> NoReturn:
        """Say what is wrong, and point at the place in the line below."""
        place = self.at if at is None else at
        before = safe(self._text[max(0, place - _SHOWN) : place])
        shown = before + safe(self._text[place : place + _SHOWN]) or "an empty text"
        # `hint: ` is one shorter than `error: `, which stands above it.
        column = 1 + sum(1 + (east_asian_width(char) in "FW") for char in before)
        raise InvalidInput(
            f"{shown} is not a {self._what}: {problem}", hint=f"{' ' * column}^ {hint}"
        )


class _Numbers:
    """Reads the numbers of a condition, in the unit of its metric."""

    def __init__(self, reader: _Reader, metric: str, unit: str) -> None:
        self._reader, self._metric, self._unit = reader, safe(metric), unit

    def bound(self, *, is_short: bool) -> tuple[Reference | None, Kind, float]:
        """A number, a reference, or how far from a reference."""
        at = self._reader.at
        if self._reader.sees(_REFERENCE):
            reference = self._reader.reference()
            change = self._reader.take(_CHANGE)
            unchanged: tuple[Kind, float] = ("absolute", 0.0)
            kind, amount = self._change(change[1]) if change else unchanged
            return reference, kind if amount else "absolute", amount or 0.0
        sign, number, suffix = self._amount("a bound", "like 5%, 200ms, 0.8 or baseline + 20%")
        if is_short and sign:
            self._reader.at = at
            self._reader.take(_CHANGE)
            return ("baseline", *self._change(sign))
        if sign == "+":
            self._fail("there is nothing to add to", "like baseline + 2%", at)
        if sign and self._unit in _NEVER_NEGATIVE:
            self._fail(f"{self._metric} is never below 0", "like baseline - 2%", at)
        return None, "limit", self._limit(-number if sign else number, suffix, at)

    def tolerance(self) -> tuple[Kind, float]:
        """How far from a reference, to either side."""
        at = self._reader.at
        kind, amount = self._change("+")
        if not amount:
            self._fail("this leaves no room", "like within 2% of baseline", at)
        return kind, amount

    def _change(self, sign: str) -> tuple[Kind, float]:
        at = self._reader.at
        own, number, suffix = self._amount("a change", "like 20%, 2pt or 30ms")
        if own or (sign == "*" and suffix):
            self._fail("this has a sign too many", "like baseline - 2% or baseline * 0.98", at)
        if sign == "*":
            kind, amount = "relative", number - 1
        elif suffix == "%":
            kind, amount = "relative", number / 100
        else:
            kind, amount = "absolute", self._scaled(number, suffix, at)
        if sign == "-":
            amount = -amount
        is_beyond = kind == "absolute" and self._unit == "share" and abs(amount) >= 1
        if is_beyond or (kind == "relative" and amount <= -1):
            self._never(at)
        return cast(Kind, kind), self._float(amount, at)

    def _limit(self, number: Decimal, suffix: str, at: int) -> float:
        if suffix == "pt":
            self._fail("points are a difference", "like 5%, or baseline + 2pt", at)
        if suffix == "%" and self._unit != "share":
            hint = f"a part of what? like baseline + {number}%"
            self._fail(f"this limits {self._metric} itself, which is no percentage", hint, at)
        amount = number / 100 if suffix == "%" else self._scaled(number, suffix, at)
        if self._unit == "share" and not 0 <= amount <= 1:
            self._never(at, f"; {number} percent are {number}%" if amount <= 100 else "")
        return self._float(amount, at)

    def _scaled(self, number: Decimal, suffix: str, at: int) -> Decimal:
        if suffix == "pt" and self._unit != "share":
            self._fail(f"{self._metric} is no share, of which there are points", "like 20%", at)
        if suffix in ("ms", "s") and self._unit != "ms":
            self._fail(f"{self._metric} is no time", "a number without a unit", at)
        return number * {"s": Decimal(1000), "pt": Decimal("0.01")}.get(suffix, Decimal(1))

    def _never(self, at: int, meant: str = "") -> NoReturn:
        hint = f"a share lies between 0 and 1{meant}"
        self._fail("this can never be broken, or never be kept", hint, at)

    def _amount(self, what: str, hint: str) -> tuple[str, Decimal, str]:
        at = self._reader.at
        sign, digits, suffix = self._reader.expect(_AMOUNT, what, hint).groups()
        if len(digits.replace(".", "").strip("0")) > _DIGITS:
            self._fail(f"a number has at most {_DIGITS} digits", hint, at)
        return sign, Decimal(digits), suffix or ""

    def _float(self, amount: Decimal, at: int) -> float:
        if abs(amount) >= _LARGEST:
            self._fail("the number is too large", "at most 12 digits before the point", at)
        return float(amount)

    def _fail(self, problem: str, hint: str, at: int) -> NoReturn:
        self._reader.fail(problem, hint, at)
