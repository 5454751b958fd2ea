"""Arms over phases: averaged by Mantel and Haenszel, with users who come back in several phases."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlreg.stats import codes
from mlreg.stats.distributions import student_as_normal
from mlreg.stats.estimates import Estimate
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.looks import reach
from mlreg.stats.phases import Averaged, Spread, average_estimates, average_ratios, phase_weights
from mlreg.stats.proportions import pooled_z
from mlreg.stats.ratios import compare_ratios
from tests.stats.support import known, swapped, tables

USER = st.integers(1, 6).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))
USERS = st.lists(USER, min_size=2, max_size=30)
COUNTS = st.integers(0, 1000)


def arm(users):
    """Moments of an arm from (y, x) of each user."""
    y, x = np.array(users, dtype=float).reshape(-1, 2).T
    return JointMoments.from_values(y.tolist(), x.tolist())


def rates(successes_c, n_c, successes_t, n_t):
    """A phase in which every user made one prediction."""
    return tuple(
        JointMoments.from_sums(n, hits, n, hits, n, hits)
        for hits, n in ((successes_c, n_c), (successes_t, n_t))
    )


def share(*phases, clustered=None):
    return average_ratios(phases, is_share=True, clustered=clustered)


def z_of(averaged: Averaged):
    return averaged.evidence(min_units=1, min_events=0).z


def t_of(averaged: Averaged):
    """Before it is said how unlikely that is with so few units."""
    return known(averaged.contrast()).value / known(averaged.null_se)


# --- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], ()),
        ([(7, 3)], (1,)),
        ([(100, 100), (100, 300)], (0.4, 0.6)),
        ([(900, 100), (500, 500)], (90 / 340, 250 / 340)),
        ([(100, 100), (50, 0), (0, 50), (0, 0)], (1, 0, 0, 0)),
        ([(50, 0), (0, 0)], (0, 0)),
    ],
)
def test_a_phase_weighs_what_its_smaller_arm_allows(sizes, expected):
    pairs = [tuple(Estimate(value=0.5, se=0.1, n=n) for n in pair) for pair in sizes]
    assert phase_weights(pairs) == pytest.approx(expected)


@given(phases=st.lists(tables(min_n=1), min_size=1, max_size=5))
def test_the_difference_is_the_one_of_mantel_and_haenszel(phases):
    x_c, n_c, x_t, n_t = np.array(phases, dtype=float).T
    difference = np.sum((x_t * n_c - x_c * n_t) / (n_c + n_t)) / np.sum(n_c * n_t / (n_c + n_t))
    contrast = known(share(*(rates(*table) for table in phases)).contrast())
    assert contrast.value == pytest.approx(difference, abs=1e-12)


# --- one phase -----------------------------------------------------------------------------------


@given(control=USERS, treatment=USERS)
def test_one_phase_has_the_error_of_the_distances_of_its_users(control, treatment):
    averaged = share((arm(control), arm(treatment)))
    value, variance = 0.0, 0.0
    for sign, users in ((-1, control), (1, treatment)):
        y, x = np.array(users, dtype=float).T
        rate = y.sum() / x.sum()
        value += sign * rate
        variance += np.var(y - rate * x, ddof=1) / len(users) / x.mean() ** 2
    contrast = known(averaged.contrast())
    assert contrast.value == pytest.approx(value, abs=1e-12)
    assert contrast.se == pytest.approx(math.sqrt(variance), abs=1e-7)
    compared = compare_ratios(arm(control), arm(treatment))
    assert contrast.value == pytest.approx(compared.difference)


@given(table=tables(min_n=100))
def test_one_row_for_each_user_is_the_pooled_test_of_two_rates(table):
    expected = pooled_z(*table)
    assume(expected is not None)
    # With everything in one arm alike and everything else in the other, no arm has a spread.
    assume(0 < table[0] < table[1] or 0 < table[2] < table[3])
    # Only the divisor differs: n - 1 for users, n for rates.
    assert z_of(share(rates(*table))) == pytest.approx(expected, rel=1 / min(table[1], table[3]))


@given(successes=st.tuples(COUNTS, COUNTS))
def test_of_arms_of_one_size_the_pooled_test_differs_by_the_divisor_alone(successes):
    table = (successes[0], 1000, successes[1], 1000)
    assume(pooled_z(*table) is not None and not set(successes) <= {0, 1000})
    expected = known(pooled_z(*table)) * math.sqrt(999 / 1000)
    assert z_of(share(rates(*table))) == pytest.approx(expected)


def test_ten_rows_of_one_mind_are_one_row():
    """Users who always get the same answer know no more than their first row says."""
    once = [(1, 1)] * 60 + [(0, 1)] * 40, [(1, 1)] * 75 + [(0, 1)] * 25
    often = [[(10 * y, 10 * x) for y, x in users] for users in once]
    assert t_of(share(tuple(map(arm, often)))) == pytest.approx(t_of(share(tuple(map(arm, once)))))


# --- symmetries ----------------------------------------------------------------------------------

PHASES = st.lists(tables(min_n=2), min_size=1, max_size=4)


@given(phases=PHASES)
def test_swapping_the_arms_turns_the_sign_and_nothing_else(phases):
    one = share(*(rates(*table) for table in phases))
    other = share(*(rates(*swapped(table)) for table in phases))
    z, turned = z_of(one), z_of(other)
    assert (z is None) == (turned is None)
    assert z is None or z == pytest.approx(-turned, abs=1e-9)
    assert one.events == other.events
    assert one.weights == pytest.approx(other.weights)


@given(phases=PHASES, data=st.data())
def test_the_order_of_the_phases_does_not_matter(phases, data):
    order = data.draw(st.permutations(range(len(phases))))
    one = share(*(rates(*table) for table in phases))
    other = share(*(rates(*phases[i]) for i in order))
    assert known(one.contrast()) == pytest.approx(known(other.contrast()), abs=1e-12)
    assert one.null_se == pytest.approx(other.null_se, abs=1e-12)
    assert other.weights == pytest.approx([one.weights[i] for i in order])


@given(table=tables(min_n=100), parts=st.integers(2, 4))
def test_a_phase_cut_into_equal_parts_says_the_same(table, parts):
    whole = share(rates(*(parts * count for count in table)))
    cut = share(*[rates(*table)] * parts)
    assert known(cut.contrast()).value == pytest.approx(known(whole.contrast()).value, abs=1e-12)
    assert known(cut.contrast()).se == pytest.approx(known(whole.contrast()).se, rel=0.01)
    assert cut.null_se == pytest.approx(whole.null_se, rel=0.01)
    assert cut.events == pytest.approx(whole.events, rel=0.02)


@given(control=USERS, treatment=USERS, factor=st.floats(1e-3, 1e3))
def test_another_unit_of_measure_scales_the_difference_and_its_error(control, treatment, factor):
    def scaled(users):
        return arm([(y * factor, x) for y, x in users])

    one = average_ratios([(arm(control), arm(treatment))], is_share=False)
    other = average_ratios([(scaled(control), scaled(treatment))], is_share=False)
    expected = [factor * number for number in known(one.contrast())]
    assert known(other.contrast()) == pytest.approx(expected, rel=1e-6, abs=1e-7 * factor)


def means(control, treatment):
    """Users with one row each, whose value is a number."""
    arms = tuple(arm([(value, 1.0) for value in values]) for values in (control, treatment))
    return average_ratios([arms], is_share=False)


def test_means_of_arms_of_one_size_are_compared_as_welch_does():
    y = np.random.default_rng(1).normal(100, 15, (2, 300))
    averaged = means(*y)
    error = math.sqrt(y[0].var(ddof=1) / 300 + y[1].var(ddof=1) / 300)
    assert averaged.null_se == pytest.approx(error)
    assert averaged.events is None
    t = (y[1].mean() - y[0].mean()) / error
    assert t_of(averaged) == pytest.approx(t)
    assert z_of(averaged) == pytest.approx(student_as_normal(t, 299))


def test_a_small_arm_without_outliers_is_not_surer_than_the_other_one():
    """Of skewed values a small arm often has no large one, and then looks low and sharp at once."""
    rng = np.random.default_rng(1)
    control, treatment = rng.lognormal(0, 1.5, 900), np.full(100, 1.0) + rng.random(100) / 10
    pooled = (900 * control.var(ddof=1) + 100 * treatment.var(ddof=1)) / 1000
    error = math.sqrt(pooled * (1 / 900 + 1 / 100))
    assert means(control, treatment).null_se == pytest.approx(error)
    assert error > 2 * known(means(control, treatment).contrast()).se


def test_each_arm_answers_for_its_own_clusters():
    """Users of the small arm who fail together leave it less sure, however calm the large one."""
    calm = [(int(user % 10 == row), 10) for user in range(900) for row in (0,)]
    torn = [(10, 10)] * 10 + [(0, 10)] * 90
    averaged = share((arm(calm), arm(torn)))
    rate = (90 + 100) / 10_000
    effects = [
        np.var([y - p * x for y, x in users], ddof=1) * len(users) / 100 / len(users) / len(users)
        for users, p in ((calm, 0.01), (torn, 0.1))
    ]
    independent = [0.01 * 0.99 / 9000, 0.1 * 0.9 / 1000]
    inflated = [e / i for e, i in zip(effects, independent, strict=True)]
    expected = rate * (1 - rate) * (inflated[0] / 9000 + inflated[1] / 1000)
    assert averaged.null_se == pytest.approx(math.sqrt(expected))


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_a_multiple_of_the_control_is_taken_off_with_its_error(factor):
    averaged = share(rates(300, 1000, 360, 900))
    contrast = known(averaged.contrast(factor))
    assert contrast.value == pytest.approx(0.4 - factor * 0.3)
    assert contrast.se**2 == pytest.approx(0.4 * 0.6 / 899 + factor**2 * 0.3 * 0.7 / 999)


# --- phases that differ --------------------------------------------------------------------------

EMPTY = JointMoments.from_sums(0, 0, 0, 0, 0, 0)
SILENT = JointMoments.from_sums(50, 0, 0, 0, 0, 0)  # users without a row that the metric knows


@pytest.mark.parametrize("missing", [EMPTY, SILENT])
@pytest.mark.parametrize("side", [0, 1])
def test_a_phase_in_which_one_arm_has_nothing_is_left_out(missing, side):
    full, lone = rates(300, 1000, 360, 900), [*rates(900, 1000, 900, 1000)]
    lone[side] = missing
    with_it, without = share(tuple(lone), full), share(full)
    assert with_it.weights == (0, 1)
    assert (with_it.control, with_it.treatment) == (without.control, without.treatment)
    assert (with_it.null_se, with_it.events) == (without.null_se, without.events)


def test_a_world_that_gets_worse_while_the_treatment_grows_is_no_difference():
    """Simpson's paradox: within each phase the arms are alike, and pooled they are not."""
    phases = (950 * 9, 1000 * 9, 950, 1000), (600 * 5, 1000 * 5, 600 * 5, 1000 * 5)
    together = np.sum(phases, axis=0)
    assert abs(known(pooled_z(*together.tolist()))) > 20
    averaged = share(*(rates(*table) for table in phases))
    assert known(averaged.contrast()).value == pytest.approx(0, abs=1e-12)
    assert z_of(averaged) == pytest.approx(0, abs=1e-9)


# --- users who come back -------------------------------------------------------------------------


class World(NamedTuple):
    """Users of two phases: where each was in which, and what they did there."""

    in_treatment: np.ndarray  # phase x user
    rows: np.ndarray
    hits: np.ndarray


def world(rng, users=400, shares=(0.1, 0.5)):
    """A canary that grows: each user has a rate of their own, and some change the arm."""
    luck = rng.random(users)
    in_treatment = np.array([luck < part for part in shares])
    rows = rng.integers(1, 6, (2, users))
    rate = np.clip(rng.beta(1, 1, users), 0.02, 0.98)
    return World(in_treatment, rows, rng.binomial(rows, rate))


def phases_of(seen: World):
    """The moments of both arms in each phase."""
    found = []
    for inside, x, y in zip(*seen, strict=True):
        sides = []
        for side in (~inside, inside):
            k, h = x[side], y[side]
            sums = (h.sum(), k.sum(), (h * h).sum(), (k * k).sum(), (h * k).sum())
            sides.append(JointMoments.from_sums(int(side.sum()), *map(int, sums)))
        found.append((sides[0], sides[1]))
    return found


def distances(seen: World):
    """What each user adds to the error of the control's and of the treatment's average."""
    n = np.array([[(~inside).sum(), inside.sum()] for inside in seen.in_treatment])
    weights = n.prod(axis=1) / n.sum(axis=1)
    weights = weights / weights.sum()
    own = np.zeros((2, seen.rows.shape[1]))
    for weight, inside, x, y in zip(weights, *seen, strict=True):
        for side, there in ((0, ~inside), (1, inside)):
            rate = y[there].sum() / x[there].sum()
            own[side, there] += weight * (y - rate * x)[there] / x[there].sum()
    return own


def spread_of(seen: World):
    control, treatment = distances(seen)
    return Spread(control @ control, treatment @ treatment, control @ treatment)


def test_tied_phases_have_the_error_of_their_users_distances():
    seen = world(np.random.default_rng(2))
    averaged = share(*phases_of(seen), clustered=spread_of(seen))
    control, treatment = distances(seen)
    for factor in (1.0, 1.1):
        expected = math.sqrt(np.sum((treatment - factor * control) ** 2))
        assert known(averaged.contrast(factor)).se == pytest.approx(expected)
    assert averaged.covariance > 0  # users who changed the arm took their rate along
    assert averaged.control == Estimate(
        value=pytest.approx(share(*phases_of(seen)).control.value),
        se=pytest.approx(np.linalg.norm(control)),
        n=sum(phase[0].n for phase in phases_of(seen)),
    )


@pytest.mark.parametrize("shares", [(0.1, 0.5), (0.3, 0.3)])
def test_tied_phases_have_the_error_that_repetition_shows(shares):
    """Where users keep the arm, phases that were taken for independent promise too much."""
    rng, found = np.random.default_rng(3), []
    for _ in range(600):
        seen = world(rng, shares=shares)
        tied = known(share(*phases_of(seen), clustered=spread_of(seen)).contrast())
        apart = known(share(*phases_of(seen)).contrast())
        found.append((tied.value, tied.se, apart.se))
    values, tied_se, apart_se = np.array(found).T
    assert tied_se.mean() == pytest.approx(values.std(), rel=0.08)
    if shares[0] == shares[1]:
        assert apart_se.mean() < 0.85 * values.std()


def test_ties_weaken_a_decision_and_never_strengthen_it():
    inflations = []
    for seed in range(20):
        seen = world(np.random.default_rng(seed), shares=((0.3, 0.3), (0.05, 0.95))[seed % 2])
        tied = share(*phases_of(seen), clustered=spread_of(seen))
        apart = share(*phases_of(seen))
        inflations.append(known(tied.contrast()).se / known(apart.contrast()).se)
        assert t_of(tied) == pytest.approx(t_of(apart) / max(1, inflations[-1]))
    assert min(inflations) < 1 < 1.15 < max(inflations)


def test_users_who_come_once_tie_nothing():
    seen = world(np.random.default_rng(4), users=4000)
    is_first = np.arange(4000) < 2000
    for table in (seen.rows, seen.hits):
        table[0, ~is_first] = table[1, is_first] = 0
    spread = spread_of(seen)
    assert spread.covariance == 0
    tied, apart = share(*phases_of(seen), clustered=spread), share(*phases_of(seen))
    # Only the divisor differs: n - 1 for the phases' own errors, n for the sum over users.
    assert known(tied.contrast()).se == pytest.approx(known(apart.contrast()).se, rel=0.005)
    assert tied.null_se == pytest.approx(apart.null_se, rel=0.005)


# --- evidence ------------------------------------------------------------------------------------


@given(phases=PHASES)
def test_an_interval_never_excludes_zero_where_the_decision_does_not(phases):
    evidence = share(*(rates(*table) for table in phases)).evidence(min_units=1, min_events=0)
    assume(evidence.z is not None)
    z = abs(known(evidence.z))
    assert abs(known(evidence.estimate)) / known(evidence.se) <= reach(z, evidence.df) + 1e-9


@given(table=tables(min_n=1))
def test_evidence_counts_the_units_of_a_balanced_test(table):
    n_c, n_t = table[1], table[3]
    n = share(rates(*table)).evidence().n
    assert n <= n_c + n_t
    assert n == round(4 / (1 / n_c + 1 / n_t))
    if n_c == n_t:
        assert n == n_c + n_t


@pytest.mark.parametrize(
    ("table", "is_ready"),
    [
        ((50, 100, 60, 100), True),
        ((10, 20, 12, 20), True),
        ((10, 19, 60, 100), False),
        ((50, 100, 10, 19), False),
        ((4, 100, 5, 100), False),
        ((5, 100, 6, 100), True),
        ((96, 100, 95, 100), False),
        ((95, 100, 94, 100), True),
        ((0, 100, 12, 100), True),
        ((0, 900, 12, 100), False),
    ],
)
def test_no_z_before_there_are_enough_units_and_events(table, is_ready):
    evidence = share(rates(*table)).evidence()
    assert (evidence.z is not None) is is_ready
    assert (codes.LOW_COUNTS in evidence.warnings) is not is_ready
    assert evidence.estimate is not None


def test_events_and_units_add_up_over_the_phases():
    averaged = share(rates(3, 60, 5, 60), rates(2, 60, 4, 60))
    assert averaged.events == pytest.approx(7, rel=0.02)
    assert known(averaged.control).n == 120
    assert averaged.evidence().z is not None


@pytest.mark.parametrize(
    ("phases", "warning"),
    [
        ([], codes.EMPTY_ARM),
        ([(EMPTY, EMPTY)], codes.EMPTY_ARM),
        ([rates(5, 10, 0, 0)], codes.EMPTY_ARM),
        ([(SILENT, SILENT)], codes.EMPTY_ARM),
        ([rates(200, 200, 200, 200)], codes.DEGENERATE),
        ([rates(0, 200, 0, 200)], codes.DEGENERATE),
        ([rates(200, 200, 200, 200), rates(0, 200, 0, 200)], codes.DEGENERATE),
        ([rates(1, 1, 1, 1)], codes.DEGENERATE),
        ([rates(1, 2, 1, 2)], codes.LOW_COUNTS),
        ([(arm([(math.nan, 1.0)] * 200), arm([(1.0, 1.0)] * 200))], codes.NOT_FINITE),
        ([(arm([(math.inf, 1.0)] * 200), arm([(1.0, 1.0)] * 200))], codes.NOT_FINITE),
    ],
)
@pytest.mark.parametrize("is_share", [True, False])
def test_data_without_a_test_are_named_and_nothing_is_claimed(phases, warning, is_share):
    evidence = average_ratios(phases, is_share=is_share).evidence()
    assert warning in evidence.warnings
    assert evidence.z is None


def test_arms_that_are_each_of_one_mind_and_differ_are_tested_as_users():
    assert z_of(share(rates(200, 200, 0, 200))) == pytest.approx(-20)
    often = arm([(10, 10)] * 200), arm([(0, 10)] * 200)
    assert t_of(share(often)) == pytest.approx(-20)


def test_few_users_are_named():
    few, enough = share(rates(10, 39, 20, 50)), share(rates(10, 40, 20, 50))
    assert few.warnings == (codes.SMALL_USERS,)
    assert enough.warnings == ()


def test_estimates_of_any_kind_are_averaged_with_the_same_weights():
    one, other = Estimate(value=10.0, se=1.0, n=100), Estimate(value=12.0, se=2.0, n=300)
    averaged = average_estimates([(one, one), (one, other)])
    assert averaged.weights == pytest.approx((0.4, 0.6))
    assert known(averaged.contrast()).value == pytest.approx(0.6 * 2)
    assert known(averaged.contrast()).se ** 2 == pytest.approx(0.4**2 * (1 + 1) + 0.6**2 * (1 + 4))
