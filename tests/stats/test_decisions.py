"""Verdicts and non-inferiority: what the numbers allow one to say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.stats.noninferiority import restricted_rates
from mlreg.stats.results import Interval
from mlreg.stats.verdicts import Verdict, judge, orient
from tests.stats.support import tables

# --- verdicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.03, 0.05, Verdict.BETTER_PRACTICAL),
        (0.02, 0.05, Verdict.BETTER_PRACTICAL),
        (0.01, 0.05, Verdict.BETTER_SMALL),
        (0.01, 0.015, Verdict.BETTER_SMALL),
        (-0.01, 0.01, Verdict.EQUIVALENT),
        (-0.01, -0.005, Verdict.EQUIVALENT),
        (-0.05, -0.01, Verdict.WORSE),
        (-0.05, 0.01, Verdict.NO_WORTHWHILE_GAIN),
        (-0.05, 0.05, Verdict.INCONCLUSIVE),
        (-math.inf, math.inf, Verdict.INCONCLUSIVE),
        (math.nan, 0.1, Verdict.UNDEFINED),
    ],
)
def test_the_interval_gives_the_verdict(low, high, verdict):
    assert judge(Interval(low, high), min_effect=0.02) is verdict
    assert judge(Interval(-high, -low), min_effect=0.02, direction="down") is verdict


@pytest.mark.parametrize("interval", [Interval(0.0, 0.0), Interval(0.0, 0.1), Interval(-0.1, 0.0)])
def test_an_interval_that_touches_zero_never_wins(interval):
    for direction in ("up", "down"):
        verdict = judge(interval, min_effect=0.0, direction=direction)
        assert verdict not in (Verdict.BETTER_PRACTICAL, Verdict.BETTER_SMALL, Verdict.WORSE)


def test_without_an_interval_there_is_no_verdict():
    assert judge(None, min_effect=0.1) is Verdict.UNDEFINED


def test_bad_thresholds_and_directions_are_refused():
    with pytest.raises(ValueError, match="min_effect must be"):
        judge(None, min_effect=-1)
    with pytest.raises(ValueError, match="direction must be one of up, down"):
        orient(Interval(0, 1), "sideways")


# --- non-inferiority ---------------------------------------------------------------------------


@given(table=tables(min_n=20, max_n=500), margin=st.sampled_from([0.02, 0.1]))
def test_rates_at_the_margin_mirror_those_of_failures(table, margin):
    c, n_c, t, n_t = table
    rate_c, rate_t = restricted_rates(c, n_c, t, n_t, margin)
    assert rate_t - rate_c == pytest.approx(margin)
    assert 0 <= rate_c <= rate_t <= 1 + 1e-12
    failing_c, failing_t = restricted_rates(n_c - c, n_c, n_t - t, n_t, -margin)
    assert (1 - failing_c, 1 - failing_t) == pytest.approx((rate_c, rate_t), abs=1e-6)
