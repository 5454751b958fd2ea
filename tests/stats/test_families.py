"""Families of tests, sample ratios and pairs: invariants beyond the reference numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.stats import codes, multiplicity, paired, srm
from mlreg.stats.srm import Epoch, sample_ratio, sequential_sample_ratio
from tests.stats.support import known

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=12)
METHODS = [
    multiplicity.bonferroni,
    multiplicity.holm,
    multiplicity.benjamini_hochberg,
    multiplicity.benjamini_yekutieli,
]


# --- several p-values --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@given(p_values=p_lists, data=st.data())
def test_adjustment_follows_the_order_of_the_inputs(method, p_values, data):
    order = data.draw(st.permutations(range(len(p_values))))
    one = method(p_values).p_values
    other = method([p_values[i] for i in order]).p_values
    assert list(other) == pytest.approx([one[i] for i in order])


@pytest.mark.parametrize("method", METHODS)
@given(p_values=p_lists)
def test_adjusted_values_are_no_smaller_and_keep_their_ranks(method, p_values):
    adjusted = [known(p) for p in method(p_values).p_values]
    assert all(raw - 1e-12 <= new <= 1 for raw, new in zip(p_values, adjusted, strict=True))
    ranked = [new for _, new in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)


@given(p_values=p_lists)
def test_the_methods_are_ordered_by_strictness(p_values):
    strict, holm, lenient = (
        [known(p) for p in method(p_values).p_values]
        for method in (METHODS[0], METHODS[1], METHODS[2])
    )
    assert all(a >= b - 1e-12 for a, b in zip(strict, holm, strict=True))
    assert all(a >= b - 1e-12 for a, b in zip(holm, lenient, strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_p_value_stays_out_of_the_family(method):
    with_gaps = method([0.01, None, 0.04, math.nan])
    assert with_gaps.p_values[1] is None
    assert with_gaps.p_values[3] is None
    assert not with_gaps.rejected[3]
    assert [p for p in with_gaps.p_values if p is not None] == list(method([0.01, 0.04]).p_values)
    assert method([]).p_values == ()


def test_values_that_are_no_probabilities_are_refused():
    with pytest.raises(ValueError, match="p-values must lie between 0 and 1"):
        multiplicity.holm([0.2, 1.2])


# --- sample ratio ------------------------------------------------------------------------------


def test_the_scale_of_the_weights_does_not_matter():
    one, other = (sample_ratio(Epoch((480, 520), weights)) for weights in ((0.5, 0.5), (1, 1)))
    assert one == other


def test_arms_without_weight_take_no_degree_of_freedom():
    with_idle = sample_ratio(Epoch((480, 540, 0), (0.5, 0.5, 0)))
    assert with_idle.df == 1
    assert with_idle.p_value == pytest.approx(sample_ratio(Epoch((480, 540), (1, 1))).p_value)


@pytest.mark.parametrize("check", [sample_ratio, sequential_sample_ratio])
def test_units_in_an_arm_without_weight_are_a_loud_alarm(check):
    result = check(Epoch((480, 540, 1), (0.5, 0.5, 0)))
    assert result.p_value == 0
    assert result.is_mismatch
    assert result.warnings == (codes.ZERO_WEIGHT_TRAFFIC, codes.SRM)


def test_small_counts_choose_the_exact_test():
    assert sample_ratio(Epoch((3, 4), (1, 1))).method == "exact_binomial"
    assert sample_ratio(Epoch((500, 1), (0.995, 0.005))).method == "exact_binomial"
    three = sample_ratio(Epoch((3, 4, 2), (1, 1, 1)))
    assert three.method == "chi2"
    assert three.warnings == (codes.LOW_COUNTS,)


def test_no_traffic_is_no_mismatch():
    for check in (sample_ratio, sequential_sample_ratio):
        result = check(Epoch((0, 0), (1, 1)))
        assert result.p_value == 1
        assert not result.is_mismatch


def test_a_ramp_is_judged_by_the_weights_of_each_epoch():
    ramp = [Epoch((9000, 1000), (0.9, 0.1)), Epoch((5000, 5000), (0.5, 0.5))]
    assert sample_ratio(ramp).p_value == pytest.approx(1)
    assert sequential_sample_ratio(ramp).p_value == 1
    assert sample_ratio(Epoch((14_000, 6000), (0.5, 0.5))).is_mismatch
    assert sample_ratio(ramp).expected == pytest.approx((14_000, 6000))


def test_identical_epochs_count_as_one():
    parts = [Epoch((510, 480, 200), (5, 5, 2)), Epoch((490, 530, 190), (5, 5, 2))]
    whole = Epoch((1000, 1010, 390), (5, 5, 2))
    one, other = sample_ratio(parts), sample_ratio(whole)
    assert one.statistic == pytest.approx(other.statistic)
    assert one.df == other.df == 2


@given(counts=st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), previous=st.floats(0, 1))
def test_the_running_p_value_never_rises(counts, previous):
    result = sequential_sample_ratio(Epoch(counts, (1, 1)), previous_p=previous)
    assert result.p_value <= previous


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Epoch((1, 2), (1, 1, 1)), "one weight per arm"),
        (lambda: Epoch((-1, 2), (1, 1)), "observed count must be"),
        (lambda: Epoch((1, 2), (0, 0)), "sum of the weights"),
        (lambda: sample_ratio([]), "one or more epochs"),
        (lambda: sample_ratio([Epoch((1,), (1,)), Epoch((1, 2), (1, 1))]), "same arms"),
        (lambda: sample_ratio(Epoch((1, 2), (1, 1)), method="g"), "method must be one of"),
        (lambda: sample_ratio(Epoch((1, 2, 3), (1, 1, 1)), method="exact"), "two weighted arms"),
        (lambda: sequential_sample_ratio(Epoch((1,), (1,)), concentration=0), "concentration must"),
    ],
)
def test_impossible_splits_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_log_factor_of_a_perfect_split_speaks_for_the_weights():
    assert srm.log_bayes_factor(Epoch((5000, 5000), (1, 1))) < 0


# --- pairs -------------------------------------------------------------------------------------


@given(b=st.integers(0, 200), c=st.integers(0, 200), agreed=st.integers(0, 500))
def test_swapping_the_versions_turns_the_pairs_round(b, c, agreed):
    one, other = paired.mcnemar(b, c, b + c + agreed), paired.mcnemar(c, b, b + c + agreed)
    assert one.p_value == pytest.approx(other.p_value)
    assert (one.difference or 0) == pytest.approx(-(other.difference or 0))
    assert 0 <= one.mid_p <= one.exact_p + 1e-12 <= 1 + 1e-12


def test_few_disagreements_use_the_exact_test():
    few, many = paired.mcnemar(4, 15, 100), paired.mcnemar(10, 25, 100)
    assert (few.method, few.p_value) == ("mcnemar_exact", few.exact_p)
    assert (many.method, many.p_value) == ("mcnemar_mid_p", many.mid_p)
    assert few.warnings == (codes.LOW_COUNTS,)
    assert many.is_significant


@pytest.mark.parametrize(("n", "code"), [(0, codes.EMPTY_ARM), (50, codes.DEGENERATE)])
def test_versions_that_never_disagree_do_not_differ(n, code):
    result = paired.mcnemar(0, 0, n)
    assert result.p_value == 1
    assert result.warnings == (code,)
    assert result.ci_lower is None


def test_pairs_can_be_peeked_at():
    p = 1.0
    for b, c in ((5, 20), (12, 60), (30, 140)):
        p = paired.sequential_p_value(b, c, previous_p=p)
    assert p < 0.001
    assert paired.sequential_p_value(10, 10) == 1


def test_more_disagreements_than_pairs_are_refused():
    with pytest.raises(ValueError, match="exceed n = 5"):
        paired.mcnemar(3, 4, 5)
    with pytest.raises(ValueError, match="only_control must be"):
        paired.mcnemar(-1, 4, 5)
