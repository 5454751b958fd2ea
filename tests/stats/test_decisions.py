"""Verdicts and non-inferiority: what the numbers allow one to say."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.stats import codes
from mlreg.stats.estimates import Estimate
from mlreg.stats.noninferiority import (
    estimate_non_inferiority,
    proportion_non_inferiority,
    score_interval,
)
from mlreg.stats.results import Interval
from mlreg.stats.verdicts import Verdict, judge, keeps_margin, orient
from tests.stats.support import known, swapped, tables

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


def test_a_guardrail_holds_only_when_the_loss_is_ruled_out():
    assert keeps_margin(Interval(-0.01, 0.03), margin=0.02)
    assert not keeps_margin(Interval(-0.03, 0.03), margin=0.02)
    assert keeps_margin(Interval(-50, 15), margin=20, direction="down")
    assert not keeps_margin(Interval(-50, 25), margin=20, direction="down")


def test_bad_thresholds_and_directions_are_refused():
    with pytest.raises(ValueError, match="min_effect must be"):
        judge(None, min_effect=-1)
    with pytest.raises(ValueError, match="direction must be one of up, down"):
        orient(Interval(0, 1), "sideways")
    with pytest.raises(ValueError, match="margin must be above 0"):
        keeps_margin(Interval(0, 1), margin=0)


# --- non-inferiority ---------------------------------------------------------------------------


def test_no_difference_in_a_small_sample_is_no_proof_of_safety():
    small = proportion_non_inferiority(45, 50, 45, 50, margin=0.02)
    large = proportion_non_inferiority(9000, 10_000, 9000, 10_000, margin=0.02)
    assert not small.is_non_inferior
    assert large.is_non_inferior


@given(table=tables(min_n=20, max_n=500), margin=st.sampled_from([0.02, 0.1]))
def test_bad_successes_mirror_good_ones(table, margin):
    c, n_c, t, n_t = table
    up = proportion_non_inferiority(c, n_c, t, n_t, margin=margin)
    down = proportion_non_inferiority(n_c - c, n_c, n_t - t, n_t, margin=margin, direction="down")
    assert up.statistic == pytest.approx(down.statistic, rel=1e-6, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(table=tables(min_n=1, max_n=300), is_corrected=st.booleans())
def test_score_limits_turn_round_with_the_arms_and_hold_the_difference(table, is_corrected):
    one = known(score_interval(*table, is_corrected=is_corrected))
    other = known(score_interval(*swapped(table), is_corrected=is_corrected))
    assert one.low == pytest.approx(-other.high, abs=1e-6)
    assert -1 <= one.low <= table[2] / table[3] - table[0] / table[1] + 1e-9
    assert one.low < one.high <= 1


def test_means_are_tested_against_the_margin_in_their_own_direction():
    control, slower = (Estimate(value=v, se=1.0, n=400) for v in (100.0, 103.0))
    assert not estimate_non_inferiority(control, slower, margin=4, direction="down").is_non_inferior
    assert estimate_non_inferiority(control, slower, margin=10, direction="down").is_non_inferior
    assert estimate_non_inferiority(control, slower, margin=1, direction="up").is_non_inferior


def test_guardrails_without_data_do_not_hold():
    empty = proportion_non_inferiority(0, 0, 1, 2, margin=0.1)
    assert (empty.p_value, empty.warnings) == (None, (codes.EMPTY_ARM,))
    assert score_interval(0, 0, 1, 2) is None
    constant = Estimate(value=1.0, se=0.0, n=50)
    result = estimate_non_inferiority(constant, constant, margin=0.1)
    assert result.warnings == (codes.DEGENERATE,)
    assert not result.is_non_inferior


def test_bad_margins_are_refused():
    with pytest.raises(ValueError, match="margin must lie strictly"):
        proportion_non_inferiority(1, 2, 1, 2, margin=-0.1)
    with pytest.raises(ValueError, match="margin must be above 0"):
        estimate_non_inferiority(
            Estimate(value=1, se=1, n=9), Estimate(value=1, se=1, n=9), margin=0
        )
