"""Stopping rules: guards, boundaries, and looks that cannot be taken twice."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.stats import always_valid, codes, futility
from mlreg.stats import group_sequential as gs
from mlreg.stats.estimates import Estimate
from mlreg.stats.evidence import (
    Evidence,
    difference_evidence,
    estimate_evidence,
    proportion_evidence,
)
from mlreg.stats.group_sequential import (
    boundaries,
    closed_plan,
    equal_looks,
    plan_look,
    repeated_p_value,
)
from mlreg.stats.looks import limits_at
from mlreg.stats.random_walk import crossing_probabilities
from tests.stats.support import alphas, known

STRONG = Evidence(estimate=0.05, se=0.01, z=5.0, n=10_000)
WEAK = Evidence(estimate=0.01, se=0.01, z=1.0, n=10_000)
SILENT = Evidence(estimate=0.01, se=0.01, z=None, n=30, warnings=(codes.LOW_COUNTS,))


# --- evidence ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table",
    [
        (4, 200, 5, 200),
        (196, 200, 195, 200),
        (9, 1900, 40, 200),
        (20, 99, 50, 200),
        (20, 200, 40, 99),
    ],
)
def test_rates_are_not_tested_before_both_arms_have_enough(table):
    evidence = proportion_evidence(*table)
    assert evidence.z is None
    assert evidence.warnings == (codes.LOW_COUNTS,)
    assert evidence.estimate is not None


def test_an_arm_that_never_failed_can_be_judged_against_one_that_does():
    assert known(proportion_evidence(1000, 1000, 960, 1000).z) < -6


def test_the_interval_of_rates_never_excludes_zero_without_the_decision():
    evidence = proportion_evidence(90, 1900, 12, 100)
    assert abs(known(evidence.estimate)) / known(evidence.se) <= abs(known(evidence.z))


def test_estimates_wait_for_their_units_and_name_their_problems():
    control, treatment = (Estimate(value=v, se=0.1, n=n) for v, n in ((1.0, 500), (1.5, 50)))
    assert estimate_evidence(control, treatment).warnings == (codes.LOW_COUNTS,)
    assert known(estimate_evidence(control, treatment, min_units=50).z) > 3
    empty = Estimate(value=0.0, se=0.0, n=0)
    assert estimate_evidence(control, empty).warnings == (codes.EMPTY_ARM,)
    assert difference_evidence(empty).warnings == (codes.EMPTY_ARM,)
    constant = Estimate(value=2.0, se=0.0, n=500)
    assert difference_evidence(constant).warnings == (codes.DEGENERATE,)
    assert difference_evidence(control).z == pytest.approx(10)
    assert proportion_evidence(0, 0, 1, 5).warnings == (codes.EMPTY_ARM,)


# --- always valid ------------------------------------------------------------------------------


@given(n=st.integers(1, 10**6), tuning_n=st.integers(10, 10**6), alpha=alphas, z=st.floats(-12, 12))
def test_the_p_value_and_the_boundary_are_two_sides_of_one_rule(n, tuning_n, alpha, z):
    critical = always_valid.boundary(n, tuning_n=tuning_n, alpha=alpha)
    p = always_valid.p_value(z, n, tuning_n=tuning_n, alpha=alpha)
    assert (p <= alpha) == (abs(z) >= critical) or abs(z) == pytest.approx(critical)


@pytest.mark.parametrize(("n", "critical"), [(5000, 3.035), (100, 6.694), (50_000, 3.24)])
def test_the_boundary_is_tightest_at_the_planned_size(n, critical):
    assert always_valid.boundary(n, tuning_n=5000) == pytest.approx(critical, abs=0.005)


def test_a_crossed_boundary_stays_crossed():
    first = always_valid.look(STRONG, tuning_n=10_000)
    assert first.is_crossed
    later = always_valid.look(WEAK, tuning_n=10_000, previous_p=first.p_value)
    assert later.is_crossed
    assert later.p_value == first.p_value


def test_nothing_is_claimed_while_the_guards_hold():
    look = always_valid.look(SILENT, tuning_n=10_000)
    assert not look.is_decision_point
    assert not look.is_crossed
    assert (look.boundary, look.ci_lower, look.p_value) == (None, None, 1.0)
    assert look.warnings == (codes.LOW_COUNTS,)


def test_the_interval_of_a_look_matches_its_decision():
    look = always_valid.look(STRONG, tuning_n=10_000)
    assert known(look.ci_lower) > 0
    assert known(always_valid.look(WEAK, tuning_n=10_000).ci_lower) < 0


@given(n=st.integers(500, 10**6), alpha=st.sampled_from([0.01, 0.025, 0.1]))
def test_a_one_sided_bound_is_closer_than_the_two_sided_one(n, alpha):
    one = always_valid.one_sided_boundary(n, tuning_n=10_000, alpha=alpha)
    assert one <= always_valid.boundary(n, tuning_n=10_000, alpha=alpha)


def test_no_units_need_infinite_evidence():
    assert always_valid.boundary(0, tuning_n=100) == math.inf
    assert always_valid.one_sided_boundary(0, tuning_n=100) == math.inf
    assert always_valid.p_value(3.0, 0, tuning_n=100) == 1


@pytest.mark.parametrize(
    ("tuning_n", "alpha"), [(0, 0.05), (-5, 0.05), (math.inf, 0.05), (10, 1.0)]
)
def test_bad_tuning_is_refused(tuning_n, alpha):
    with pytest.raises(ValueError, match="must"):
        always_valid.boundary(10, tuning_n=tuning_n, alpha=alpha)


# --- group sequential --------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(
    cuts=st.lists(st.floats(0.05, 0.95), min_size=1, max_size=8, unique=True),
    alpha=alphas,
    sides=st.sampled_from([1, 2]),
)
def test_any_schedule_of_looks_spends_exactly_alpha(cuts, alpha, sides):
    fractions = [*sorted(cuts), 1.0]
    z = boundaries(fractions, alpha=alpha, sides=sides).z
    above, below = crossing_probabilities(fractions, z, sides=sides)
    assert sum(above) + sum(below) == pytest.approx(alpha, rel=1e-6)


def test_one_look_is_the_fixed_test():
    assert boundaries([1.0]).z[0] == pytest.approx(1.959964)
    assert boundaries([1.0], sides=1).z[0] == pytest.approx(1.644854)


def test_early_looks_cost_almost_nothing_at_the_end():
    z = boundaries(equal_looks(10)).z
    assert list(z) == sorted(z, reverse=True)
    assert z[-1] < 2.09


def test_what_is_left_is_spent_at_a_deadline_before_full_information():
    plan = plan_look((0.2, 0.5), 0.7, is_deadline=True)
    assert plan.is_final
    assert plan.alpha_spent == pytest.approx(0.05)
    assert known(plan.boundary) < known(plan_look((0.2, 0.5), 0.7).boundary)


def test_a_peek_becomes_a_look_only_in_a_new_slot():
    first = plan_look((), 0.13)
    assert first.is_decision_point
    again = plan_look(first.looks, 0.19)
    assert not again.is_decision_point
    assert again.looks == first.looks
    assert again.boundary == first.boundary
    assert again.alpha_spent == first.alpha_spent
    assert plan_look(first.looks, 0.2).is_decision_point


def test_there_is_no_look_before_the_first_slot_and_none_after_the_last():
    assert not plan_look((), 0.05).is_decision_point
    assert plan_look((), 0.0).boundary is None
    assert plan_look((0.5,), 1.2).is_final
    assert not closed_plan((0.5, 1.0), 1.2).is_decision_point


def test_full_information_that_comes_too_early_opens_the_last_slot_but_one():
    early = plan_look((0.5,), 1.4, may_end=False)
    assert (early.is_decision_point, early.is_final, early.number) == (True, False, 9)
    assert early.alpha_spent < 0.05
    assert not plan_look(early.looks, 1.8, may_end=False).is_decision_point
    last = plan_look(early.looks, 2.8)
    assert (last.is_final, last.alpha_spent) == (True, pytest.approx(0.05))
    again = plan_look(early.looks, 1.1)  # less than before, as where labels are corrected
    assert again.is_final


@pytest.mark.parametrize("looks", [(0.5, 1.4, 2.8), (1.4, 1.41), (0.95, 3.0, 9.0)])
def test_looks_after_full_information_spend_no_more_than_alpha(looks):
    above, below = crossing_probabilities(looks, boundaries(looks).z)
    assert sum(above) + sum(below) == pytest.approx(0.05, abs=1e-6)


def test_skipped_slots_cost_nothing():
    skipped = boundaries([0.5, 1.0]).z[-1]
    assert skipped < boundaries(equal_looks(10)).z[-1]


def test_a_look_stops_only_at_a_decision_point():
    decision, peek = plan_look((), 0.55), plan_look((0.55,), 0.56)
    stopped = gs.look(STRONG, decision)
    assert stopped.is_crossed
    assert stopped.warnings == (codes.EARLY_STOP_BIAS,)
    assert known(stopped.ci_lower) > 0
    shown = gs.look(STRONG, peek)
    assert not shown.is_crossed
    assert shown.warnings == (codes.NOT_FINAL,)
    assert shown.ci_lower is not None
    assert shown.p_value == 1


def test_the_final_look_carries_no_caveat():
    plan = plan_look((0.5,), 1.0)
    assert gs.look(WEAK, plan).warnings == ()
    assert not gs.look(WEAK, plan).is_crossed


def test_guards_hold_at_decision_points_too():
    look = gs.look(SILENT, plan_look((), 0.5))
    assert not look.is_crossed
    assert codes.LOW_COUNTS in look.warnings
    assert look.ci_lower is None


@settings(deadline=None, max_examples=10)
@given(count=st.integers(1, 6), alpha=st.sampled_from([0.01, 0.05, 0.2]))
def test_the_repeated_p_value_equals_alpha_on_the_boundary(count, alpha):
    looks = equal_looks(6)[:count]
    critical = boundaries(looks, alpha=alpha).z[-1]
    assert repeated_p_value(critical, looks) == pytest.approx(alpha, rel=1e-4)


def test_repeated_p_values_fall_with_the_evidence():
    looks = equal_looks(5)[:3]
    p_values = [repeated_p_value(z, looks) for z in (0.0, 1.0, 2.0, 3.0, 30.0)]
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[0] == 1
    assert 0 < p_values[-1] < 1e-9


def test_close_looks_are_still_computed_exactly():
    fractions = [0.29999, 0.3, 0.3001, 1.0]
    above, below = crossing_probabilities(fractions, boundaries(fractions).z)
    assert sum(above) + sum(below) == pytest.approx(0.05, rel=1e-6)


def test_a_large_drift_is_found_at_the_first_look():
    above, below = crossing_probabilities([0.5, 1.0], [2.0, 2.0], drift=40.0)
    assert above[0] == pytest.approx(1)
    assert sum(below) == pytest.approx(0)


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ([0.5, 0.5], "must increase"),
        ([0.0, 1.0], "must increase"),
        ([0.5, math.inf], "must increase"),
    ],
)
def test_looks_that_do_not_advance_are_refused(fractions, message):
    with pytest.raises(ValueError, match=message):
        boundaries(fractions)


def test_bad_designs_are_refused():
    with pytest.raises(ValueError, match="slots must lie between 1 and 20"):
        plan_look((), 0.5, slots=21)
    with pytest.raises(ValueError, match="sides must be 1 or 2"):
        boundaries([1.0], sides=3)
    with pytest.raises(ValueError, match="power must lie"):
        gs.inflation([1.0], power=1.0)


# --- futility ----------------------------------------------------------------------------------


def test_conditional_power_rises_with_z():
    chances = [
        futility.conditional_power(z, 0.5, z_final=2.03, drift=2.8) for z in (-2, -1, 0, 1, 2, 3)
    ]
    assert chances == sorted(chances)


@pytest.mark.parametrize(("z", "reached"), [(2.5, 1.0), (1.5, 0.0)])
def test_at_full_information_the_answer_is_known(z, reached):
    assert futility.conditional_power(z, 1.0, z_final=2.03, drift=2.8) == reached


def test_information_cannot_be_negative():
    with pytest.raises(ValueError, match="information must be 0 or more"):
        futility.conditional_power(1.0, -0.1, z_final=2.0, drift=2.8)


# --- one rate, one quantile --------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
def test_a_rate_is_left_out_at_any_of_many_looks_no_more_often_than_alpha(rate):
    """Exactly, by following the chance of each count through the first 120 looks."""
    still, lost = {0: 1.0}, 0.0
    for n in range(1, 121):
        chances: dict[int, float] = {}
        for count, chance in still.items():
            chances[count] = chances.get(count, 0.0) + chance * (1 - rate)
            chances[count + 1] = chances.get(count + 1, 0.0) + chance * rate
        still = {}
        for count, chance in chances.items():
            low, high = always_valid.rate_limits(count, n)
            if low <= rate <= high:
                still[count] = chance
            else:
                lost += chance
    assert sum(still.values()) + lost == pytest.approx(1)
    assert lost <= 0.05


def test_limits_of_a_rate_reach_the_ends_only_where_nothing_or_all_was_seen():
    assert always_valid.rate_limits(0, 0) == (0.0, 1.0)
    assert always_valid.rate_limits(0, 100) == (0.0, pytest.approx(0.0570, abs=1e-4))
    assert always_valid.rate_limits(100, 100) == (pytest.approx(0.9430, abs=1e-4), 1.0)
    low, high = always_valid.rate_limits(50_000, 1_000_000)
    assert 0.0490 < low < 0.05 < high < 0.0511
    with pytest.raises(ValueError, match="alpha"):
        always_valid.rate_limits(1, 2, alpha=1.0)


@pytest.mark.parametrize("n", [1, 7, 100, 4000])
@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_the_ranks_around_a_quantile_are_those_whose_rate_is_not_ruled_out(n, quantile):
    below, above = always_valid.rank_limits(n, quantile, 0.95)
    possible = [
        count
        for count in range(n + 1)
        if (limits := always_valid.rate_limits(count, n)).low <= quantile <= limits.high
    ]
    assert below == (possible[0] - 1 if possible[0] else None)
    assert above == (possible[-1] if possible[-1] < n else None)


@pytest.mark.parametrize("boundary", [2.0, 2.6, 2.8, 2.9, 2.96, 2.97, 3.2])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_leaves_out_zero_just_where_the_decision_does(boundary: float, sign: int):
    """A small arm with the rarer outcome more often is less sure by itself than equal arms are."""
    rare = (450, 9000, 72, 1000)
    table = rare if sign > 0 else (9000 - 450, 9000, 1000 - 72, 1000)
    evidence = proportion_evidence(*table)
    assert evidence.z is not None
    assert evidence.se is not None
    assert evidence.se > abs((evidence.estimate or 0.0) / evidence.z)
    found = limits_at(evidence, boundary)
    assert found is not None
    assert (found.low * found.high > 0) is (abs(evidence.z) >= boundary)
    assert found.low < (evidence.estimate or 0.0) < found.high
    wide = boundary * evidence.se
    assert found.high - found.low <= 2 * wide + 1e-12


def test_the_limits_of_a_larger_boundary_lie_further_out():
    evidence = proportion_evidence(450, 9000, 72, 1000)
    found = [known(limits_at(evidence, boundary / 100)) for boundary in range(1, 500)]
    assert all(wide.low < narrow.low for narrow, wide in pairwise(found))
    assert all(wide.high > narrow.high for narrow, wide in pairwise(found))
