"""Rates: limits that never collapse, tests that fit the counts, and answers for empty arms."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlreg.stats import codes
from mlreg.stats.distributions import normal_as_student, normal_tail, student_as_normal
from mlreg.stats.exact import exact_p_value, mid_p_z
from mlreg.stats.lifts import delta_lift, katz_lift, log_lift
from mlreg.stats.proportions import (
    clopper_pearson,
    compare_proportions,
    newcombe,
    pooled_z,
    wilson,
    z_test,
)
from tests.stats.support import alphas, known, swapped, tables

LARGE = tables(min_n=600)


@given(n=st.integers(1, 10**7), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.95, 0.999]))
def test_limits_of_a_rate_hold_it_and_stay_within_zero_and_one(n, share, level):
    successes = round(share * n)
    for limits in (wilson(successes, n, level), clopper_pearson(successes, n, level)):
        assert limits is not None
        assert 0 <= limits.low <= successes / n <= limits.high <= 1
        assert limits.low < limits.high


@given(n=st.integers(1, 5000), share=st.floats(0, 1))
def test_the_limits_of_failures_mirror_those_of_successes(n, share):
    successes = round(share * n)
    limits, mirrored = wilson(successes, n), wilson(n - successes, n)
    assert known(limits).low == pytest.approx(1 - known(mirrored).high, abs=1e-12)


@given(n=st.integers(2, 500))
def test_limits_rise_with_the_successes(n):
    lows = [known(wilson(k, n)).low for k in range(n + 1)]
    assert lows == sorted(lows)


@given(table=LARGE, alpha=alphas)
def test_swapping_the_arms_turns_the_comparison_round(table, alpha):
    one = compare_proportions(*table, alpha=alpha)
    other = compare_proportions(*swapped(table), alpha=alpha)
    assert one.difference == pytest.approx(-known(other.difference))
    assert one.ci_lower == pytest.approx(-known(other.ci_upper), abs=1e-12)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-6)
    assert one.method == other.method


@settings(max_examples=25, deadline=None)
@given(table=tables(max_n=60, min_n=1))
def test_every_small_table_has_an_answer(table):
    result = compare_proportions(*table)
    low, high = known(result.ci_lower), known(result.ci_upper)
    assert 0 <= known(result.p_value) <= 1
    assert -1 <= low <= known(result.difference) <= high <= 1
    assert low < high
    assert (codes.LOW_COUNTS in result.warnings) == (result.method != "z_pooled")


@given(table=tables(min_n=1), factor=st.integers(2, 5))
def test_more_of_the_same_is_stronger_evidence(table, factor):
    z = pooled_z(*table)
    assume(z is not None)
    larger = pooled_z(*(factor * count for count in table))
    assert abs(known(larger)) >= abs(known(z))


@given(table=tables(min_n=1))
def test_a_higher_level_never_narrows_the_interval(table):
    wide, narrow = (known(newcombe(*table, alpha=alpha)) for alpha in (0.01, 0.1))
    assert wide.low <= narrow.low <= narrow.high <= wide.high


@pytest.mark.parametrize(
    ("table", "method"),
    [
        ((480, 10_000, 560, 10_000), "z_pooled"),
        ((1, 20, 4, 20), "boschloo"),
        ((1, 400, 4, 400), "fisher"),
        ((399, 400, 396, 400), "fisher"),
    ],
)
def test_the_counts_choose_the_method(table, method):
    assert compare_proportions(*table).method == method


def test_the_difference_is_tested_on_the_absolute_scale():
    result = compare_proportions(3, 4000, 11, 4000)
    assert known(result.p_value) < 0.06
    assert known(result.lift_ci_upper) > 5


@pytest.mark.parametrize("table", [(0, 0, 3, 10), (3, 10, 0, 0), (0, 0, 0, 0)])
@pytest.mark.parametrize("compare", [compare_proportions, z_test])
def test_an_empty_arm_is_named_and_nothing_is_claimed(compare, table):
    result = compare(*table)
    assert result.warnings == (codes.EMPTY_ARM,)
    assert result.p_value is None
    assert result.difference is None
    assert not result.is_significant


@pytest.mark.parametrize("successes", [0, 50])
@pytest.mark.parametrize("compare", [compare_proportions, z_test])
def test_arms_without_variation_differ_in_nothing(compare, successes):
    result = compare(successes, 50, successes, 50)
    assert result.p_value == 1
    assert codes.DEGENERATE in result.warnings
    assert codes.LIFT_UNDEFINED in result.warnings


def test_a_degenerate_wald_interval_is_refused_and_newcombe_is_not():
    assert z_test(0, 50, 50, 50).ci_lower is None
    assert known(newcombe(0, 50, 50, 50)).low < 1


def test_tiny_p_values_are_not_rounded_to_zero():
    assert 0 < known(compare_proportions(1000, 10_000, 2600, 10_000).p_value) < 1e-100


@pytest.mark.parametrize("rate_limits", [wilson, clopper_pearson])
def test_no_units_have_no_limits(rate_limits):
    assert rate_limits(0, 0) is None
    assert newcombe(0, 0, 1, 2) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 3, 1, 3), "successes must lie between 0 and n = 3"),
        ((-1, 3, 1, 3), "successes must lie between"),
        ((1, -3, 1, 3), "n must be a finite count"),
        ((1, 3, math.nan, 3), "successes must lie between"),
    ],
)
@pytest.mark.parametrize("compare", [compare_proportions, z_test])
def test_impossible_counts_are_refused(compare, arguments, message):
    with pytest.raises(ValueError, match=message):
        compare(*arguments)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.5, math.nan])
def test_a_level_outside_zero_and_one_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha must lie strictly between 0 and 1"):
        compare_proportions(1, 3, 1, 3, alpha=alpha)


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="alternative must be one of"):
        z_test(10, 30, 12, 30, alternative="bigger")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="method must be one of fisher, boschloo"):
        exact_p_value(1, 3, 1, 3, method="barnard")


@given(table=tables(max_n=40, min_n=1))
def test_one_sided_exact_tests_share_the_observed_table(table):
    pair = [
        exact_p_value(*table, method="fisher", alternative=side) for side in ("greater", "less")
    ]
    assert sum(pair) >= 1 - 1e-9
    assert all(0 <= p <= 1 for p in pair)


@given(table=tables(max_n=60, min_n=1))
def test_the_mid_p_is_half_of_the_observed_table_and_all_beyond(table):
    from scipy.stats import hypergeom

    successes_c, n_c, successes_t, n_t = table
    law = hypergeom(n_c + n_t, successes_c + successes_t, n_t)
    above = law.sf(successes_t) + law.pmf(successes_t) / 2
    z = mid_p_z(*table)
    assert normal_tail(abs(z)) == pytest.approx(min(above, 1 - above), abs=1e-9)
    assert z == pytest.approx(0, abs=1e-6) or (z > 0) is bool(above < 0.5)
    assert mid_p_z(*swapped(table)) == pytest.approx(-z, abs=1e-7)


@pytest.mark.parametrize("df", [19, 59, 400])
@pytest.mark.parametrize("t", [-40.0, -2.0, 0.0, 0.5, 1.96, 6.0])
def test_few_degrees_of_freedom_make_the_same_t_less_unlikely(t: float, df: float):
    z = student_as_normal(t, df)
    assert abs(z) <= abs(t)
    assert normal_as_student(z, df) == pytest.approx(t, abs=1e-6)


@pytest.mark.parametrize(
    ("table", "is_known", "has_interval"),
    [
        ((0, 10, 3, 10), False, False),
        ((3, 10, 0, 10), True, False),
        ((10, 10, 10, 10), True, False),
        ((3, 10, 5, 10), True, True),
        ((0, 0, 1, 2), False, False),
    ],
)
def test_a_lift_is_given_only_where_it_means_something(table, is_known, has_interval):
    lift = katz_lift(*table)
    assert (lift.value is not None) == is_known
    assert (lift.low is not None) == has_interval


def test_lifts_of_a_control_near_zero_are_undefined():
    assert log_lift(0.1, 1.0, 5.0, 0.1).value is None
    assert log_lift(-5.0, 0.1, 5.0, 0.1).value is None
    assert log_lift(5.0, 0.1, -5.0, 0.1).low is None
    assert log_lift(5.0, 0.1, 1e-9, 1.0).low is None
    assert log_lift(5e-324, 0.0, 5.0, 0.1).value is None
    assert log_lift(1e-300, 0.0, 1e8, 6e7).low is None
    assert delta_lift(0.0, 1.0, 5.0, 1.0).value is None
    assert delta_lift(-5.0, 0.1, -6.0, 0.1).value == pytest.approx(0.2)
