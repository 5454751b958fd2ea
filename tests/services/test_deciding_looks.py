"""Which looks decide, what of them is shown, and that each treatment goes its own way."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from mlreg.clock import DAY
from mlreg.entities.analyses import Analysis
from mlreg.registry import Registry
from mlreg.stats import always_valid
from tests.services.experimenting import ARMS, MODES, Rows, begin, look
from tests.support import Clock


def answers(part: str, *arms: tuple[int, int]) -> Rows:
    """One answer for each user: of each arm how many succeed, and of how many."""
    return [
        {"unit": f"{part}-{variant}-{i}", "variant": variant, "output": 1, "success": i < good}
        for variant, (good, count) in zip(ARMS[len(arms)], arms, strict=True)
        for i in range(count)
    ]


def is_clear(found: Analysis) -> bool:
    """Whether what is shown lies above zero as a whole."""
    assert found.primary.diff is not None
    assert found.primary.diff_ci is not None
    return found.primary.diff > 0 and found.primary.diff_ci[0] > 0


@pytest.mark.parametrize("mode", MODES)
def test_a_gain_of_the_first_day_alone_is_never_shipped(tested: Registry, clock: Clock, mode: Any):
    """The least time to run is three days; what crossed before has no say in the verdict."""
    begin(tested, clock, mode=mode, mde=0.05, days=1)
    first = look(tested, answers("a", (125, 250), (200, 250)))
    assert (first.verdict, first.is_decision_point) == ("continue", True)
    assert is_clear(first)
    assert not first.statistical_significance
    for day in range(6):
        clock.at += DAY
        found = look(tested, answers(f"b{day}", (125, 250), (110, 250)))
        assert found.verdict != "ship"
        assert not found.statistical_significance


@pytest.mark.parametrize("mode", MODES)
def test_what_ships_is_clear_of_zero_at_each_look_that_ships_it(
    tested: Registry, clock: Clock, mode: Any
):
    draw, shipped = Random(3), 0
    begin(tested, clock, mode=mode, mde=0.05, days=3)
    for day in range(20):
        rate = 0.8 if day < 8 else 0.2
        good = [sum(draw.random() < p for _ in range(60)) for p in (0.5, rate)]
        found = look(tested, answers(str(day), (good[0], 60), (good[1], 60)))
        shipped += found.verdict == "ship"
        assert found.verdict != "ship" or is_clear(found)
        clock.at += DAY // 4
    assert shipped
    assert found.verdict != "ship"


def test_between_looks_the_interval_of_the_last_one_is_shown(tested: Registry, clock: Clock):
    begin(tested, clock)
    counted = look(tested, answers("a", (65, 165), (100, 165)))
    peek = look(tested, answers("b", (8, 10), (2, 10)))
    assert (counted.is_decision_point, peek.is_decision_point) == (True, False)
    assert peek.primary.diff_ci == counted.primary.diff_ci
    assert peek.primary.diff != counted.primary.diff
    assert f"interval of look {counted.recorded_slot} " in peek.primary.sentence
    assert "interval of look" not in counted.primary.sentence


@pytest.mark.parametrize("mode", ["group-sequential", "fixed"])
def test_before_the_first_look_an_interval_that_holds_at_any_time_is_shown(
    tested: Registry, clock: Clock, mode: Any
):
    begin(tested, clock, mode=mode, mde=0.02)
    peek = look(tested, answers("a", (60, 120), (80, 120)))
    assert not peek.is_decision_point
    design, shown = tested.experiments.get("t").design, peek.primary
    assert shown.diff is not None
    assert shown.se is not None
    half = always_valid.boundary(240, tuning_n=design.tuning_units) * shown.se
    assert shown.diff_ci == pytest.approx((shown.diff - half, shown.diff + half))


def test_after_the_end_the_interval_stays_that_of_the_final_look(tested: Registry, clock: Clock):
    begin(tested, clock)
    ended = look(tested, answers("a", (200, 420), (220, 420)))
    assert ended.is_final
    for part in range(3):
        again = look(tested, answers(f"late{part}", (20, 100), (80, 100)))
        assert again.primary.diff_ci == ended.primary.diff_ci
        assert again.verdict == ended.verdict


def shared(part: str, sizes: tuple[int, ...], rates: tuple[float, ...]) -> Rows:
    """Users of three arms, as many of each succeed as the rate says."""
    counts = [(round(n * rate), n) for n, rate in zip(sizes, rates, strict=True)]
    return answers(part, *counts)


SPLIT = {"m@1.0.0": 50, "m@2.0.0": 49, "m@3.0.0": 1}


@pytest.mark.parametrize(
    ("rates", "expected"), [((0.5, 0.6, 0.5), "ship"), ((0.5, 0.5, 0.5), "continue")]
)
def test_a_small_arm_keeps_no_other_from_its_verdict(
    tested: Registry, clock: Clock, rates: tuple[float, ...], expected: str
):
    begin(tested, clock, 2, weights=SPLIT, days=1)
    for day in range(12):
        clock.at += DAY
        found = look(tested, shared(str(day), (500, 490, 10), rates))
        if found.verdict == "ship":
            break
    large, small = found.primaries
    assert large.look.t is not None
    assert small.look.t is not None
    assert (large.look.t >= 0.9, small.look.t < 0.5) == (True, True)
    assert (found.verdict, found.winner) == (expected, "2.0.0" if expected == "ship" else None)
    assert found.primary.version == ("2.0.0" if expected == "ship" else "3.0.0")


def test_each_treatment_ends_with_its_own_information(tested: Registry, clock: Clock):
    """The one that has all of its own takes no further look; the small one goes on."""
    split = {"m@1.0.0": 47.5, "m@2.0.0": 47.5, "m@3.0.0": 5}
    begin(tested, clock, 2, weights=split, days=4)
    first = look(tested, shared("a", (1000, 1000, 106), (0.5, 0.5, 0.5)))
    later = look(tested, shared("b", (1000, 1000, 106), (0.5, 0.9, 1.0)))
    assert not first.is_final
    large, small = later.primaries
    assert (large.look.is_decision_point, small.look.is_decision_point) == (False, True)
    assert large.diff_ci == first.primaries[0].diff_ci
    assert (later.verdict, later.winner) == ("ship", "3.0.0")


def test_a_deadline_ends_the_test_for_every_treatment(tested: Registry, clock: Clock):
    begin(tested, clock, 2, weights=SPLIT, days=8, max_duration="7d")
    ended = look(tested, shared("a", (500, 490, 10), (0.5, 0.5, 0.5)))
    assert (ended.is_final, ended.verdict) == (True, "stop_futile")
    assert not look(tested, shared("b", (50, 49, 100), (0.5, 0.5, 0.9))).is_decision_point
