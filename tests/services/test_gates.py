"""Gates: what must arrive alike in each arm, or the numbers may decide nothing."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.clock import HOUR
from mlreg.entities.analyses import Analysis, Gate
from mlreg.registry import Registry
from mlreg.stats import codes
from tests.services.experimenting import ARMS, Rows, begin, look
from tests.support import Clock


def labelled(part: str, *arms: tuple[int, int]) -> Rows:
    """One answer for each user: of each arm how many have a label, and of how many."""
    return [
        {"unit": f"{part}-{variant}-{i}", "variant": variant, "output": 1,
         "correct": i % 2 == 0 if i < known else None}
        for variant, (known, count) in zip(ARMS[2], arms, strict=True)
        for i in range(count)
    ]  # fmt: skip


def coverage(found: Analysis) -> Gate:
    """The gate of the labels."""
    return next(gate for gate in found.gates if gate.gate == "label_coverage")


def test_late_labels_of_a_canary_that_grows_are_no_alarm(tested: Registry, clock: Clock):
    """The old phase is labelled and mostly the control's; the young one is hardly labelled."""
    begin(tested, clock, strategy="canary", metric="accuracy")
    look(tested, labelled("a", (1710, 1800), (190, 200)))
    tested.experiments.step("t", to=50)
    found = look(tested, labelled("b", (100, 1000), (100, 1000)))
    assert coverage(found).passed
    assert found.failed_gates == ()


@pytest.mark.parametrize(
    "arms",
    [
        ((450, 500), (300, 500)),
        ((300, 500), (450, 500)),
        ((500, 500), (0, 500)),
        ((0, 500), (500, 500)),
    ],
)
def test_an_arm_that_is_labelled_less_makes_accuracy_no_comparison(
    tested: Registry, clock: Clock, arms: Any
):
    begin(tested, clock, metric="accuracy")
    found = look(tested, labelled("a", *arms))
    assert (found.verdict, found.winner) == ("invalid", None)
    assert found.failed_gates[0] == coverage(found)
    assert found.recommendation.startswith("Invalid: labels came for ")
    assert "coverage" in found.warnings


def rated(part: str, counts: tuple[int, int], told: tuple[int, int]) -> Rows:
    """Users of one answer each, of whom so many of each arm give it stars, the same in both."""
    return [
        {"unit": f"{part}-{variant}-{i}", "variant": variant, "output": 1,
         "values": {"stars": 1 + i % 5} if i < known else {}}
        for variant, count, known in zip(ARMS[2], counts, told, strict=True)
        for i in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("metric", ["value:stars", "cost_per_request"])
def test_an_arm_that_reports_less_makes_a_value_no_comparison(
    tested: Registry, clock: Clock, metric: str
):
    begin(tested, clock, metric=metric, mode="always-valid", mde=None, baseline=None)
    rows = rated("a", (1500, 1500), (1500, 1000))
    for row in rows:
        row["cost"] = row["values"].get("stars")
    found = look(tested, rows)
    (failed,) = found.failed_gates
    assert (found.verdict, failed.effect) == ("invalid", "invalid")
    assert "came for 100.0% and 66.7% of the predictions" in failed.detail
    assert codes.COVERAGE in found.warnings


def waiting(slow: tuple[int, int], lost: tuple[bool, bool]) -> Rows:
    """Users of one answer each, whose slow answers are lost where they run into a timeout."""
    return [
        {"unit": f"{variant}-{i}", "variant": variant, "output": 1,
         "error": "timeout" if cut and i < late else None,
         "latency_ms": 100 + i % 9 if i < late else 10 + i % 9}
        for variant, late, cut in zip(ARMS[2], slow, lost, strict=True)
        for i in range(1000)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lost", "guardrails", "said"),
    [
        ((False, True), (), "continue"),
        ((True, False), (), "invalid"),
        ((False, True), ("error_rate <= +0.02",), "rollback"),
        ((False, False), (), "continue"),
    ],
)
def test_an_arm_that_loses_its_slow_answers_is_not_the_faster_one(
    tested: Registry, clock: Clock, lost: Any, guardrails: Any, said: str
):
    begin(tested, clock, metric="avg_latency_ms", guardrails=guardrails, mode="always-valid",
          mde=None, baseline=None)  # fmt: skip
    assert look(tested, waiting((250, 250), lost)).verdict == said


def failing(part: str, *failures: int) -> Rows:
    """500 users of each arm, so many of whom get no answer and so no label."""
    return [
        {"unit": f"{part}-{variant}-{i}", "variant": variant}
        | ({"error": "timeout"} if i < failed else {"output": 1, "correct": i % 5 != 0})
        for variant, failed in zip(ARMS[2], failures, strict=True)
        for i in range(500)
    ]


def test_failures_that_cost_labels_are_harm_and_no_fault(tested: Registry, clock: Clock):
    begin(tested, clock, metric="accuracy", guardrails=["error_rate <= 0.05"])
    for part in "abc":
        found = look(tested, failing(part, 10, 60))
        assert not coverage(found).passed
        assert (found.verdict, found.winner) == ("rollback", None)
        assert found.recommendation.startswith("Roll back: error_rate <= 0.05: broken")
        clock.at += 24 * HOUR
    assert tested.experiments.conclude("t").verdict == "rollback"


def test_a_loss_is_no_harm_where_labels_are_lost(tested: Registry, clock: Clock):
    begin(tested, clock, metric="accuracy")
    rows = labelled("a", (500, 500), (400, 500))
    for i, row in enumerate(rows[500:900]):
        row["correct"] = i < 50
    found = look(tested, rows)
    assert found.primary.is_crossed
    assert found.verdict == "invalid"


@pytest.mark.parametrize(
    ("wishes", "effect"),
    [
        ({"secondary": ["accuracy"]}, "warn"),
        ({"guardrails": ["accuracy >= -0.1"]}, "invalid"),
        ({}, None),
    ],
)
def test_labels_hold_back_what_rests_on_them_and_nothing_else(
    tested: Registry, clock: Clock, wishes: dict[str, Any], effect: str | None
):
    begin(tested, clock, metric="avg_confidence", **wishes)
    rows = labelled("a", (450, 500), (300, 500))
    for i, row in enumerate(rows):
        row["confidence"] = 0.5 + i % 7 / 100
    found = look(tested, rows)
    gates = [gate for gate in found.gates if gate.gate == "label_coverage"]
    assert [(gate.passed, gate.effect) for gate in gates] == ([(False, effect)] if effect else [])
    assert (found.verdict == "invalid") is (effect == "invalid")


@pytest.mark.parametrize(("window", "passed"), [(None, False), ("1h", True)])
def test_a_label_that_is_not_due_yet_is_not_missed(
    tested: Registry, clock: Clock, window: str | None, *, passed: bool
):
    begin(tested, clock, metric="accuracy", label_window=window)
    tested.external.record_many("t", labelled("old", (450, 500), (450, 500)))
    clock.at += 2 * HOUR
    found = look(tested, labelled("young", (450, 500), (100, 500)))
    assert coverage(found).passed is passed
    clock.at += 2 * HOUR
    assert not coverage(look(tested)).passed


def met(part: str, *arms: tuple[int, int]) -> Rows:
    """Users of one arm: of each arm so many who then ask the other one, and so many in all."""
    return [
        {"unit": f"{part}-{first}-{i}", "variant": variant, "success": variant != first}
        for first, (moved, count) in zip(ARMS[2], arms, strict=True)
        for i in range(count)
        for variant in ((first, *(v for v in ARMS[2] if v != first)) if i < moved else (first,))
    ]


def crossovers(found: Analysis) -> Gate | None:
    return next((gate for gate in found.gates if gate.gate == "crossovers"), None)


@pytest.mark.parametrize(
    ("moved", "passed"),
    [((0, 0), True), ((4, 5), True), ((0, 3), True), ((0, 40), False), ((150, 150), False)],
)
def test_users_who_meet_two_arms_are_few_and_alike_in_both(
    tested: Registry, clock: Clock, moved: tuple[int, int], *, passed: bool
):
    begin(tested, clock, metric="error_rate")
    found = look(tested, met("a", *[(n, 1000) for n in moved]))
    gate = crossovers(found)
    assert gate is not None
    assert (gate.passed, gate.effect) == (passed, "invalid")
    assert found.exposure.excluded_by_arm == moved
    assert (found.verdict == "invalid") is not passed


def test_failures_that_drive_users_to_the_other_arm_stay_with_the_first(
    tested: Registry, clock: Clock
):
    """All that fails in the treatment asks the control and is answered there."""
    begin(tested, clock, metric="error_rate")
    rows = met("a", (0, 1000), (110, 1000))
    for row in rows:
        row["success"] = row["unit"].endswith("7") or row["variant"] == "control"
    for row in rows:
        is_lone = row["variant"] == "treatment" and int(row["unit"].rpartition("-")[2]) >= 110
        row["success"] = row["success"] or is_lone
    found = look(tested, rows)
    assert found.primary.diff == 0
    (assigned,) = found.as_assigned
    assert (assigned.role, assigned.control.value) == ("as_assigned", 0)
    assert assigned.treatment.value == pytest.approx(99 / 1110)
    assert assigned.treatment.n_units == 1000
    assert assigned.diff_ci is not None
    assert assigned.diff_ci[0] > 0
    assert found.recommendation.startswith("Invalid: 110 of 2,000 users met several arms")
    assert "control first: 0, treatment first: 110" in found.recommendation


def test_where_requests_were_split_users_may_meet_any_arm(tested: Registry, clock: Clock):
    begin(tested, clock, metric="error_rate", strategy="random")
    found = look(tested, met("a", (0, 500), (100, 500)))
    assert crossovers(found) is None
    assert found.as_assigned == ()
