"""Sample sizes, power and detectable effects that agree with each other."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.stats import power
from tests.stats.support import known

ratios = st.sampled_from([0.25, 0.5, 1.0, 3.0])
powers = st.sampled_from([0.6, 0.8, 0.95])


@given(control=st.floats(0.02, 0.9), change=st.floats(0.01, 0.05), ratio=ratios, target=powers)
def test_the_planned_size_reaches_the_planned_power(control, change, ratio, target):
    size = power.proportion_sample_size(control, control + change, power=target, ratio=ratio)
    reached = power.proportion_power(control, control + change, size.exact_control, ratio=ratio)
    assert reached == pytest.approx(target, abs=1e-9)


@given(
    control=st.floats(0.05, 0.9),
    n=st.integers(500, 50_000),
    direction=st.sampled_from(["up", "down"]),
)
def test_the_detectable_change_is_found_with_the_planned_power(control, n, direction):
    change = power.proportion_mde(control, n, direction=direction)
    if change is not None:
        treatment = control + (change if direction == "up" else -change)
        assert power.proportion_power(control, treatment, n) == pytest.approx(0.8, abs=1e-6)


@given(effect=st.floats(0.05, 3), ratio=ratios, target=powers, sides=st.sampled_from([1, 2]))
def test_sizes_and_detectable_differences_of_means_agree(effect, ratio, target, sides):
    design = {"power": target, "ratio": ratio, "sides": sides}
    size = power.mean_sample_size(effect, 1.0, **design)
    assert (
        power.mean_power(effect, 1.0, size.exact_control, ratio=ratio, sides=sides) >= target - 1e-6
    )
    if size.exact_control > 3:
        assert power.mean_mde(1.0, size.exact_control, **design) == pytest.approx(effect, rel=1e-3)


@given(effect=st.floats(0.1, 2), factor=st.floats(0.01, 100))
def test_the_unit_of_measurement_does_not_change_the_size(effect, factor):
    one = power.mean_sample_size(effect, 1.0).exact_control
    other = power.mean_sample_size(effect * factor, factor).exact_control
    assert other == pytest.approx(one, rel=1e-6)


def test_a_smaller_effect_and_more_power_need_more_units():
    sizes = [power.proportion_sample_size(0.1, 0.1 + d).control for d in (0.04, 0.02, 0.01)]
    assert sizes == sorted(sizes)
    more = power.proportion_sample_size(0.1, 0.12, power=0.95).control
    assert more > power.proportion_sample_size(0.1, 0.12).control


def test_a_size_rounds_up_and_counts_days():
    size = power.SampleSize(exact_control=100.2, ratio=0.5)
    assert (size.control, size.treatment, size.total) == (101, 51, 152)
    assert size.days(50) == 4
    assert size.times(1.7).control == math.ceil(170.34)


def test_an_enormous_effect_is_found_for_certain():
    powers = [power.mean_power(shift, 1.0, 26) for shift in (5, 10.54, 50, 500)]
    assert powers == pytest.approx([1.0] * 4)


def test_what_no_sample_can_find_is_undefined():
    assert power.proportion_mde(0.5, 2) is None
    assert power.mean_mde(1.0, 1) is None
    assert known(power.mean_mde(1.0, 2)) > 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power.proportion_sample_size(0.1, 0.1), "rates must differ"),
        (lambda: power.proportion_sample_size(0.0, 0.1), "control must lie"),
        (lambda: power.proportion_sample_size(0.1, 0.2, ratio=0), "ratio must be"),
        (lambda: power.proportion_sample_size(0.1, 0.2, sides=3), "sides must be 1 or 2"),
        (lambda: power.proportion_mde(0.1, 100, direction="left"), "direction must be one of"),
        (lambda: power.mean_sample_size(0.0, 1.0), "difference must not be 0"),
        (lambda: power.mean_power(1.0, -1.0, 10), "sd must be"),
        (lambda: power.SampleSize(exact_control=10).days(0), "units_per_day must be"),
    ],
)
def test_impossible_plans_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
