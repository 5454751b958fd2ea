"""Verdicts: what decides, what comes first, and what stands however often one asks again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mlreg.clock import DAY
from mlreg.entities.analyses import Analysis, ArmResult, Gate, LookState, MetricResult
from mlreg.entities.experiments import Design, TestMetric, Variant
from mlreg.entities.looks import PastLook
from mlreg.errors import CheckFailed, Inconclusive
from mlreg.evidence.verdict import Findings, verdict
from mlreg.registry import Registry
from tests.services.experimenting import ARMS, MODES, VERSIONS, Rows, begin, look
from tests.support import Clock

HOUR = DAY // 24


def answers(part: str, *arms: tuple[int, int]) -> Rows:
    """One answer for each user: of each arm how many succeed, and of how many."""
    return [
        {"unit": f"{part}-{variant}-{i}", "variant": variant, "output": 1, "success": i < good}
        for variant, (good, count) in zip(ARMS[len(arms)], arms, strict=True)
        for i in range(count)
    ]


def said(found: Analysis) -> tuple[object, ...]:
    """What a look says, without what tells one look from another."""
    return (
        found.verdict, found.winner, found.recommendation, found.primaries, found.guardrails,
        found.gates, found.warnings,
    )  # fmt: skip


# --- the end -------------------------------------------------------------------------------------

EQUAL, BETTER, WORSE = ((80, 160), (80, 160)), ((65, 160), (100, 160)), ((100, 160), (65, 160))
ENDS = [(EQUAL, "stop_futile", None), (BETTER, "ship", "2.0.0"), (WORSE, "rollback", None)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("first", "last", "late", "said_then"),
    [
        (EQUAL, None, BETTER, "stop_futile"),
        (((110, 120), (110, 120)), ((0, 40), (0, 40)), BETTER, "stop_futile"),
        (EQUAL, ((5, 20), (15, 20)), BETTER, "stop_futile"),
        (EQUAL, ((5, 20), (15, 20)), WORSE, "stop_futile"),
        (BETTER, ((10, 20), (10, 20)), EQUAL, "ship"),
        (WORSE, ((10, 20), (10, 20)), EQUAL, "rollback"),
    ],
    ids=["no new data", "less information", "a gain later", "a loss later", "had won", "had lost"],
)
def test_a_deadline_ends_a_test_for_good(
    tested: Registry, clock: Clock, mode: Any, first: Any, last: Any, late: Any, said_then: str
):
    begin(tested, clock, mode=mode, max_duration="10d")
    early = look(tested, answers("a", *first))
    assert (early.is_decision_point, early.is_final) == (True, False)
    clock.at += 3 * DAY
    tested.external.record_many("t", answers("b", *last) if last else ())
    ended = tested.experiments.analyze("t")
    assert (ended.verdict, ended.is_final, ended.looks[-1].is_final) == (said_then, True, True)
    for part in range(5):
        clock.at += DAY
        tested.external.record_many("t", answers(f"late{part}", *late) if part % 2 else ())
        again = tested.experiments.analyze("t")
        assert (again.verdict, again.winner) == (ended.verdict, ended.winner)
        assert (again.looks, again.recorded_slot) == (ended.looks, None)
    assert tested.experiments.conclude("t").verdict == said_then
    assert tested.experiments.verify("t").agrees


def test_a_test_that_has_all_its_information_is_over_for_good(tested: Registry, clock: Clock):
    begin(tested, clock)
    ended = look(tested, answers("a", (210, 420), (210, 420)))
    assert (ended.verdict, ended.is_final) == ("stop_futile", True)
    for part in range(5):
        again = look(tested, answers(f"late{part}", *BETTER) if part % 2 else ())
        assert (again.verdict, again.recorded_slot) == ("stop_futile", None)
        assert f"the test ended with look {ended.recorded_slot}" in again.assumptions[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("last", "said_then", "winner"), ENDS)
def test_a_deadline_before_the_third_day_is_due_on_the_third_day(
    tested: Registry, clock: Clock, mode: Any, last: Any, said_then: str, winner: str | None
):
    begin(tested, clock, mode=mode, days=1, max_duration="1d")
    early = look(tested, answers("a", *last))
    assert not early.is_final
    assert early.verdict == ("rollback" if last == WORSE else "continue")
    clock.at += 2 * DAY
    ended = look(tested, answers("b", *last))
    assert (ended.verdict, ended.winner, ended.is_final) == (said_then, winner, True)


@pytest.mark.parametrize("mode", MODES)
def test_a_gain_of_the_first_hour_that_turns_into_a_loss_is_not_shipped(
    tested: Registry, clock: Clock, mode: Any
):
    """All the information that was planned has come by then, yet the test goes on."""
    begin(tested, clock, mode=mode, days=1 / 24)
    first = look(tested, answers("a", (520, 1000), (640, 1000)))
    assert (first.verdict, first.is_final) == ("continue", False)
    for part in range(3):
        clock.at += DAY
        found = look(tested, answers(f"b{part}", (640, 1000), (400, 1000)))
    assert (found.verdict, found.winner) in [("stop_futile", None), ("rollback", None),
                                             ("continue", None)]  # fmt: skip
    assert found.primary.diff_ci is not None
    assert max(found.primary.diff_ci) < 0


def test_harm_in_the_first_hour_is_rolled_back_even_after_all_information_has_come(
    tested: Registry, clock: Clock
):
    begin(tested, clock, days=1 / 24)
    assert look(tested, answers("a", (640, 1000), (400, 1000))).verdict == "rollback"


@pytest.mark.parametrize("mode", MODES)
def test_a_shorter_least_time_lets_a_test_end_within_it(tested: Registry, clock: Clock, mode: Any):
    begin(tested, clock, mode=mode, days=0.5, min_run="12h", max_duration="12h")
    ended = look(tested, answers("a", *BETTER))
    assert (ended.verdict, ended.is_final) == ("ship", True)


@pytest.mark.parametrize("mode", MODES)
def test_a_deadline_ends_a_test_that_nothing_could_be_tested_in(
    tested: Registry, clock: Clock, mode: Any
):
    begin(tested, clock, mode=mode, max_duration="7d")
    for _ in range(5):
        found = look(tested)
        assert (found.verdict, found.winner) == ("inconclusive", None)
        assert found.recommendation.startswith("The test is over undecided: ")
        clock.at += DAY
    with pytest.raises(Inconclusive, match="no winner to promote"):
        tested.experiments.conclude("t", promote_winner=True)
    assert tested.experiments.conclude("t").verdict == "inconclusive"
    assert tested.experiments.verify("t").agrees


@pytest.mark.parametrize("mode", MODES)
def test_a_test_that_ended_without_a_verdict_gets_none_later(
    tested: Registry, clock: Clock, mode: Any
):
    begin(tested, clock, mode=mode, max_duration="7d")
    ended = look(tested, answers("a", (20, 40), (30, 40)))
    again = look(tested, answers("b", (500, 1000), (700, 1000)))
    assert (again.verdict, again.winner) == (ended.verdict, ended.winner)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("last", "later"), [(WORSE, BETTER), (EQUAL, BETTER), (EQUAL, WORSE), (BETTER, EQUAL)]
)
def test_what_comes_after_the_end_turns_nothing_round(
    tested: Registry, clock: Clock, mode: Any, last: Any, later: Any
):
    begin(tested, clock, mode=mode, max_duration="7d")
    ended = look(tested, answers("a", *last))
    for part in range(5):
        again = look(tested, answers(f"late{part}", *later))
    assert (again.verdict, again.winner) == (ended.verdict, ended.winner)


@pytest.mark.parametrize("mode", MODES)
def test_a_winner_that_is_worse_after_the_end_is_not_shipped(
    tested: Registry, clock: Clock, mode: Any
):
    begin(tested, clock, mode=mode, max_duration="7d")
    assert look(tested, answers("a", *BETTER)).winner == "2.0.0"
    for part in range(5):
        again = look(tested, answers(f"late{part}", *WORSE))
    assert (again.verdict, again.winner) == ("stop_futile", None)
    assert "2.0.0 was better at an earlier look and is worse by now" in again.recommendation


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("last", "said_then", "winner"), ENDS)
def test_a_conclusion_says_what_the_final_look_said(
    tested: Registry, clock: Clock, mode: Any, last: Any, said_then: str, winner: str | None
):
    begin(tested, clock, mode=mode, max_duration="7d", guardrails=["error_rate <= +0.2"])
    ended = look(tested, answers("a", *last))
    shown, done = look(tested), tested.experiments.conclude("t")
    assert (ended.verdict, ended.winner) == (said_then, winner)
    assert said(done) == said(shown)
    assert (done.verdict, done.winner, done.recommendation) == (
        ended.verdict, ended.winner, ended.recommendation)  # fmt: skip
    assert [guard.passed for guard in done.guardrails] == [g.passed for g in ended.guardrails]
    assert tested.experiments.get("t").verdict == said_then
    assert tested.experiments.verify("t").agrees


# --- between looks -------------------------------------------------------------------------------

TURNING = {
    "group-sequential": (((165, 330), (165, 330)), ((0, 30), (30, 30)), ((0, 10), (10, 10))),
    "always-valid": (((500, 1000), (500, 1000)), ((12, 90), (78, 90)), ((0, 30), (30, 30))),
}


@pytest.mark.parametrize("mode", MODES)
def test_futility_stands_until_the_next_look_that_counts(tested: Registry, clock: Clock, mode: Any):
    begin(tested, clock, mode=mode)
    first, peek, later = (answers(str(i), *arms) for i, arms in enumerate(TURNING[mode]))
    for rows, is_counted, expected in (
        (first, True, "stop_futile"),
        (peek, False, "stop_futile"),
        ([], False, "stop_futile"),
        (later, True, "ship"),
    ):
        found = look(tested, rows)
        assert (found.is_decision_point, found.verdict) == (is_counted, expected)


@pytest.mark.parametrize("mode", MODES)
def test_a_futile_test_can_be_concluded_at_a_peek(tested: Registry, clock: Clock, mode: Any):
    begin(tested, clock, mode=mode)
    first, peek, _ = (answers(str(i), *arms) for i, arms in enumerate(TURNING[mode]))
    look(tested, first)
    tested.external.record_many("t", peek)
    done = tested.experiments.conclude("t")
    assert (done.verdict, done.winner, done.status) == ("stop_futile", None, "concluded")
    assert tested.experiments.get("t").verdict == "stop_futile"
    assert tested.experiments.verify("t").agrees


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("min_effect", "peek", "later", "expected"),
    [
        (0.2, (6, 6), (12, 14), ("ship", "ship", "continue")),
        (0.25, (0, 15), (0, 30), ("continue", "continue", "ship")),
    ],
)
def test_a_gain_is_worth_what_the_last_look_that_counted_found(
    tested: Registry,
    clock: Clock,
    mode: Any,
    min_effect: float,
    peek: Sequence[int],
    later: Sequence[int],
    expected: Sequence[str],
):
    """65 and 100 of 165 are 21 points apart; 15 and 30 users more put that to the other side."""
    begin(tested, clock, mode=mode, min_effect=min_effect)
    steps = (
        answers("a", (65, 165), (100, 165)),
        answers("b", (peek[0], 15), (peek[1], 15)),
        answers("c", (later[0], 30), (later[1], 30)),
    )
    for rows, is_counted, what in zip(steps, (True, False, True), expected, strict=True):
        found = look(tested, rows)
        assert (found.is_decision_point, found.verdict) == (is_counted, what)
        assert found.practical_significance is (what == "ship")
        assert (found.winner == "2.0.0") is (what == "ship")
        if what == "continue":
            assert (
                "better, but by less than the gain that is worth shipping" in found.recommendation
            )


@pytest.mark.parametrize("is_over", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_the_winner_stands_until_the_next_look_that_counts(
    tested: Registry, clock: Clock, mode: Any, *, is_over: bool
):
    begin(tested, clock, 2, mode=mode, max_duration="7d" if is_over else None)
    first = look(tested, answers("a", (60, 165), (115, 165), (117, 165)))
    peek = look(tested, answers("b", (5, 10), (10, 10), (0, 10)))
    assert (first.verdict, first.winner) == ("ship", "3.0.0")
    assert not peek.is_decision_point
    assert (peek.verdict, peek.winner) == ("ship", "3.0.0")


# --- data that turn round ------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["success_rate", "error_rate"])
@pytest.mark.parametrize("mode", MODES)
def test_a_treatment_that_is_worse_by_now_is_not_shipped(
    tested: Registry, clock: Clock, mode: Any, metric: str
):
    begin(tested, clock, mode=mode, metric=metric)
    assert look(tested, answers("a", *BETTER)).winner == "2.0.0"
    found = look(tested, answers("b", (500, 500), (100, 500)))
    assert found.verdict == ("continue" if mode == "always-valid" else "stop_futile")
    assert (found.winner, found.statistical_significance) == (None, True)
    assert "reversed" in found.warnings
    assert "2.0.0 was better at an earlier look and is worse by now" in found.recommendation


@pytest.mark.parametrize("metric", ["success_rate", "error_rate"])
@pytest.mark.parametrize("mode", MODES)
def test_a_treatment_that_was_worse_and_is_better_by_now_is_neither_shipped_nor_rolled_back(
    tested: Registry, clock: Clock, mode: Any, metric: str
):
    begin(tested, clock, mode=mode, metric=metric)
    assert look(tested, answers("a", *WORSE)).verdict == "rollback"
    found = look(tested, answers("b", (100, 500), (500, 500)))
    assert found.verdict == ("continue" if mode == "always-valid" else "stop_futile")
    assert found.winner is None
    assert "reversed" in found.warnings
    if mode == "always-valid":
        assert "2.0.0 was worse at an earlier look and is better by now" in found.recommendation


def test_a_gain_that_is_gone_by_now_is_no_reversal_and_not_shipped(tested: Registry, clock: Clock):
    begin(tested, clock, mode="always-valid")
    assert look(tested, answers("a", *BETTER)).winner == "2.0.0"
    found = look(tested, answers("b", (335, 500), (300, 500)))
    assert found.primary.diff == 0
    assert (found.verdict, found.winner) == ("continue", None)
    assert "2.0.0 was better at an earlier look, and may not be" in found.recommendation
    assert "reversed" not in found.warnings


# --- what comes first ----------------------------------------------------------------------------


def measured(direction: Any, *, diff: float, passed: bool | None = None) -> MetricResult:
    """A metric of the only treatment, surely as much above the control as `diff`."""
    arm = ArmResult(
        variant="treatment", version="2.0.0", n_units=500, n_rows=500, value=0.5, se=0.01,
        missing_rate=None,
    )  # fmt: skip
    state = LookState(
        k=None, of=None, t=None, boundary=2.0, alpha_spent=None, is_decision_point=True
    )
    return MetricResult(
        metric="success_rate", role="primary", direction=direction, unit="share",
        variant="treatment", version="2.0.0", method="delta", mode="always-valid", alpha_used=0.05,
        level=0.95, control=arm, treatment=arm, diff=diff, diff_ci=(diff - 0.02, diff + 0.02),
        se=0.01, statistic=None, p_value=None, running_min_p=None, look=state, verdict="",
        sentence="as seen", margin="a guardrail", passed=passed,
    )  # fmt: skip


def found_with(
    failed: Sequence[str],
    *,
    crossed: int,
    guard: bool | None = True,
    is_futile: bool = False,
    is_final: bool = False,
    is_ready: bool = True,
    direction: Any = "up",
    worth: bool | None = None,
) -> Findings:
    """The findings of one treatment, with gates that failed."""
    effects: dict[str, Any] = {"srm": "invalid", "label_coverage": "invalid", "full_week": "warn"}
    names = ("srm", "label_coverage", "min_units", "min_events", "run_time", "full_week")
    better = 0.1 if direction == "up" else -0.1
    metric = TestMetric(name="success_rate", kind="share", direction=direction, unit="share")
    variants = [
        Variant(variant=name, version=version, model_id=version, weight=5000)
        for name, version in zip(ARMS[2], VERSIONS, strict=False)
    ]
    standing = PastLook(
        slot=1, information=None, p=(1.0,), crossed=(crossed,), is_final=False, units=1000,
        kept=(guard,), worth=(worth,), futile=(is_futile,),
    )  # fmt: skip
    primary = measured(direction, diff=crossed * better)
    return Findings(
        design=Design(
            test_id="t", model="m", variants=tuple(variants), strategy="sticky", unit="user",
            metric=metric,
        ),
        primaries=(primary,),
        guardrails=(measured(direction, diff=0.0, passed=guard),),
        gates=tuple(
            Gate(
                gate=name,
                passed=name not in failed,
                effect=effects.get(name, "wait"),
                detail=f"the gate {name}",
            )
            for name in names
        ),
        crossed=[crossed],
        ready=[is_ready],
        is_final=is_final,
        now=[primary.diff_ci],
        ended=(is_final,),
        fresh=(False,),
        standing=standing,
    )  # fmt: skip


@pytest.mark.parametrize("count", [120, 400])
def test_where_all_succeed_the_gate_says_so_in_words(tested: Registry, clock: Clock, count: int):
    begin(tested, clock)
    found = look(tested, answers("a", (count, count), (count, count)))
    assert found.verdict == "continue"
    assert "success_rate is 100% in every arm" in found.recommendation
    assert "0.0 of the rarer" not in found.recommendation


def test_among_several_treatments_the_sentence_names_the_version(tested: Registry, clock: Clock):
    begin(tested, clock, 2)
    found = look(tested, answers("a", (80, 160), (82, 160), (90, 160)))
    assert (found.verdict, found.primary.version) == ("continue", "3.0.0")
    assert found.recommendation.startswith("Go on: 3.0.0: success_rate 50.00 %")


def test_nothing_is_called_chance_whose_interval_excludes_zero():
    findings = found_with([], crossed=0)
    clear = replace(findings.primaries[0], diff_ci=(0.0012, 0.0428))
    found = verdict(replace(findings, primaries=(clear,)))
    assert found.sentence == "Go on: as seen; no look that counts has shown it."


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize(
    ("failed", "state", "expected", "sentence"),
    [
        (["srm", "min_units"], {"crossed": -1}, "invalid", "Invalid: the gate srm."),
        (["srm"], {"crossed": 1}, "invalid", "Invalid: the gate srm."),
        (["label_coverage"], {"crossed": 0, "guard": False}, "rollback", "Roll back: as seen."),
        (["label_coverage"], {"crossed": -1}, "rollback", "Roll back: as seen."),
        (["label_coverage"], {"crossed": 1}, "invalid", "Invalid: the gate label_coverage."),
        (["srm"], {"crossed": 0, "guard": False}, "invalid", "Invalid: the gate srm."),
        (["srm"], {"crossed": 0, "is_final": True}, "invalid", "Invalid: "),
        (["run_time", "min_units"], {"crossed": -1}, "rollback", "Roll back: as seen."),
        (["run_time"], {"crossed": 1, "guard": False}, "rollback", "Roll back: as seen."),
        ([], {"crossed": -1, "is_final": True, "is_futile": True}, "rollback", "Roll back: "),
        (["min_units"], {"crossed": 1}, "continue", "No verdict yet: the gate min_units."),
        (["min_events"], {"crossed": 1}, "continue", "No verdict yet: the gate min_events."),
        (["run_time"], {"crossed": 1}, "continue", "No verdict yet: the gate run_time."),
        (["run_time"], {"crossed": 0, "is_futile": True}, "continue", "No verdict yet: "),
        (["run_time"], {"crossed": 1, "is_final": True}, "continue", "No verdict yet: "),
        (["min_units"], {"crossed": 1, "is_final": True}, "inconclusive", "The test is over und"),
        (["full_week"], {"crossed": 1}, "ship", "Ship 2.0.0: as seen."),
        ([], {"crossed": 1, "is_final": True, "is_futile": True}, "ship", "Ship 2.0.0: "),
        ([], {"crossed": 1, "guard": None}, "continue", "Go on: 2.0.0 is better, but the guard"),
        ([], {"crossed": 1, "guard": None, "is_final": True}, "inconclusive",
         "The test is over undecided: 2.0.0 is better, but the guardrail a guardrail is not shown"),
        ([], {"crossed": 1, "worth": False, "is_final": True}, "stop_futile", "Stop: the test is"),
        ([], {"crossed": 1, "worth": False}, "continue", "Go on: 2.0.0 is better, but by less"),
        ([], {"crossed": 1, "is_futile": True, "worth": False}, "continue", "Go on: "),
        ([], {"crossed": 1, "is_ready": False}, "continue", "Go on: "),
        ([], {"crossed": 0, "is_futile": True}, "stop_futile", "Stop: a gain worth having"),
        ([], {"crossed": 0, "is_final": True}, "stop_futile", "Stop: the test is over and has"),
        ([], {"crossed": 0}, "continue", "Go on: as seen; the difference may be chance."),
    ],
)  # fmt: skip
def test_the_first_rule_that_fits_is_the_verdict(
    failed: Sequence[str], state: dict[str, Any], direction: str, expected: str, sentence: str
):
    found = verdict(found_with(failed, direction=direction, **state))
    assert (found.verdict, found.winner) == (expected, "2.0.0" if expected == "ship" else None)
    assert found.sentence.startswith(sentence)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("arms", "guardrails", "expected"),
    [
        (WORSE, [], "rollback"),
        (((100, 160), (50, 160)), ["success_rate >= -0.01"], "rollback"),
        (EQUAL, [], "continue"),
        (BETTER, [], "continue"),
    ],
)
def test_harm_is_not_made_to_wait_and_a_gain_is(
    tested: Registry, clock: Clock, mode: Any, arms: Any, guardrails: Any, expected: str
):
    begin(tested, clock, mode=mode, days=1, guardrails=guardrails)
    found = look(tested, answers("a", *arms))
    assert [gate.gate for gate in found.failed_gates] == ["run_time"]
    assert (found.verdict, found.winner) == (expected, None)
    assert found.recommendation.startswith("No verdict yet") is (expected == "continue")
    if expected == "rollback":
        assert tested.experiments.conclude("t").verdict == "rollback"
    else:
        with pytest.raises(Inconclusive, match="No verdict yet"):
            tested.experiments.conclude("t", promote_winner=True)


@pytest.mark.parametrize("arms", [((100, 100), (60, 400)), ((10, 100), (350, 400))])
def test_arms_of_the_wrong_size_show_neither_harm_nor_gain(
    tested: Registry, clock: Clock, arms: Any
):
    begin(tested, clock, days=1)
    found = look(tested, answers("a", *arms))
    assert (found.verdict, found.winner) == ("invalid", None)
    assert found.recommendation.startswith("Invalid: ")
    with pytest.raises(CheckFailed):
        tested.experiments.conclude("t")


# --- several treatments --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("worse", "dear"), [(1, 2), (2, 1)])
def test_where_one_is_worse_and_the_other_breaks_a_guardrail_all_go_back(
    tested: Registry, clock: Clock, mode: Any, worse: int, dear: int
):
    begin(tested, clock, 2, mode=mode, guardrails=["cost_per_request <= +10%"])
    arms = [(90, 160)] * 3
    arms[worse] = (30, 160)
    rows = answers("a", *arms)
    for i, row in enumerate(rows):
        row["cost"] = 10 + i % 3 + 5 * (row["variant"] == ARMS[3][dear])
    found = look(tested, rows)
    assert [guard.passed is False for guard in found.guardrails] == [dear == 1, dear == 2]
    assert (found.verdict, found.winner) == ("rollback", None)


@pytest.mark.parametrize(("mode", "count"), [("group-sequential", 440), ("always-valid", 1200)])
@pytest.mark.parametrize("worse", [1, 2])
def test_where_one_is_worse_and_the_other_futile_the_test_stops(
    tested: Registry, clock: Clock, mode: Any, count: int, worse: int
):
    begin(tested, clock, 2, mode=mode)
    arms = [(count // 2, count)] * 3
    arms[worse] = (count // 4, count)
    found = look(tested, answers("a", *arms))
    assert not found.is_final
    assert (found.verdict, found.winner) == ("stop_futile", None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lagging", [1, 2])
def test_a_treatment_without_data_does_not_keep_another_from_winning(
    tested: Registry, clock: Clock, mode: Any, lagging: int
):
    weights = {"1.0.0": 50, VERSIONS[lagging]: 0.01, VERSIONS[3 - lagging]: 49.99}
    begin(tested, clock, 2, mode=mode, baseline=None, weights=weights)
    arms = [(60, 165), (120, 165), (120, 165)]
    arms[lagging] = (0, 0)
    found = look(tested, answers("a", *arms))
    assert found.is_decision_point
    assert (found.verdict, found.winner) == ("ship", VERSIONS[3 - lagging])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("guarded", "winner"), [((), "3.0.0"), ((2,), "2.0.0"), ((1,), "3.0.0")])
def test_the_winner_leads_whatever_the_others_show(
    tested: Registry, clock: Clock, mode: Any, guarded: Sequence[int], winner: str
):
    """Both treatments are better, and the ones that are guarded cost too much."""
    begin(tested, clock, 2, mode=mode, guardrails=["cost_per_request <= +10%"])
    rows = answers("a", (50, 165), (110, 165), (130, 165))
    dear = {ARMS[3][place] for place in guarded}
    for i, row in enumerate(rows):
        row["cost"] = 10 + i % 3 * 0.1 + 5 * (row["variant"] in dear)
    found = look(tested, rows)
    assert (found.verdict, found.winner, found.primary.version) == ("ship", winner, winner)
    assert tested.experiments.conclude("t", promote_winner=True).primary.version == winner


# --- directions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("metric", "direction"), [("success_rate", "up"), ("error_rate", "down")])
@pytest.mark.parametrize(("arms", "expected", "winner"), ENDS[1:])
def test_fewer_errors_win_like_more_successes(
    tested: Registry, clock: Clock, mode: Any, metric: str, direction: str, arms: Any,
    expected: str, winner: str | None,
):  # fmt: skip
    begin(tested, clock, mode=mode, metric=metric)
    found = look(tested, answers("a", *arms))
    assert (found.verdict, found.winner) == (expected, winner)
    assert found.primary.direction == direction
    assert found.primary.verdict == ("worse" if winner is None else "better_practical")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("extra", "expected"), [(-20, "ship"), (20, "rollback")])
def test_who_answers_sooner_wins(
    tested: Registry, clock: Clock, mode: Any, extra: int, expected: str
):
    begin(tested, clock, mode=mode, metric="avg_latency_ms", mde=10, baseline=None)
    rows = answers("a", (200, 200), (200, 200))
    for i, row in enumerate(rows):
        row["latency_ms"] = 100 + i % 50 + extra * (row["variant"] == "treatment")
    found = look(tested, rows)
    assert found.primary.diff == pytest.approx(extra)
    assert (found.verdict, found.primary.direction) == (expected, "down")
