"""Experiments without effect, looked at a hundred times, through routing, log and `analyze`.

The few runs that a test can afford catch a rule that is broken; `scripts/calibrate.py` measures.
"""

from __future__ import annotations

import pytest

from mlreg.selftest.experiments import SETTINGS, Found, simulate

RUNS = 12
NAMES = (
    "group-sequential, 10 %, 50/50",
    "always-valid, 1 %, 90/10",
    "group-sequential, users of 10 requests",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found() -> dict[str, list[Found]]:
    return {name: list(simulate(SETTINGS[name], RUNS)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_no_peeking_brings_more_findings_than_the_level_allows(
    found: dict[str, list[Found]], name: str
):
    # With 5 % each, six of 12 come about once in eighty thousand times; a fixed level gets five.
    assert sum(one.crossed for one in found[name]) < 6


def test_nothing_is_shipped_or_rolled_back_that_was_not_found(found: dict[str, list[Found]]):
    assert all(one.crossed or not one.decided for runs in found.values() for one in runs)


def test_a_fixed_level_at_every_peek_would_have_been_caught(found: dict[str, list[Found]]):
    """The simulation must be able to see what it guards against."""
    peeked = [one.naive for runs in found.values() for one in runs]
    # More than a third of them are; so few runs show a tenth in all but one of 30 000 trials.
    assert sum(peeked) / len(peeked) >= 0.10
