"""Pairs of answers to the same inputs: what they say, and that looking often is no fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.entities.shadows import Meeting, PairedDifference
from mlreg.evidence.pairs import (
    answers,
    changes,
    labelled,
    latency,
    of_classes,
    of_numbers,
    verdict,
)
from mlreg.selftest.shadows import SETTINGS, simulate
from mlreg.stats.paired import discordant_needed, discordant_share, sequential_p_value


def met(live: str | None, shadow: str | None, number: int, right: str | None = None) -> Meeting:
    """So many pairs of answers, judged by what was right."""
    judged = [None if right is None else int(answer == right) for answer in (live, shadow)]
    return Meeting(
        None if live is None else f'"{live}"',
        None if shadow is None else f'"{shadow}"',
        int(live is None),
        int(shadow is None),
        int(live is not None and live == shadow),
        judged[0],
        judged[1],
        number,
    )


def test_pairs_are_counted_by_who_is_right():
    found = labelled(
        [met("a", "a", 5, "a"), met("a", "b", 2, "a"), met("a", "b", 3, "b"), met("a", "b", 1, "c"),
         met("a", "b", 100)]
    )  # fmt: skip
    assert (found.pairs, found.both, found.only_live) == (11, 5, 2)
    assert (found.only_shadow, found.neither) == (3, 1)


def test_a_change_is_told_with_its_labels_and_failures_are_answers_of_their_own():
    found = changes([met("a", "b", 2, "a"), met("a", "b", 5), met("a", None, 1), met("b", "b", 9)])
    told = [(c.live, c.shadow, c.pairs, c.only_live, c.only_shadow) for c in found]
    assert told == [("a", "b", 7, 2, 0), ("a", None, 1, 0, 0)]


def test_two_that_fail_alike_do_not_disagree():
    assert changes([met(None, None, 3)]) == ()


def test_answers_are_counted_on_both_sides():
    found = answers([met("a", "a", 2), met("a", "b", 3), met(None, "b", 1)])
    assert {(s.answer, s.live, s.shadow) for s in found} == {
        ("a", 5, 2), ("b", 0, 4), (None, 1, 0),
    }  # fmt: skip


def test_labels_of_disagreements_alone_say_the_same_as_labels_of_all():
    apart = [met("a", "b", 20, "a"), met("a", "b", 60, "b")]
    everything = of_classes([*apart, met("a", "a", 920, "a")], alpha=0.05)
    queue = of_classes([*apart, met("a", "a", 920)], alpha=0.05)
    assert queue == everything
    assert everything.estimate == pytest.approx(0.04)
    assert verdict(everything) == "shadow-better"


def test_some_labels_stand_for_all_disagreements():
    some = of_classes([met("a", "b", 5, "a"), met("a", "b", 15, "b"), met("a", "b", 80),
                       met("a", "a", 900)], alpha=0.05)  # fmt: skip
    assert some.estimate == pytest.approx(0.1 * 0.5)


@pytest.mark.parametrize("meetings", [[], [met("a", "a", 9, "a")], [met("a", "b", 9)]])
def test_without_a_labelled_disagreement_nothing_is_known(meetings: list[Meeting]):
    found = of_classes(meetings, alpha=0.05)
    assert (found.estimate, found.p_value, verdict(found)) == (None, 1.0, "undecided")


@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0.01, 0.05, 0.1]))
def test_the_interval_leaves_out_zero_exactly_where_there_is_a_verdict(
    live: int, shadow: int, alpha: float
):
    limits = discordant_share(live, shadow, alpha=alpha)
    decided = sequential_p_value(live, shadow) <= alpha
    assert (limits.low > 0.5 or limits.high < 0.5) == decided
    assert 0 <= limits.low <= limits.high <= 1


def test_how_many_more_labels_would_decide_is_how_many_do():
    needed = discordant_needed(10, 14)
    assert needed is not None
    first = round(needed * 10 / 24)
    assert sequential_p_value(first, needed - first) <= 0.05
    assert discordant_needed(7, 7) is None
    found = of_classes([met("a", "b", 10, "a"), met("a", "b", 14, "b")], alpha=0.05)
    assert found.needed == needed - 24


def test_fewer_errors_are_better():
    rows = [(2.0 + i % 3, 1.0 + i % 2, 0.0) for i in range(400)]
    found = of_numbers(rows, alpha=0.05)
    assert found.estimate == pytest.approx(sum(s - v for v, s, _ in rows) / 400)
    assert verdict(found) == "shadow-better"
    assert verdict(of_numbers([(s, v, y) for v, s, y in rows], alpha=0.05)) == "live-better"
    assert verdict(of_numbers(rows[:1], alpha=0.05)) == "undecided"


def test_latencies_of_pairs_are_in_milliseconds():
    found = latency([(1000 * i, 2000 * i) for i in range(1, 101)])
    assert found is not None
    assert (found.pairs, found.live_p50_ms, found.shadow_p95_ms) == (100, 51.0, 192.0)
    assert latency([]) is None


def test_an_effect_is_found_and_none_is_not_however_often_one_looks():
    better = list(simulate(SETTINGS["80 and 84 %, 12 % apart"], 40))
    assert sum(run.verdict == "shadow-better" for run in better) >= 36
    equal = list(simulate(SETTINGS["equal, 12 % apart"], 40))
    assert sum(run.verdict != "undecided" for run in equal) <= 6


def test_no_difference_is_no_verdict_whatever_its_p_value():
    nothing = PairedDifference(
        measure="accuracy", estimate=0.0, lower=0.0, upper=0.0, p_value=0.01, alpha=0.05
    )
    assert verdict(nothing) == "undecided"
