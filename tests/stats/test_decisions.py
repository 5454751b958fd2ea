"""Verdicts, non-inferiority and phases: what the numbers allow one to say."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.stats import codes
from mlreg.stats.estimates import Estimate
from mlreg.stats.evidence import proportion_evidence
from mlreg.stats.moments import Moments
from mlreg.stats.noninferiority import (
    estimate_non_inferiority,
    proportion_non_inferiority,
    score_interval,
)
from mlreg.stats.results import Interval
from mlreg.stats.strata import stratified_means, stratified_proportions
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


# --- phases ------------------------------------------------------------------------------------


@given(table=tables(min_n=100))
def test_one_phase_is_the_plain_evidence(table):
    one, plain = stratified_proportions([table]), proportion_evidence(*table)
    if plain.z is None:
        assert one.z is None
    else:
        assert one.z == pytest.approx(plain.z)
        assert one.se == pytest.approx(plain.se)
    assert one.n == plain.n


def test_a_ramp_over_a_changing_world_shows_no_difference_that_is_not_there():
    """Both arms succeed in 50 % of the first week and in 80 % of the second."""
    phases = [(4500, 9000, 500, 1000), (800, 1000, 7200, 9000)]
    pooled = proportion_evidence(*(sum(column) for column in zip(*phases, strict=True)))
    assert abs(known(pooled.z)) > 10
    assert stratified_proportions(phases).z == pytest.approx(0)


def test_phases_of_means_are_compared_within():
    def arm(n, mean):
        return Moments(n=n, mean=mean, variance=4.0)

    phases = [(arm(900, 10.0), arm(100, 10.5)), (arm(100, 20.0), arm(900, 20.5))]
    evidence = stratified_means(phases)
    assert evidence.estimate == pytest.approx(0.5)
    assert evidence.n == 2000
    assert known(evidence.z) > 3


def test_phases_without_a_second_arm_say_nothing():
    lonely = (30, 100, 0, 0)
    both = (300, 1000, 330, 1000)
    assert stratified_proportions([lonely, both]) == stratified_proportions([both])
    assert stratified_proportions([lonely]).warnings == (codes.EMPTY_ARM,)
    assert stratified_means([]).warnings == (codes.EMPTY_ARM,)


def test_phases_without_variation_or_with_broken_data_are_refused():
    constant, broken = (Moments(n=200, mean=1.0, variance=v) for v in (0.0, math.nan))
    assert stratified_means([(constant, constant)]).warnings == (codes.DEGENERATE,)
    assert stratified_means([(constant, broken)]).warnings == (codes.NOT_FINITE,)
    top, bottom = (Moments(n=200, mean=mean, variance=1.0) for mean in (math.inf, -math.inf))
    opposite = [(top, bottom), (bottom, top)]
    assert stratified_means(opposite).warnings == (codes.NOT_FINITE,)
    few = Moments(n=20, mean=1.0, variance=1.0)
    assert stratified_means([(few, few)]).warnings == (codes.LOW_COUNTS,)
