"""A threshold tried on the log fires where it would have fired."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlreg.clock import DAY, HOUR, MINUTE, from_micros
from mlreg.errors import InvalidInput
from mlreg.registry import Registry
from tests.services.test_alerts import ERRORS, log
from tests.support import Clock


@pytest.fixture
def troubled(sentiment: Registry, clock: Clock) -> Registry:
    """Three hours of good answers, a bad quarter of an hour, and two good hours; a week ago."""
    sentiment.traffic.activate("sentiment@1.0.0")
    for minute in range(0, 360, 5):
        failed = 10 if 180 <= minute < 195 else 0
        log(sentiment, 20, failed=failed, version=1)
        clock.at += 5 * MINUTE
    clock.at += 7 * DAY
    return sentiment


def test_a_break_is_found_when_it_was(troubled: Registry, clock: Clock):
    found = troubled.thresholds.test("sentiment", f"{ERRORS} for 2m")
    [fired] = found.fired
    began = from_micros(clock.at - 7 * DAY - 3 * HOUR)
    assert timedelta(0) < fired.fired_at - began < timedelta(minutes=15)
    assert fired.over_at is not None
    assert fired.over_at - fired.fired_at < timedelta(minutes=45)
    assert found.looks > 60


def test_what_holds_all_the_time_never_fires(troubled: Registry):
    assert troubled.thresholds.test("sentiment", "error_rate <= 60% over 10m").fired == ()
    assert troubled.thresholds.test("sentiment", ERRORS, since=timedelta(days=2)).looks == 0


def test_a_threshold_is_tried_by_its_name(troubled: Registry):
    troubled.thresholds.set("sentiment", ERRORS, label="failing")
    assert len(troubled.thresholds.test("sentiment", "failing").fired) == 1


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("error_rate <= baseline over 1h", "depends on more than the answers of a window"),
        ("failures_in_a_row < 3", "depends on more than the answers of a window"),
        ("error_rate <= 5%", "has no window of time"),
        ("error_rate <= 5% over 100 predictions", "has no window of time"),
        ("nonsense", "nonsense"),
    ],
)
def test_what_cannot_be_tried_is_refused(troubled: Registry, condition: str, why: str):
    with pytest.raises(InvalidInput, match=why):
        troubled.thresholds.test("sentiment", condition)
