"""Time: UTC instants, microseconds since 1970 in the store, durations like `24h` from people."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mlreg.errors import InvalidInput

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Clock = Callable[[], int]
# What the library takes for a point in time: microseconds, an instant, or how long ago.
Moment = int | datetime | timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_LENGTHS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_AMOUNT = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"
# Each unit at most once, the largest first: `1h1h` is a slip, and so is `30m1h`.
_DURATION = re.compile("(?=.)" + "".join(f"(?:{_AMOUNT}{unit})?" for unit in _UNITS))
_PART = re.compile(f"({_AMOUNT})([smhdw])")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_LONGEST = timedelta(days=3660)
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def now() -> int:
    """The present instant in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def from_micros(value: int) -> datetime:
    """The UTC instant of a stored time."""
    return _EPOCH + timedelta(microseconds=value)


def to_micros(instant: datetime) -> int:
    """The stored form of an instant; one without a zone is taken as UTC."""
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // timedelta(microseconds=1)


def moment(value: Moment, *, now: int) -> int:
    """A point in time in microseconds since 1970; a timedelta counts back from `now`."""
    if isinstance(value, timedelta):
        return now - value // timedelta(microseconds=1)
    return to_micros(value) if isinstance(value, datetime) else value


def isoformat(instant: datetime) -> str:
    """ISO 8601 in UTC with a trailing Z, as all JSON has it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `15m`, `24h`, `7d`, `2w` or a sum such as `1h30m`, the largest unit first.

    Raises:
        InvalidInput: It is no positive duration of at most ten years.
    """
    if not _DURATION.fullmatch(text):
        raise InvalidInput(f"{text!r} is not a duration", hint="write it like 90s, 24h or 1h30m")
    try:
        length = timedelta(seconds=sum(float(n) * _UNITS[u] for n, u in _PART.findall(text)))
    except OverflowError:
        length = timedelta.max
    if not timedelta(0) < length <= _LONGEST:
        raise InvalidInput(f"{text!r} is not between a moment and ten years")
    return length


def format_duration(seconds: float) -> str:
    """A length of time for people, never rounded up: `3 days`, `1.5 hours`, `12 minutes`."""
    unit, size = next((unit for unit in _LENGTHS if seconds >= unit[1]), _LENGTHS[-1])
    amount = f"{seconds * 10 // size / 10 if size > 1 else seconds // 1:g}"
    return f"{amount} {unit}" if amount == "1" else f"{amount} {unit}s"


def parse_moment(text: str, *, now: int) -> int:
    """Read an ISO 8601 instant (`2026-11-20`, `2026-11-20T10:00:00Z`) or a duration before `now`.

    A time without a zone is UTC. Returns microseconds since 1970.

    Raises:
        InvalidInput: It is neither, or it lies outside 2000 to 2200.
    """
    if _DURATION.fullmatch(text):
        return now - parse_duration(text) // timedelta(microseconds=1)
    instant = _parse_instant(text)
    if not _EARLIEST <= instant < _LATEST:
        raise InvalidInput(f"{text!r} is not between the years 2000 and 2200")
    return to_micros(instant)


def _parse_instant(text: str) -> datetime:
    # fromisoformat alone would take week dates, times without a date and seven digits of a second.
    if _INSTANT.fullmatch(text):
        try:
            instant = datetime.fromisoformat(text)
            return instant.replace(tzinfo=instant.tzinfo or UTC)
        except ValueError:
            pass
    raise InvalidInput(
        f"{text!r} is neither a UTC time nor a duration",
        hint="write it like 24h, 7d, 2026-11-20 or 2026-11-20T10:00:00Z",
    )
