"""Means that a few large values carry: when they are tested, and when such a test is over."""

from __future__ import annotations

from random import Random

import pytest

from mlreg.clock import DAY
from mlreg.registry import Registry
from mlreg.selftest.experiments import SETTINGS, simulate
from tests.services.experimenting import Rows, begin, look
from tests.support import Clock

ARMS = ("control", "treatment")


def sales(part: str, *arms: tuple[list[float], int], user: bool = True) -> Rows:
    """Of each arm what was bought for how much, and of how many users."""
    return [
        ({"unit": f"{part}-{variant}-{i}"} if user else {})
        | {"variant": variant, "output": 1, "values": {"revenue": ([*bought, *[0.0] * n])[i]}}
        for variant, (bought, n) in zip(ARMS, arms, strict=True)
        for i in range(n)
    ]


@pytest.mark.parametrize("strategy", ["sticky", "random"])
def test_a_mean_waits_for_values_other_than_zero(tested: Registry, clock: Clock, strategy: str):
    begin(tested, clock, metric="value:revenue", mde=1, baseline=1, strategy=strategy)
    user = strategy == "sticky"
    few = look(tested, sales("a", ([40.0] * 2, 250), ([40.0] * 3, 250), user=user))
    (gate,) = (gate for gate in few.gates if gate.gate == "min_events")
    assert not gate.passed
    assert "an arm can expect 2.5" in gate.detail
    assert "with a value other than 0; a test needs 5" in gate.detail
    assert few.primary.statistic is None
    enough = look(tested, sales("b", ([40.0] * 3, 250), ([40.0] * 3, 250), user=user))
    assert next(gate for gate in enough.gates if gate.gate == "min_events").passed
    assert enough.primary.statistic is not None


def test_one_small_purchase_of_the_first_day_ends_nothing(tested: Registry, clock: Clock):
    """It had brought 64,175 times the planned information, and asked for 12.6 GiB."""
    begin(tested, clock, metric="value:revenue", mde=0.15, baseline=0.3, days=0)
    for day in range(6):
        clock.at += DAY
        bought = [40.0] if day else [0.05]
        found = look(tested, sales(str(day), (bought, 250), ([40.0] * (day % 2), 250)))
        assert found.verdict == "continue"
        assert (found.primary.look.t or 0.0) < 0.5


def test_no_more_has_come_than_the_part_of_the_planned_units(tested: Registry, clock: Clock):
    """Values that are alike by luck bring no more information than was planned for so many."""
    draw = Random(1)
    begin(tested, clock, mde=0.1, baseline=0.5)
    planned = tested.experiments.get("t").design.planned_units
    assert planned is not None
    n = 150
    rows = [
        {"unit": f"{v}-{i}", "variant": v, "output": 1, "success": draw.random() < 0.97}
        for v in ARMS for i in range(n)
    ]  # fmt: skip
    found = look(tested, rows)
    assert found.primary.look.t == pytest.approx(2 * n / planned, rel=0.01)


def test_values_that_are_corrected_are_rare_or_not_as_corrected(tested: Registry, clock: Clock):
    begin(tested, clock, metric="value:revenue", mde=1, baseline=1)
    rows = sales("a", ([40.0] * 8, 200), ([40.0] * 8, 200))
    assert look(tested, rows).primary.statistic is not None
    for place, row in enumerate(rows, start=1):
        if row["values"]["revenue"] and place % 200 < 7:
            tested.external.feedback("t", place, values={"revenue": 0.0})
    again = look(tested)
    assert again.primary.statistic is None


@pytest.mark.slow
def test_rare_revenue_calls_no_test_over_at_half_of_its_units():
    runs = list(simulate(SETTINGS["half of the units, rare revenue"]._replace(units=4000), 4))
    assert not any(one.over for one in runs)
    assert all(one.agrees for one in runs)
