"""Few users: they are enough where the method says so, and nothing is made of fewer."""

from __future__ import annotations

import pytest

from mlreg.registry import Registry
from tests.services.experimenting import ARMS, MODES, Rows, begin, look
from tests.support import Clock


def returning(users: int, requests: int, *rates: int) -> Rows:
    """Users of each arm with requests of their own, of whom some do better and some worse."""
    return [
        {"unit": f"{variant}-{user}", "variant": variant, "output": 1,
         "success": request * 7 % 10 < rate + user % 3 - 1}
        for variant, rate in zip(ARMS[len(rates)], rates, strict=True)
        for user in range(users)
        for request in range(requests)
    ]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_a_hundred_and_twenty_users_who_come_back_are_enough_for_ten_points(
    tested: Registry, clock: Clock, mode: str
):
    begin(tested, clock, mode=mode, baseline=0.7, mde=0.1)
    found = look(tested, returning(60, 20, 7, 8))
    assert (found.verdict, found.winner) == ("ship", "2.0.0")


def test_without_a_plan_they_are_enough_as_well(tested: Registry, clock: Clock):
    begin(tested, clock, mode="always-valid", baseline=None, mde=None)
    assert look(tested, returning(60, 20, 7, 8)).verdict == "ship"


@pytest.mark.parametrize("mode", MODES)
def test_fewer_than_twenty_users_of_an_arm_are_waited_for(
    tested: Registry, clock: Clock, mode: str
):
    begin(tested, clock, mode=mode, baseline=0.7, mde=0.1)
    found = look(tested, returning(19, 60, 5, 8))
    assert found.verdict == "continue"
    assert "control has 19 users; a test needs 20 in each arm" in found.recommendation


@pytest.mark.parametrize(("right", "verdict"), [((10, 34), "ship"), ((18, 21), "continue")])
def test_single_answers_of_few_users_are_tested_exactly(
    tested: Registry, clock: Clock, right: tuple[int, int], verdict: str
):
    begin(tested, clock, mode="always-valid", mde=None, baseline=None)
    rows = [
        {"unit": f"{variant}-{i}", "variant": variant, "output": 1, "success": i < good}
        for variant, good in zip(ARMS[2], right, strict=True)
        for i in range(40)
    ]
    assert look(tested, rows).verdict == verdict
