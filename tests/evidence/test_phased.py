"""Checks of rollouts: held against what answers beside a version, step by step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlreg.entities.rollouts import Streak
from mlreg.errors import InvalidInput
from mlreg.evidence.conditions import of_catalogue
from mlreg.evidence.phased import Phase, Terms, hold, read_check, standardised
from mlreg.stats.always_valid import is_rate_above
from mlreg.tallies import Tally

BOUND, WORSE = 0.05, 0.1
TERMS = Terms(checks=1, steps=10, least=20)


def tally(requests: int, errors: int) -> Tally:
    return Tally(requests=requests, errors=errors)


def phase(version: tuple[int, int], baseline: tuple[int, int] = (0, 0)) -> Phase:
    return Phase(tally(*version), tally(*baseline))


def outcome(check: str, *phases: Phase) -> str:
    return hold(read_check(check), phases, TERMS).outcome


@pytest.mark.parametrize(
    ("check", "found", "expected"),
    [
        ("error_rate <= 5% sure", phase((100, 30)), "fail"),
        ("error_rate <= 5% sure", phase((100, 7)), "between"),
        ("error_rate <= 5% sure", phase((100, 5)), "pass"),
        ("error_rate <= 5% sure", phase((0, 0)), "unknown"),
        ("success_rate >= 95% sure", phase((100, 30)), "fail"),
        ("success_rate >= 95% sure", phase((100, 7)), "between"),
        ("error_rate <= 0% sure", phase((100, 1)), "fail"),
        ("error_rate <= 5%", phase((19, 19)), "unknown"),
        ("error_rate <= 5%", phase((20, 2)), "between"),
        ("error_rate <= 5% for 1 in a row", phase((20, 2)), "fail"),
        ("error_rate <= baseline + 2pt sure", phase((500, 200), (500, 10)), "fail"),
        ("error_rate <= baseline + 2pt sure", phase((500, 200)), "unknown"),
        ("error_rate <= baseline + 2pt sure", phase((500, 20), (500, 20)), "pass"),
    ],
)
def test_a_check_fails_surely_holds_or_passes(check: str, found: Phase, expected: str):
    assert outcome(check, found) == expected


def test_a_night_that_is_bad_for_both_breaks_no_comparison():
    day, night = phase((100, 2), (900, 18)), phase((900, 360), (900, 360))
    assert outcome("error_rate <= baseline + 2pt sure", day, night) == "pass"
    # Taken together the version failed on 36 %, the baseline on 21 %.


def test_the_baseline_is_weighed_as_the_version_is_and_counts_for_no_more_than_it_knows():
    day, night = phase((100, 2), (900, 18)), phase((900, 360), (100, 40))
    version, baseline = standardised(of_catalogue("error_rate"), [day, night])
    assert (version.requests, version.errors) == (1000, 362)
    assert baseline.errors / baseline.requests == pytest.approx(0.362, abs=0.005)
    assert baseline.requests == pytest.approx(1 / (0.1**2 / 900 + 0.9**2 / 100), abs=1)


def test_a_break_that_comes_late_is_seen_by_the_step_in_which_it_comes():
    good = phase((10_000, 0))
    assert outcome("error_rate <= 5% sure", good, phase((40, 30))) == "fail"
    assert outcome("error_rate <= 5% sure", good, phase((40, 2))) == "pass"


def test_a_streak_goes_up_on_new_data_at_another_time_and_ends_with_what_is_good():
    check, bad = read_check("error_rate <= 5%"), [phase((40, 10))]
    assert hold(check, bad, TERMS, streak=Streak(1, 40)).streak == Streak(1, 40)
    assert hold(check, bad, TERMS, streak=Streak(1, 39), is_later=False).streak == Streak(1, 39)
    assert hold(check, bad, TERMS, streak=Streak(2, 39)).outcome == "fail"
    assert hold(check, [phase((40, 0))], TERMS, streak=Streak(2, 39)).streak.row == 0


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("error_rate <= 5% over 10m", "over has no place"),
        ("error_rate <= yesterday", "yesterday has no place"),
        ("error_rate <= 5% for 10m", "for has no place"),
    ],
)
def test_what_makes_no_sense_step_by_step_is_refused(check: str, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        read_check(check)


def least_errors(alpha: float, longest: int) -> np.ndarray:
    """For each number of requests, how many have to fail for the rate to be surely too high."""
    found, errors = np.full(longest, longest + 1), 0
    for n in range(1, longest + 1):
        while errors <= n and not is_rate_above(errors, n, BOUND, alpha=alpha):
            errors += 1
        if errors <= n:
            found[n - 1] = errors
        errors = max(0, errors - 1)
    return found


@pytest.mark.slow
def test_a_break_is_found_nearly_as_soon_as_by_the_test_that_knows_its_size():
    """Wald (1945): no test of the same error rates needs fewer requests in the mean."""
    random, runs, longest = np.random.default_rng(11), 4000, 3000
    limit = least_errors(0.007, longest)
    crossed = (random.random((runs, longest)) < WORSE).cumsum(1) >= limit
    false = (random.random((runs, longest)) < BOUND).cumsum(1) >= limit
    assert crossed.any(1).mean() > 0.999
    level = false.any(1).mean()
    assert 0 < level <= 0.007 + 3 * math.sqrt(0.007 / runs)
    steps = np.where(
        random.random((runs, longest)) < WORSE,
        math.log(WORSE / BOUND),
        math.log((1 - WORSE) / (1 - BOUND)),
    )
    wald = steps.cumsum(1) >= math.log(0.999 / level)
    assert np.median(crossed.argmax(1)) <= 1.5 * np.median(wald.argmax(1))
