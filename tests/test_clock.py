"""Instants, durations and moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg import clock
from mlreg.clock import (
    format_duration,
    from_micros,
    isoformat,
    parse_duration,
    parse_moment,
    to_micros,
)
from mlreg.errors import InvalidInput

NOON = to_micros(datetime(2026, 11, 20, 12, tzinfo=UTC))
HOUR = timedelta(hours=1)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_an_instant_survives_the_store_to_the_microsecond(instant: datetime):
    assert from_micros(to_micros(instant)) == instant


def test_an_instant_without_a_zone_is_taken_as_utc():
    assert to_micros(datetime(1970, 1, 1, 0, 0, 1)) == clock.SECOND


def test_instants_are_written_in_utc_with_a_z():
    instant = datetime(2026, 11, 20, 1, tzinfo=timezone(2 * HOUR))
    assert isoformat(instant) == "2026-11-19T23:00:00.000000Z"


def test_now_is_the_present():
    assert abs(clock.now() - to_micros(datetime.now(UTC))) < 10 * clock.SECOND


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", 90 * HOUR / 3600),
        ("15m", HOUR / 4),
        ("24h", 24 * HOUR),
        ("7d", 7 * 24 * HOUR),
        ("2w", 14 * 24 * HOUR),
        ("1h30m", 1.5 * HOUR),
        ("1w1d1h1m1.5s", timedelta(8, 3661.5)),
        ("0.5h", HOUR / 2),
        ("3660d", 3660 * 24 * HOUR),
    ],
)
def test_a_duration_is_a_sum_of_numbers_with_units(text: str, length: timedelta):
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (1.9, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (3599, "59.9 minutes"),
        (3600, "1 hour"),
        (36 * 3600, "1.5 days"),
        (3 * 86_400 - 1, "2.9 days"),
        (3 * 86_400, "3 days"),
    ],
)
def test_a_length_of_time_is_never_said_to_be_one_that_is_not_reached(seconds: float, said: str):
    assert format_duration(seconds) == said


@pytest.mark.parametrize(
    "text",
    [
        *("", "5", "h", "-5m", "1 h", "1y", "1e3s", "٣d", "1h ", "inf", "1h\n", "1_0s", ".5h"),
        *("1h1h", "1h1m1h", "30m1h", "1s1w", "1.h", "1..5h", "1.5.5h", "1h1", "+1h", "1H", "１h"),
        *("1234567890s", "0.1234567s", "nan"),
    ],
)
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(InvalidInput, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0s", "0.0h", "3661d", "999999999w"])
def test_a_duration_out_of_range_is_refused(text: str):
    with pytest.raises(InvalidInput, match="not between a moment and ten years"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1h", NOON - clock.HOUR),
        ("2026-11-20", NOON - 12 * clock.HOUR),
        ("2026-11-20T10:00:00Z", NOON - 2 * clock.HOUR),
        ("2026-11-20T10:00", NOON - 2 * clock.HOUR),
        ("2026-11-20 13:00:00+02:00", NOON - clock.HOUR),
        ("2026-11-20T12:00:00.000001Z", NOON + 1),
        # The hour that Berlin has twice is two different hours.
        ("2026-10-25T02:30:00+02:00", to_micros(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))),
        ("2026-10-25T02:30:00+01:00", to_micros(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))),
    ],
)
def test_a_moment_is_an_instant_or_a_duration_back(text: str, moment: int):
    assert parse_moment(text, now=NOON) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "20261120", "2026-13-01", "2026-11-20T25:00", "20.11.2026", "٢٠٢٦-11-20"),
        *("1h1h", "0000-01-01", "10000-01-01", "nan", "inf", "1e9", "9223372036854775808"),
    ],
)
def test_what_is_no_moment_is_refused(text: str):
    with pytest.raises(InvalidInput, match="neither a UTC time nor a duration"):
        parse_moment(text, now=NOON)


@pytest.mark.parametrize("text", ["1999-12-31", "2200-01-01", "9999-12-31T23:59:59Z"])
def test_a_moment_outside_two_centuries_is_refused(text: str):
    with pytest.raises(InvalidInput, match="not between the years 2000 and 2200"):
        parse_moment(text, now=NOON)
