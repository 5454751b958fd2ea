"""Means, ratios and covariates: symmetry, scaling, and refusal where there is nothing to test."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.stats import codes
from mlreg.stats.covariates import common_slope, compare_adjusted
from mlreg.stats.estimates import Estimate, compare_estimates, welch_df
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.means import compare_means, mean_estimate, paired_t
from mlreg.stats.moments import Moments
from mlreg.stats.ratios import compare_ratios, design_effect, ratio_estimate
from tests.stats.support import alphas, known, spread_moments

CONTROL = Moments.from_values([12.1, 13.4, 11.8, 15.2, 12.9])
TREATMENT = Moments.from_values([14.8, 15.9, 13.7, 17.1])


@given(control=spread_moments, treatment=spread_moments, alpha=alphas)
def test_swapping_the_arms_turns_the_comparison_round(control, treatment, alpha):
    one = compare_means(control, treatment, alpha=alpha)
    other = compare_means(treatment, control, alpha=alpha)
    assert one.difference == pytest.approx(-known(other.difference))
    assert one.ci_lower == pytest.approx(-known(other.ci_upper))
    assert one.p_value == pytest.approx(other.p_value)
    assert one.df == pytest.approx(other.df)


@given(control=spread_moments, treatment=spread_moments, factor=st.floats(0.01, 100))
def test_the_unit_of_measurement_does_not_change_the_p_value(control, treatment, factor):
    def scaled(arm):
        return Moments(n=arm.n, mean=arm.mean * factor, variance=arm.variance * factor**2)

    one = compare_means(control, treatment)
    other = compare_means(scaled(control), scaled(treatment))
    assert other.p_value == pytest.approx(one.p_value, rel=1e-6, abs=1e-12)
    assert other.difference == pytest.approx(known(one.difference) * factor, rel=1e-9, abs=1e-9)


@given(control=spread_moments, treatment=spread_moments, alpha=alphas)
def test_the_interval_excludes_zero_exactly_when_the_test_rejects(control, treatment, alpha):
    result = compare_means(control, treatment, alpha=alpha)
    excludes_zero = known(result.ci_lower) > 0 or known(result.ci_upper) < 0
    assert excludes_zero == result.is_significant or result.p_value == pytest.approx(alpha)


@given(control=spread_moments, treatment=spread_moments)
def test_degrees_of_freedom_lie_between_the_smaller_arm_and_the_sum(control, treatment):
    df = known(compare_means(control, treatment).df)
    smaller = min(control.n, treatment.n) - 1
    assert smaller - 1e-6 <= df <= control.n + treatment.n - 2 + 1e-6


@pytest.mark.parametrize(
    ("control", "treatment", "code"),
    [
        ([], [1, 2], codes.EMPTY_ARM),
        ([1, 2], [], codes.EMPTY_ARM),
        ([1], [1, 2], codes.TOO_FEW),
        ([5, 5, 5], [6, 6, 6], codes.DEGENERATE),
        ([0.1] * 3, [0.2] * 7, codes.DEGENERATE),
        ([1, math.nan], [1, 2], codes.NOT_FINITE),
        ([1, math.inf], [1, 2], codes.NOT_FINITE),
        ([1e200, 3e200], [1, 2], codes.NOT_FINITE),
    ],
)
def test_data_that_allow_no_test_get_a_code_and_no_p_value(control, treatment, code):
    result = compare_means(Moments.from_values(control), Moments.from_values(treatment))
    assert code in result.warnings
    assert (result.p_value, result.ci_lower, result.se) == (None, None, None)
    assert not result.is_significant


def test_what_is_known_of_untestable_arms_is_still_shown():
    result = compare_means(Moments.from_values([5, 5, 5]), Moments.from_values([6, 6, 6]))
    assert (result.control, result.treatment, result.difference) == (5, 6, 1)


def test_a_huge_t_has_a_p_value_above_zero():
    arms = (Moments(n=50, mean=mean, variance=1.0) for mean in (0.0, 30.0))
    assert 0 < known(compare_means(*arms).p_value) < 1e-50


def test_a_mean_around_zero_has_no_lift():
    result = compare_means(Moments.from_values([-1, 0, 1]), Moments.from_values([1, 2, 4]))
    assert result.lift is None
    assert codes.LIFT_UNDEFINED in result.warnings


def test_results_hold_plain_floats():
    result = compare_means(CONTROL, TREATMENT)
    assert type(result.p_value) is float
    assert type(result.ci_lower) is float


def test_a_one_sided_result_says_so_and_leaves_a_side_open():
    result = compare_means(CONTROL, TREATMENT, alternative="greater")
    assert result.alternative == "greater"
    assert result.ci_upper == math.inf


def test_estimates_without_degrees_of_freedom_use_the_normal():
    arms = Estimate(value=1.0, se=0.1, n=50), Estimate(value=1.3, se=0.1, n=50)
    by_z, by_t = (compare_estimates(*arms, method="x", df=df) for df in (None, welch_df(*arms)))
    assert known(by_z.p_value) < known(by_t.p_value)
    assert by_z.df is None


@pytest.mark.parametrize(
    ("differences", "code"),
    [([], codes.EMPTY_ARM), ([1], codes.TOO_FEW), ([2, 2], codes.DEGENERATE)],
)
def test_pairs_without_variation_are_refused(differences, code):
    result = paired_t(Moments.from_values(differences))
    assert result.warnings == (code,)
    assert result.p_value is None


# --- ratios ------------------------------------------------------------------------------------

USERS = JointMoments.from_values([3, 0, 1, 9, 1, 4] * 10, [7, 1, 2, 10, 3, 4] * 10)


def test_users_with_one_prediction_each_are_a_plain_proportion():
    users = JointMoments.from_values([1, 0, 0, 1, 1, 0, 1, 1] * 10, [1] * 80)
    estimate = ratio_estimate(users)
    plain = mean_estimate(users.y)
    assert (estimate.value, estimate.se) == pytest.approx((plain.value, plain.se))
    assert design_effect(users) == pytest.approx(80 / 79)


def test_answers_that_agree_within_users_inflate_the_error():
    loyal = JointMoments.from_values([10, 0] * 20, [10, 10] * 20)
    assert design_effect(loyal) == pytest.approx(10, rel=0.05)


def test_swapping_the_arms_turns_the_ratio_comparison_round():
    other = JointMoments.from_values([2, 3, 3, 10, 1, 2] * 8, [3, 4, 4, 12, 2, 5] * 8)
    one, two = compare_ratios(USERS, other), compare_ratios(other, USERS)
    assert one.difference == pytest.approx(-known(two.difference))
    assert one.p_value == pytest.approx(two.p_value)
    assert one.warnings == ()


def test_few_users_are_flagged():
    few = JointMoments.from_values([1, 2, 3], [2, 3, 5])
    assert codes.SMALL_USERS in compare_ratios(USERS, few).warnings


@pytest.mark.parametrize(
    ("y", "x", "code"),
    [
        ([], [], codes.EMPTY_ARM),
        ([0, 0], [0, 0], codes.EMPTY_ARM),
        ([1], [2], codes.TOO_FEW),
    ],
)
def test_arms_without_denominators_are_refused(y, x, code):
    result = compare_ratios(USERS, JointMoments.from_values(y, x))
    assert code in result.warnings
    assert result.p_value is None


def test_a_design_effect_needs_a_rate_between_zero_and_one():
    assert design_effect(JointMoments.from_values([2, 3], [2, 3])) is None
    assert design_effect(JointMoments.from_values([], [])) is None


# --- covariates --------------------------------------------------------------------------------


def test_a_covariate_that_explains_the_metric_narrows_the_interval():
    x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] * 5
    noise = [0.1, -0.2, 0.15, -0.1, 0.05] * 6
    control = JointMoments.from_values([a + b for a, b in zip(x, noise, strict=True)], x)
    treatment = JointMoments.from_values(
        [a + b + 0.3 for a, b in zip(x, noise[::-1], strict=True)], x
    )
    adjusted, plain = compare_adjusted(control, treatment), compare_means(control.y, treatment.y)
    assert known(adjusted.se) < known(plain.se) / 5
    assert adjusted.difference == pytest.approx(plain.difference, abs=1e-9)


def test_a_constant_covariate_adjusts_nothing():
    control = JointMoments.from_values([1, 2, 4], [7, 7, 7])
    treatment = JointMoments.from_values([2, 3, 3], [7, 7, 7])
    assert common_slope(control, treatment) == 0
    adjusted, plain = compare_adjusted(control, treatment), compare_means(control.y, treatment.y)
    assert adjusted.p_value == pytest.approx(plain.p_value)


def test_an_arm_without_units_is_refused_with_covariates_too():
    empty = JointMoments.from_values([], [])
    assert codes.EMPTY_ARM in compare_adjusted(empty, USERS).warnings
