"""Moments: the same numbers from values, from sums and from merged parts."""

import math
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.moments import Moments
from tests.stats.support import values

EMPTY = Moments(n=0, mean=0.0, variance=0.0)


def close(one, other, scale=1.0):
    assert one.n == other.n
    assert one.mean == pytest.approx(other.mean, rel=1e-9, abs=1e-9 * scale)
    assert one.variance == pytest.approx(other.variance, rel=1e-6, abs=1e-9 * scale * scale)


@given(parts=st.lists(values, max_size=5), data=st.data())
def test_merging_parts_in_any_order_gives_the_moments_of_the_whole(parts, data):
    whole = Moments.from_values([value for part in parts for value in part])
    shuffled = data.draw(st.permutations(parts))
    merged = reduce(add, (Moments.from_values(part) for part in shuffled), EMPTY)
    close(merged, whole, scale=max((abs(v) for part in parts for v in part), default=1) or 1)


@given(numbers=st.lists(st.integers(-1000, 1000), min_size=1, max_size=30))
def test_sums_of_whole_numbers_give_the_moments_of_the_values(numbers):
    squares = sum(number * number for number in numbers)
    close(Moments.from_sums(len(numbers), sum(numbers), squares), Moments.from_values(numbers))


@given(numbers=st.lists(st.floats(-100, 100), min_size=2), factor=st.floats(0.1, 10))
def test_variance_scales_with_the_square(numbers, factor):
    one = Moments.from_values(numbers)
    other = Moments.from_values([factor * number for number in numbers])
    assert other.variance == pytest.approx(factor**2 * one.variance, rel=1e-6, abs=1e-9)


def test_moments_agree_with_numpy():
    data = np.random.default_rng(0).normal(5, 2, 50)
    moments = Moments.from_values(data)
    assert moments.mean == pytest.approx(data.mean())
    assert moments.variance == pytest.approx(data.var(ddof=1))
    assert moments.mean_variance == pytest.approx(data.var(ddof=1) / 50)


def test_a_shift_saves_the_digits_of_a_large_mean():
    data = [1e9 + i % 3 for i in range(3000)]
    shifted = [value - 1e9 for value in data]
    squares = sum(value * value for value in shifted)
    moments = Moments.from_sums(len(data), sum(shifted), squares, shift=1e9)
    close(moments, Moments.from_values(data))


def test_rounded_sums_of_a_constant_have_no_ghost_variance():
    total = squares = 0.0
    for _ in range(1000):
        total += 0.1
        squares += 0.1 * 0.1
    assert Moments.from_sums(1000, total, squares).variance == 0


def test_whole_number_sums_keep_a_tiny_variance_against_a_huge_mean():
    numbers = [10**9, 10**9 + 1, 10**9 + 2]
    moments = Moments.from_sums(3, sum(numbers), sum(n * n for n in numbers))
    assert moments.variance == pytest.approx(1.0)


def test_numpy_whole_numbers_do_not_overflow():
    total, squares = np.array([6 * 10**9, 36 * 10**18 // 4 + 10**6], dtype=np.int64)
    moments = Moments.from_sums(4, total, squares)
    assert moments.variance == pytest.approx(10**6 / 3)


@pytest.mark.parametrize("data", [[], [3.0]])
def test_too_little_data_has_no_variance(data):
    moments = Moments.from_values(data)
    assert (moments.n, moments.variance) == (len(data), 0.0)
    assert moments.mean_variance == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_without_a_number_give_moments_that_say_so(bad):
    assert not Moments.from_values([1.0, bad, -bad]).is_finite


def test_values_beyond_the_floats_do_not_raise():
    assert not Moments.from_values([1e308, 1e308, -1e308, 1e200]).is_finite


@pytest.mark.parametrize(
    ("change", "message"),
    [({"n": -1}, "n must be"), ({"variance": -0.5}, "variance must not be negative")],
)
def test_impossible_moments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Moments(**({"n": 3, "mean": 0.0, "variance": 1.0} | change))


@given(
    data=st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), max_size=20),
    cut=st.integers(0, 20),
)
def test_joint_moments_merge_and_agree_with_their_sums(data, cut):
    y, x = [a for a, _ in data], [b for _, b in data]
    whole = JointMoments.from_values(y, x)
    parts = JointMoments.from_values(y[:cut], x[:cut]) + JointMoments.from_values(y[cut:], x[cut:])
    sums = (
        sum(y),
        sum(x),
        sum(a * a for a in y),
        sum(b * b for b in x),
        sum(a * b for a, b in data),
    )
    for other in (parts, JointMoments.from_sums(len(data), *sums)):
        close(other.y, whole.y)
        close(other.x, whole.x)
        assert other.covariance == pytest.approx(whole.covariance, rel=1e-9, abs=1e-9)


def test_joint_moments_need_as_many_y_as_x():
    with pytest.raises(ValueError, match="as many values"):
        JointMoments(y=EMPTY, x=Moments.from_values([1, 2]), covariance=0.0)
