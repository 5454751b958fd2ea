"""How often the rules find a difference that is not there: seeded simulations of equal arms."""

import math
from itertools import pairwise

import numpy as np
import pytest

from mlreg.stats import always_valid, group_sequential, srm
from mlreg.stats.distributions import normal_upper
from mlreg.stats.evidence import estimate_evidence, proportion_evidence
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.proportions import compare_proportions, pooled_z
from mlreg.stats.ratios import compare_ratios, ratio_estimate

RUNS = 2000
PLANNED = 20_000
RARE_AND_UNEVEN = pytest.param(0.01, 0.1, id="rate 1 %, split 90/10")
SETTINGS = [
    pytest.param(0.1, 0.5, id="rate 10 %, split 50/50"),
    RARE_AND_UNEVEN,
    pytest.param(0.99, 0.05, id="rate 99 %, split 95/5"),
]


def experiments(rate, share, *, sizes, seed):
    """Runs of an A/A test: for each, its table of successes and units at every peek."""
    rng = np.random.default_rng(seed)
    n_t = np.maximum(1, np.rint(np.asarray(sizes) * share)).astype(int)
    n_c = np.asarray(sizes) - n_t
    arms = []
    for n in (n_c, n_t):
        fresh = rng.binomial(np.diff(n, prepend=0), rate, size=(RUNS, len(n)))
        arms.append(np.cumsum(fresh, axis=1).tolist())
    for control, treatment in zip(*arms, strict=True):
        yield list(zip(control, n_c.tolist(), treatment, n_t.tolist(), strict=True))


def early_peeks():
    """A hundred peeks that begin after 20 units, as those of an impatient cron do."""
    return np.unique(np.rint(np.geomspace(20, PLANNED, 100)).astype(int))


def regular_peeks():
    return np.arange(1, 101) * PLANNED // 100


def share_stopped(rule, runs):
    stopped = [any(rule(table) for table in tables) for tables in runs]
    return sum(stopped) / len(stopped)


def test_testing_at_every_peek_with_a_fixed_level_is_caught():
    """The harness must be able to see what it guards against."""
    critical = normal_upper(0.025)
    runs = experiments(0.1, 0.5, sizes=regular_peeks(), seed=1)
    assert share_stopped(lambda table: abs(pooled_z(*table) or 0) >= critical, runs) >= 0.20


@pytest.mark.parametrize(("rate", "share"), SETTINGS)
def test_always_valid_mode_keeps_its_level_at_a_hundred_peeks(rate, share):
    def rule(table):
        evidence = proportion_evidence(*table)
        if evidence.z is None:
            return False
        return abs(evidence.z) >= always_valid.boundary(evidence.n, tuning_n=PLANNED)

    runs = experiments(rate, share, sizes=early_peeks(), seed=2)
    assert share_stopped(rule, runs) <= 0.06


@pytest.mark.parametrize(("rate", "share"), SETTINGS)
def test_group_sequential_mode_keeps_its_level_at_a_hundred_peeks(rate, share):
    plans: dict[int, float | None] = {}
    looks: tuple[float, ...] = ()
    for size in regular_peeks().tolist():
        plan = group_sequential.plan_look(looks, size / PLANNED)
        looks = plan.looks
        if plan.is_decision_point:
            plans[size] = plan.boundary

    def rule(table):
        boundary = plans.get(table[1] + table[3])
        return boundary is not None and abs(proportion_evidence(*table).z or 0) >= boundary

    runs = experiments(rate, share, sizes=regular_peeks(), seed=3)
    assert len(plans) == group_sequential.SLOTS
    assert share_stopped(rule, runs) <= 0.06


def users(rng, count):
    """Predictions and successes per user, with a success rate of the user's own."""
    predictions = rng.geometric(0.1, count)
    return predictions, rng.binomial(predictions, rng.beta(6, 2, count))


def joint(predictions, successes):
    y, x = successes, predictions
    sums = (y.sum(), x.sum(), (y * y).sum(), (x * x).sum(), (y * x).sum())
    return JointMoments.from_sums(len(y), *(int(total) for total in sums))


def test_users_with_many_predictions_need_the_delta_method():
    rng = np.random.default_rng(4)
    by_user = by_prediction = 0
    runs = RUNS // 2
    for _ in range(runs):
        arms = [joint(*users(rng, 300)) for _ in range(2)]
        by_user += compare_ratios(*arms).is_significant
        rows = [(round(arm.y.mean * arm.n), round(arm.x.mean * arm.n)) for arm in arms]
        by_prediction += abs(pooled_z(*rows[0], *rows[1]) or 0) >= normal_upper(0.025)
    assert by_user / runs <= 0.07
    assert by_prediction / runs >= 0.20


def test_clustered_users_can_be_peeked_at_in_always_valid_mode():
    rng = np.random.default_rng(5)
    sizes = np.linspace(150, 3000, 20).astype(int)
    stopped = 0
    for _ in range(RUNS // 10):
        arms = [users(rng, 3000) for _ in range(2)]
        for size in sizes.tolist():
            pair = [ratio_estimate(joint(k[:size], s[:size])) for k, s in arms]
            evidence = estimate_evidence(*pair)
            assert evidence.z is not None
            if abs(evidence.z) >= always_valid.boundary(evidence.n, tuning_n=6000):
                stopped += 1
                break
    assert stopped / (RUNS // 10) <= 0.06


def test_a_peeked_sample_ratio_raises_few_false_alarms_and_finds_a_real_one():
    rng = np.random.default_rng(6)
    steps, runs = np.arange(1, 51) * 400, 400
    alarms = {}
    for rate in (0.5, 0.52):
        first = np.cumsum(rng.binomial(400, rate, size=(runs, len(steps))), axis=1)
        factors = [
            max(
                srm.log_bayes_factor(srm.Epoch((a, n - a), (1, 1)))
                for a, n in zip(row, steps, strict=True)
            )
            for row in first.tolist()
        ]
        alarms[rate] = sum(factor >= math.log(1 / srm.THRESHOLD) for factor in factors) / runs
    assert alarms[0.5] <= 0.01
    assert alarms[0.52] >= 0.9


def test_the_exact_tests_keep_their_level_for_small_counts():
    """Computed, not simulated: the tables that 2 x 40 units with a rate of 3 % give."""
    n, rate = 40, 0.03
    chance = [math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(9)]
    found = sum(
        chance[c] * chance[t]
        for c in range(9)
        for t in range(9)
        if c + t and compare_proportions(c, n, t, n).is_significant
    )
    assert 0 < found <= 0.05


def test_peeks_are_in_order():
    for sizes in (early_peeks(), regular_peeks()):
        assert all(a < b for a, b in pairwise(sizes.tolist()))
