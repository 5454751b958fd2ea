"""Quantiles: of values and of histograms, with limits that say when there are none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.stats import codes
from mlreg.stats.quantiles import (
    Bucket,
    QuantileEstimate,
    compare_quantiles,
    log_buckets,
    min_n_for_limits,
    quantile_estimate,
    quantile_of_histogram,
    quantile_of_values,
)
from tests.stats.support import known

GROWTH = 1.02


def histogram(values, growth=GROWTH):
    """A log-bucket histogram of positive values, as a summary of latencies keeps it."""
    indices = np.ceil(np.log(values) / math.log(growth) - 1e-9).astype(int)
    found, counts = np.unique(indices, return_counts=True)
    edges = [
        (growth**index, count) for index, count in zip(found.tolist(), counts.tolist(), strict=True)
    ]
    return log_buckets(edges, growth)


def latencies(seed, n=3000, scale=100.0):
    return np.random.default_rng(seed).lognormal(math.log(scale), 0.6, n)


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    quantile=st.sampled_from([0.05, 0.5, 0.9, 0.95]),
)
def test_the_estimate_is_that_of_numpy_and_lies_between_its_limits(values, quantile):
    result = quantile_of_values(values, quantile)
    value = known(result.value)
    assert value == pytest.approx(float(np.quantile(values, quantile)), rel=1e-9, abs=1e-6)
    assert result.low is None or result.low <= value + 1e-9
    assert result.high is None or result.high >= value - 1e-9


@pytest.mark.parametrize(("quantile", "n"), [(0.5, 6), (0.95, 72), (0.99, 368)])
def test_the_smallest_sample_with_both_limits_is_known(quantile, n):
    assert min_n_for_limits(quantile) == n
    enough, too_few = (quantile_of_values(range(size), quantile) for size in (n, n - 1))
    assert (enough.low, enough.high) != (None, None)
    assert enough.warnings == ()
    assert None in (too_few.low, too_few.high)
    assert too_few.warnings == (codes.THIN_TAIL,)
    assert too_few.se is None


def test_the_limits_cover_the_true_quantile_as_often_as_they_say():
    rng = np.random.default_rng(1)
    covered = 0
    for sample in rng.uniform(size=(400, 200)):
        result = quantile_of_values(sample.tolist(), 0.9)
        covered += known(result.low) <= 0.9 <= known(result.high)
    assert 0.93 <= covered / 400 <= 0.99


@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
def test_a_histogram_agrees_with_its_values_within_a_bucket(quantile):
    values = latencies(2)
    exact = quantile_of_values(values.tolist(), quantile)
    binned = quantile_of_histogram(histogram(values), quantile)
    assert binned.n == exact.n
    assert binned.value == pytest.approx(exact.value, rel=GROWTH - 1)
    assert known(exact.low) / GROWTH <= known(binned.low) <= known(exact.low)
    assert known(exact.high) <= known(binned.high) <= known(exact.high) * GROWTH


def test_histograms_merge_by_adding_counts():
    one, two = latencies(3), latencies(4)
    counts: dict[tuple[float, float], int] = {}
    for lower, upper, n in [*histogram(one), *histogram(two)]:
        edges = (round(lower, 9), round(upper, 9))
        counts[edges] = counts.get(edges, 0) + n
    merged = [Bucket(*edges, n) for edges, n in sorted(counts.items())]
    together = histogram(np.concatenate([one, two]))
    assert quantile_of_histogram(merged, 0.95).value == pytest.approx(
        quantile_of_histogram(together, 0.95).value
    )


def test_a_bucket_at_zero_is_interpolated_on_the_plain_scale():
    result = quantile_of_histogram([Bucket(0.0, 1.0, 10), Bucket(1.0, 2.0, 0)], 0.5)
    assert result.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("buckets", "message"),
    [
        ([Bucket(2, 1, 3)], "must not end before it begins"),
        ([Bucket(1, 2, -3)], "bucket's n must be"),
        ([Bucket(2, 3, 1), Bucket(1, 2, 1)], "ascending order"),
    ],
)
def test_impossible_histograms_are_refused(buckets, message):
    with pytest.raises(ValueError, match=message):
        quantile_of_histogram(buckets, 0.5)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="growth must be above 1"):
        log_buckets([], 1.0)
    with pytest.raises(ValueError, match="quantile must lie"):
        quantile_of_values([1, 2], 95)
    with pytest.raises(ValueError, match="cannot compare quantiles"):
        compare_quantiles(quantile_of_values([1], 0.5), quantile_of_values([1], 0.9))


def test_swapping_the_arms_turns_the_comparison_round():
    arms = [quantile_of_values(latencies(seed).tolist(), 0.95) for seed in (5, 6)]
    one, other = compare_quantiles(*arms), compare_quantiles(*arms[::-1])
    assert one.difference == pytest.approx(-known(other.difference))
    assert one.p_value == pytest.approx(other.p_value)
    assert one.warnings == ()


def test_a_slower_arm_is_found_from_histograms():
    arms = [histogram(latencies(7)), histogram(latencies(8, scale=130.0))]
    result = compare_quantiles(*(quantile_of_histogram(arm, 0.95) for arm in arms))
    assert result.is_significant
    assert known(result.ci_lower) > 0


def test_users_widen_the_error_by_their_design_effect():
    arm = quantile_of_values(latencies(9).tolist(), 0.95)
    plain, clustered = quantile_estimate(arm), quantile_estimate(arm, 4.0)
    assert clustered.se == pytest.approx(2 * plain.se)


@pytest.mark.parametrize(
    ("values", "code"), [([], codes.EMPTY_ARM), ([1.0, math.nan], codes.NOT_FINITE)]
)
def test_data_without_a_quantile_get_a_code(values, code):
    assert code in quantile_of_values(values, 0.5).warnings


def test_arms_too_small_for_limits_are_not_compared():
    small = quantile_of_values([1.0, 2.0, 3.0], 0.95)
    result = compare_quantiles(small, small)
    assert result.p_value is None
    assert codes.THIN_TAIL in result.warnings
    assert result.difference == 0


def test_an_empty_arm_is_not_compared():
    empty = QuantileEstimate(quantile=0.5, n=0, value=None, low=None, high=None)
    full = quantile_of_values(latencies(10).tolist(), 0.5)
    assert codes.EMPTY_ARM in compare_quantiles(full, empty).warnings
