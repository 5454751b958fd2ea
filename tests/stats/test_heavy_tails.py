"""How far a variance may be trusted: against what is known of a few distributions."""

import math

import numpy as np
import pytest

from mlreg.stats.heavy_tails import Sizes, variance_error
from mlreg.stats.moments import Moments


def error_of(values) -> float:
    sizes = [abs(value) for value in values if value]
    squares = sum(size * size for size in sizes)
    return variance_error(Moments.from_values(values), Sizes(len(sizes), sum(sizes), squares))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 0.95, 0.99])
def test_many_values_that_are_all_or_nothing_have_the_error_of_a_rate(share: float):
    n, hits = 10**7, 10**7 * share
    kurtosis = 1 / (share * (1 - share)) - 3
    values = Moments(n=n, mean=share, variance=share * (1 - share))
    found = variance_error(values, Sizes(hits, hits, hits))
    assert found == pytest.approx(math.sqrt((kurtosis - 1) / n), rel=0.01, abs=1e-5)


def test_few_sizes_that_are_alike_are_not_taken_to_stay_so():
    values = Moments(n=10_000, mean=0.002, variance=0.002)
    errors = [variance_error(values, Sizes(m, m, m)) for m in (20, 200, 2000)]
    assert errors[0] > 1 > errors[1] > errors[2]


def test_log_normal_values_have_their_own_kurtosis():
    """With w = exp(s²) it is w⁴ + 2w³ + 3w² - 3 (Aitchison & Brown 1957)."""
    draw, spread, n = np.random.default_rng(1), 0.5, 200_000
    w = math.exp(spread**2)
    expected = math.sqrt((w**4 + 2 * w**3 + 3 * w**2 - 4) / n)
    assert error_of(np.exp(draw.normal(0, spread, n))) == pytest.approx(expected, rel=0.1)


def test_values_of_both_signs_are_not_taken_for_rare_ones():
    draw = np.random.default_rng(2)
    assert error_of(draw.choice([-1.0, 1.0], 1000)) < 0.05
    assert error_of(draw.normal(0, 1, 1000)) < 0.15


def test_a_few_purchases_say_nothing_of_their_variance():
    draw = np.random.default_rng(3)
    purchases = np.exp(draw.normal(0, 1.5, 20))
    assert error_of([*purchases, *[0.0] * 7000]) > 1


@pytest.mark.parametrize("values", [[0.0] * 50, [3.0] * 50, [1.0]])
def test_without_a_variance_there_is_nothing_to_trust(values: list[float]):
    assert error_of(values) == math.inf
