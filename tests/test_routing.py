"""Which arm answers: sticky, by turns, or by chance."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlreg.entities.traffic import WHOLE, Arm, Revision, Strategy
from mlreg.routing import choose, schedule, shares, table_of

UNITS = [f"user-{number}" for number in range(10_000)]

# Splits of the whole into two to eight parts, some of them tiny.
CUTS = st.sets(st.integers(1, WHOLE - 1) | st.integers(1, 50), min_size=1, max_size=7)
WEIGHTS = CUTS.map(lambda cuts: [b - a for a, b in pairwise([0, *sorted(cuts), WHOLE])])


def revision(
    weights: Sequence[int],
    strategy: Strategy = "random",
    *,
    salt: str = "salt",
    shadow: bool = False,
) -> Revision:
    arms = [
        Arm(version_key=key, model_id=f"model-{key:012x}", version=f"{key}.0.0", weight=weight)
        for key, weight in enumerate(weights, start=1)
    ]
    if shadow:
        arms.append(
            Arm(version_key=99, model_id="model-ff", version="9.0.0", weight=0, role="shadow")
        )
    return Revision(
        model_key=1,
        model="sentiment",
        number=1,
        strategy=strategy,
        salt=salt,
        cause="route",
        reason="",
        actor="tester",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        arms=tuple(arms),
    )


def assigned(weights: Sequence[int], *, salt: str = "salt") -> list[int]:
    """The version of each unit."""
    table = table_of(revision(weights, "sticky", salt=salt))
    return [choose(table, unit)[0].version_key for unit in UNITS]


def assert_binomial(count: int, n: int, share: float) -> None:
    """Within five standard deviations: one run in two million fails by chance."""
    assert abs(count - n * share) <= 5 * math.sqrt(n * share * (1 - share)) + 1


@pytest.mark.parametrize("strategy", ["random", "sticky", "round-robin"])
def test_a_lone_arm_answers_whatever_its_weight(strategy: Strategy):
    table = table_of(revision([2000], strategy, shadow=True))
    for unit in (None, "ada"):
        arm, reason = choose(table, unit, 7)
        assert (arm.version_key, reason) == (1, "only-arm")


def test_a_shadow_arm_never_answers():
    table = table_of(revision([1, 9999], "random", shadow=True))
    assert {choose(table, None)[0].version_key for _ in range(5000)} <= {1, 2}


def test_each_strategy_gives_its_reason():
    split = [5000, 5000]
    assert choose(table_of(revision(split, "random")), "ada", 1)[1] == "random"
    assert choose(table_of(revision(split, "sticky")), "ada", 1)[1] == "sticky"
    assert choose(table_of(revision(split, "sticky")), None, 1)[1] == "no-unit"
    assert choose(table_of(revision(split, "round-robin")), "ada", 1)[1] == "round-robin"
    assert choose(table_of(revision(split, "round-robin")), "ada")[1] == "random"


# --- random -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [[8000, 2000], [1, 9999], [3333, 3333, 3334], [100] * 100])
def test_random_shares_are_within_binomial_bounds(weights: list[int]):
    table, n = table_of(revision(weights)), 20_000
    counts = Counter(choose(table, None)[0].version_key for _ in range(n))
    for key, weight in enumerate(weights, start=1):
        assert_binomial(counts[key], n, weight / WHOLE)


# --- sticky -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [[8000, 2000], [7000, 3000], [100, 9900], [3333, 3333, 3334]])
def test_sticky_shares_are_within_binomial_bounds(weights: list[int]):
    counts = Counter(assigned(weights))
    for key, weight in enumerate(weights, start=1):
        assert_binomial(counts[key], len(UNITS), weight / WHOLE)


@pytest.mark.process
def test_sticky_gives_a_unit_the_same_arm_in_every_process():
    program = (
        "from tests.test_routing import assigned\n"
        "print(*assigned([5000, 3000, 2000])[:500], sep='')"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert seen == {"".join(map(str, assigned([5000, 3000, 2000])[:500]))}


def test_sticky_has_not_moved_since_it_was_first_released():
    # Experiments outlive releases: a change of the hash would mix their arms.
    table = table_of(revision([5000, 3000, 2000], "sticky"))
    units = ["", "ada", "grace", "user-1", "用户", "\ud800", "x" * 1000]
    assert [choose(table, unit)[0].version_key for unit in units] == [1, 2, 2, 1, 3, 1, 3]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([7000, 3000], [6000, 4000]),
        ([7000, 2000, 1000], [6000, 2667, 1333]),
        ([6000, 3000, 1000], [5333, 2667, 2000]),
    ],
)
def test_a_tenth_of_the_traffic_is_a_tenth_of_the_units_all_from_losers_to_gainers(
    before: list[int], after: list[int]
):
    moves = [(a, b) for a, b in zip(assigned(before), assigned(after), strict=True) if a != b]
    changes = [b - a for a, b in zip(before, after, strict=True)]
    assert {source for source, _ in moves} == {k for k, c in enumerate(changes, 1) if c < 0}
    assert {target for _, target in moves} == {k for k, c in enumerate(changes, 1) if c > 0}
    assert_binomial(len(moves), len(UNITS), 0.1)


def test_an_arm_that_keeps_its_weight_between_others_passes_few_units_on():
    # No function of the weights alone can keep such an arm's units all in place.
    one, other = assigned([7000, 2000, 1000]), assigned([6000, 2000, 2000])
    moves = Counter((a, b) for a, b in zip(one, other, strict=True) if a != b)
    assert set(moves) == {(1, 2), (1, 3), (2, 3)}
    assert moves.total() / len(UNITS) < 0.13


@settings(max_examples=15, deadline=None)
@given(WEIGHTS, st.data())
def test_no_unit_ever_moves_to_an_arm_that_lost_or_from_one_that_gained(before, data):
    after = data.draw(st.permutations(before))
    one, other = table_of(revision(before, "sticky")), table_of(revision(after, "sticky"))
    for unit in UNITS[:300]:
        source, target = choose(one, unit)[0], choose(other, unit)[0]
        if source.version_key != target.version_key:
            grew = after[target.version_key - 1] / before[target.version_key - 1]
            assert grew > after[source.version_key - 1] / before[source.version_key - 1]


def test_an_arm_that_joins_takes_units_and_none_move_among_the_others():
    before, after = assigned([5000, 5000]), assigned([4500, 4500, 1000])
    moves = {(a, b) for a, b in zip(before, after, strict=True) if a != b}
    assert moves == {(1, 3), (2, 3)}


def test_models_with_other_salts_split_units_independently():
    one, other = assigned([5000, 5000], salt="one"), assigned([5000, 5000], salt="other")
    both = sum(a == b == 1 for a, b in zip(one, other, strict=True))
    assert_binomial(both, len(UNITS), 0.25)


# --- round-robin --------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(WEIGHTS)
def test_every_hundred_turns_in_a_row_are_within_one_of_the_weights(weights: list[int]):
    order = schedule(tuple(weights))
    around = order + order[:100]
    for arm, weight in enumerate(weights):
        inside = around[:100].count(arm)
        for leaving, coming in zip(around, around[100:], strict=False):
            assert abs(inside - weight / 100) <= 1
            inside += (coming == arm) - (leaving == arm)


@settings(max_examples=50)
@given(WEIGHTS)
def test_a_whole_cycle_of_turns_has_exactly_the_weights(weights: list[int]):
    order = schedule(tuple(weights))
    assert [order.count(arm) * WHOLE for arm in range(len(weights))] == [
        weight * len(order) for weight in weights
    ]


def test_turns_go_on_around_the_cycle():
    table = table_of(revision([5000, 5000], "round-robin"))
    keys = [choose(table, None, turn)[0].version_key for turn in range(10**9, 10**9 + 100)]
    assert Counter(keys) == {1: 50, 2: 50}


# --- shares -------------------------------------------------------------------------------------


COUNTS = st.lists(st.integers(1, WHOLE), min_size=1, max_size=8)


@given(COUNTS, st.integers(8, 20_000))
def test_shares_sum_to_the_whole_and_none_is_nothing(counts, whole):
    found = shares(counts, whole)
    assert sum(found) == whole
    assert min(found) >= 1


@given(COUNTS, st.integers(8, 20_000))
def test_shares_are_within_one_of_the_proportion(counts, whole):
    total = sum(counts)
    assume(all(count * whole >= total for count in counts))
    assert all(
        abs(n * total - count * whole) < total
        for n, count in zip(shares(counts, whole), counts, strict=True)
    )


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([1, 1, 1], [3334, 3333, 3333]),
        ([2, 1], [6667, 3333]),
        ([1, 99_999], [1, 9_999]),
        ([1, 1, 1, 1, 1, 1, 1], [1429, 1429, 1429, 1429, 1428, 1428, 1428]),
    ],
)
def test_what_is_left_over_goes_to_the_largest_remainders(counts: list[int], found: list[int]):
    assert shares(counts) == found


def test_nothing_cannot_be_shared():
    with pytest.raises(ValueError, match="no weight to share out"):
        shares([0, 0])
