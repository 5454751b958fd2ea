"""Comparisons are right to the digit, and verdicts refuse thin evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from mlreg.entities.reports import MetricComparison
from mlreg.evidence.reports import compare as compare_together
from mlreg.evidence.reports import conclude, format_p
from mlreg.evidence.together import Together
from mlreg.tallies import Tally


def tally(
    requests: int,
    *,
    errors: int = 0,
    judged: int = 0,
    correct: int = 0,
    latencies: Sequence[tuple[int, int]] = (),
    cost: float | None = None,
) -> Tally:
    """A tally; `latencies` are pairs of milliseconds and how often."""
    found = Tally()
    times = [ms for ms, often in latencies for _ in range(often)]
    for number in range(requests):
        ok = number >= errors
        ms = times[number] if times else 10 + number % 3
        found.add([(1000 * ms, int(not ok), None, cost and cost + number % 2, 1)])
    found.judge(labelled=judged, judged=judged, correct=correct)
    return found


def beside(tallies: Mapping[str, Tally], baseline: str) -> dict[str, Together]:
    """All of them in one revision."""
    base = tallies[baseline]
    return {v: Together([(base, one)]) for v, one in tallies.items() if v != baseline}


def compare(tallies: Mapping[str, Tally], baseline: str) -> list[MetricComparison]:
    return compare_together(beside(tallies, baseline), baseline)


def of(
    comparisons: list[MetricComparison], metric: str, candidate: str = "2.0.0"
) -> MetricComparison:
    return next(c for c in comparisons if (c.metric, c.candidate) == (metric, candidate))


def verdict(**tallies: Tally) -> tuple[str, str | None, str]:
    """The conclusion over versions `v1`, `v2`… of which the first is the baseline."""
    baseline = next(iter(tallies))
    return conclude(tallies, baseline, compare(tallies, baseline), beside(tallies, baseline))


# --- numbers ------------------------------------------------------------------------------------


def test_two_rates_are_compared_by_the_pooled_z_test_with_newcombes_interval():
    pair = {
        "1.0.0": tally(1000, judged=1000, correct=850),
        "2.0.0": tally(1000, judged=1000, correct=920),
    }
    found = of(compare(pair, "1.0.0"), "accuracy")
    # scipy 1.17.1: chi2_contingency([[850, 150], [920, 80]], correction=False)
    assert found.p_value == pytest.approx(9.27657330878005e-07, rel=1e-9)
    # scipy 1.17.1: binomtest(…).proportion_ci(0.95, "wilson") of both, joined as in Newcombe 1998
    assert found.difference_ci == pytest.approx((0.04219297830868, 0.09798928849047), rel=1e-9)
    assert found.difference == pytest.approx(0.07)
    assert (found.verdict, found.method) == ("better", "z_pooled")


def test_the_published_example_of_newcombe_is_met():
    pair = {"1.0.0": tally(100, judged=80, correct=48), "2.0.0": tally(100, judged=70, correct=56)}
    found = of(compare(pair, "1.0.0"), "accuracy")
    # Newcombe 1998, Statistics in Medicine 17, table II, case (a), method 10
    assert found.difference_ci == pytest.approx((0.0524, 0.3339), abs=5e-5)
    # scipy 1.17.1: chi2_contingency([[48, 32], [56, 14]], correction=False)
    assert found.p_value == pytest.approx(0.008045081368196582, rel=1e-9)
    assert "low_counts" in found.warnings  # fewer than 100 labels each


def test_few_failures_are_compared_exactly():
    pair = {"1.0.0": tally(800), "2.0.0": tally(200, errors=6)}
    found = of(compare(pair, "1.0.0"), "error_rate")
    # scipy 1.17.1: fisher_exact([[800, 0], [194, 6]])
    assert found.p_value == pytest.approx(6.0232593605462516e-05, rel=1e-6)
    assert (found.verdict, found.method) == ("worse", "fisher")
    assert "low_counts" in found.warnings


def test_latencies_are_compared_by_welchs_t_test():
    pair = {
        "1.0.0": tally(1000, latencies=[(10, 400), (20, 400), (30, 200)]),
        "2.0.0": tally(300, latencies=[(10, 150), (20, 100), (40, 50)]),
    }
    found = of(compare(pair, "1.0.0"), "avg_latency_ms")
    # scipy 1.17.1: ttest_ind(y, x, equal_var=False) of these values, and its confidence_interval
    assert found.p_value == pytest.approx(0.6143581072985618, rel=1e-9)
    assert found.difference_ci == pytest.approx((-0.9662771265251291, 1.6329437931917934), rel=1e-9)
    assert found.difference == pytest.approx(1 / 3)
    assert found.verdict == "inconclusive"


def test_several_candidates_share_the_level_and_the_intervals_follow():
    arms = {
        "1.0.0": tally(1000, judged=1000, correct=850),
        "2.0.0": tally(1000, judged=1000, correct=920),
        "3.0.0": tally(1000, judged=1000, correct=882),
    }
    three = compare(arms, "1.0.0")
    # as above, at the level 0.975
    assert of(three, "accuracy").difference_ci == pytest.approx(
        (0.03817764583705, 0.10205806568139), rel=1e-9
    )
    # p = 0.036 would be significant alone, and is not one of two
    alone = compare({k: arms[k] for k in ("1.0.0", "3.0.0")}, "1.0.0")
    assert of(alone, "accuracy", "3.0.0").verdict == "better"
    assert of(three, "accuracy", "3.0.0").verdict == "inconclusive"
    assert of(three, "accuracy", "3.0.0").p_value == of(alone, "accuracy", "3.0.0").p_value


@pytest.mark.parametrize(
    ("metric", "one", "other", "expected"),
    [
        ("error_rate", tally(500, errors=100), tally(500, errors=20), "better"),
        ("error_rate", tally(500, errors=20), tally(500, errors=100), "worse"),
        ("avg_latency_ms", tally(300), tally(300, latencies=[(5, 150), (6, 150)]), "better"),
        ("avg_latency_ms", tally(300), tally(300, latencies=[(50, 150), (60, 150)]), "worse"),
        ("cost_per_request", tally(300, cost=1), tally(300, cost=9), "worse"),
    ],
)
def test_less_is_better_for_failures_latency_and_cost(metric: str, one, other, expected: str):
    assert of(compare({"1.0.0": one, "2.0.0": other}, "1.0.0"), metric).verdict == expected


def test_named_values_are_compared_where_both_have_them():
    from mlreg.tallies import Moments

    one, other = tally(100), tally(100)
    for number in range(100):
        one.values.setdefault("rating", Moments()).add(3 + number % 2)
        other.values.setdefault("rating", Moments()).add(4 + number % 2)
        other.values.setdefault("revenue", Moments()).add(1)
    found = compare({"1.0.0": one, "2.0.0": other}, "1.0.0")
    assert of(found, "rating").difference == pytest.approx(1)
    assert of(found, "rating").verdict == "different"
    assert not [c for c in found if c.metric == "revenue"]


def test_values_that_do_not_vary_give_no_p_value():
    constant = tally(200, latencies=[(5, 200)]), tally(200, latencies=[(6, 200)])
    found = of(
        compare(dict(zip(("1.0.0", "2.0.0"), constant, strict=True)), "1.0.0"), "avg_latency_ms"
    )
    assert (found.p_value, found.difference_ci, found.verdict) == (None, None, "inconclusive")


# --- verdicts -----------------------------------------------------------------------------------


def test_a_clear_gain_ships_and_names_its_numbers():
    state, best, sentence = verdict(
        v1=tally(1000, judged=1000, correct=850), v2=tally(1000, judged=1000, correct=920)
    )
    assert (state, best) == ("ship", "v2")
    assert sentence.startswith("Ship v2: accuracy is 92.0 %")
    assert "85.0 %" in sentence
    assert "p < 0.001" in sentence


def test_a_clear_loss_keeps_the_baseline():
    state, best, sentence = verdict(
        v1=tally(1000, judged=1000, correct=920), v2=tally(1000, judged=1000, correct=850)
    )
    assert (state, best) == ("keep", "v1")
    assert sentence.startswith("Keep v1: ")


def test_equal_arms_have_no_winner():
    state, best, sentence = verdict(
        v1=tally(1000, judged=1000, correct=900), v2=tally(1000, judged=1000, correct=900)
    )
    assert (state, best) == ("inconclusive", None)
    assert "may be chance" in sentence


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(tally(99, errors=90), tally(1000), id="few-requests-of-the-baseline"),
        pytest.param(tally(1000, errors=900), tally(99), id="few-requests-of-the-candidate"),
        pytest.param(
            tally(1000, judged=99, correct=0),
            tally(1000, judged=1000, correct=1000),
            id="few-labels",
        ),
        pytest.param(
            tally(1000, judged=1000, correct=0),
            tally(1000, judged=99, correct=99),
            id="few-labels-there",
        ),
        pytest.param(tally(0), tally(0), id="nothing"),
    ],
)
def test_too_little_evidence_names_no_winner(one: Tally, other: Tally):
    state, best, sentence = verdict(v1=one, v2=other)
    assert (state, best) == ("inconclusive", None)
    assert "100" in sentence


def test_a_version_of_old_with_few_requests_does_not_hold_up_the_others():
    state, best, _ = verdict(
        v1=tally(1000, judged=1000, correct=850),
        v2=tally(1000, judged=1000, correct=920),
        v0=tally(20),
    )
    assert (state, best) == ("ship", "v2")


def test_more_failures_veto_a_gain_in_accuracy():
    state, best, sentence = verdict(
        v1=tally(1000, errors=10, judged=1000, correct=850),
        v2=tally(1000, errors=80, judged=1000, correct=920),
    )
    assert (state, best) == ("keep", "v1")
    assert "though accuracy" in sentence


def test_failures_too_few_to_win_by_are_enough_to_veto():
    state, best, _ = verdict(
        v1=tally(800, judged=800, correct=600), v2=tally(200, errors=6, judged=200, correct=190)
    )
    assert state != "ship"
    assert best != "v2"


def test_the_price_of_a_gain_is_told_beside_it():
    _, best, sentence = verdict(
        v1=tally(1000, judged=1000, correct=850),
        v2=tally(1000, judged=1000, correct=920, latencies=[(50, 500), (60, 500)]),
    )
    assert best == "v2"
    assert "mean latency" in sentence


def test_latency_alone_ships_nothing():
    state, best, _ = verdict(v1=tally(1000), v2=tally(1000, latencies=[(1, 500), (2, 500)]))
    assert (state, best) == ("inconclusive", None)


def test_nothing_and_one_version_are_nothing_to_compare():
    assert conclude({}, None, [], {})[2] == "There are no predictions yet."
    assert "nothing to compare" in verdict(v1=tally(500))[2]


def test_a_report_off_its_split_is_invalid_whatever_it_says():
    assert conclude({}, None, [], {}, off_split="Invalid: …") == ("invalid", None, "Invalid: …")


@pytest.mark.parametrize(
    ("p", "text"),
    [(None, "no p-value"), (0.0, "p < 0.001"), (0.0009, "p < 0.001"), (0.0312, "p = 0.031")],
)
def test_a_p_value_is_never_written_as_zero(p: float | None, text: str):
    assert format_p(p) == text
