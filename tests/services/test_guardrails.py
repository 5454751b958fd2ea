"""Guardrails: kept only where that is shown, broken only where that is, and so for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from mlreg.clock import DAY
from mlreg.entities.analyses import MetricResult
from mlreg.entities.experiments import Draft
from mlreg.registry import Registry
from mlreg.services.answers import Request
from tests.services.experimenting import MODES, Rows, look
from tests.support import Clock

ARMS = ("control", "treatment")


def begin(registry: Registry, clock: Clock, guardrails: Sequence[str], **wishes: Any) -> None:
    """Start an experiment, and let more than a week go by.

    Each 41 users of an arm are a tenth of the planned information, if every other one succeeds.
    """
    given = {"strategy": "sticky", "mde": 0.1, "baseline": 0.5, **wishes}
    registry.experiments.create(
        "t", Draft(control="m@1.0.0", treatments=["m@2.0.0"], guardrails=guardrails, **given)
    )
    registry.experiments.start("t")
    clock.at += 8 * DAY


def states(registry: Registry, rows: Sequence[dict[str, Any]] = ()) -> list[bool | None]:
    """Whether each guardrail is kept, after these answers."""
    return [guard.passed for guard in look(registry, rows).guardrails]


def failing(count: int, *failed: int) -> Rows:
    """Users of one answer each, of whom so many of each arm get none."""
    return [
        {"unit": f"{variant}-{i}", "variant": variant, "output": 1, "success": i >= bad,
         "confidence": 0.5 + i % 7 / 100, "values": {"calm": i % 7}}
        for variant, bad in zip(ARMS, failed, strict=True)
        for i in range(count)
    ]  # fmt: skip


def losing(part: str, count: int, loss: float) -> Rows:
    """Users of whom every other one succeeds; a treatment's wait longer and rate as much less."""
    rows: Rows = []
    for variant in ARMS:
        for i in range(count):
            wait = 10 + i % 5 - 2 + loss * (variant == "treatment")
            values = {"wait": wait, "stars": 20 - wait}
            rows.append({
                "unit": f"{part}-{variant}-{i}", "variant": variant, "output": 1,
                "success": i % 2 == 0, "values": values,
            })  # fmt: skip
    return rows


# --- rare events ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("guardrail", "enough"),
    [
        ("error_rate <= +0.05", True),
        ("error_rate <= 0.05", True),
        ("success_rate >= -0.05", True),
        ("success_rate >= 0.95", True),
        ("success_rate >= -5%", True),
        ("error_rate <= +50%", None),
    ],
)
def test_where_nothing_fails_a_guardrail_is_kept_once_there_are_users_enough(
    tested: Registry, clock: Clock, mode: Any, guardrail: str, enough: bool | None
):
    """A part of no errors is nothing, and nobody can tell whether it is kept."""
    begin(tested, clock, [guardrail], metric="avg_confidence", mode=mode, mde=0.001, baseline=0.5)
    rows = failing(1500, 0, 0)
    few = [row for row in rows if int(row["unit"].rpartition("-")[2]) < 90]
    assert states(tested, few) == [None]
    assert states(tested, [row for row in rows if row not in few]) == [enough]


@pytest.mark.parametrize(
    ("guardrail", "failed", "state"),
    [
        ("error_rate <= +0.05", (50, 20), True),
        ("error_rate <= +0.05", (50, 90), None),
        ("error_rate <= +0.05", (10, 200), False),
        ("error_rate <= +0.05", (0, 200), False),
        ("error_rate <= 0.05", (500, 10), True),
        ("error_rate <= 0.05", (0, 45), None),
        ("error_rate <= 0.05", (500, 200), False),
        ("error_rate <= +50%", (300, 200), True),
        ("error_rate <= +50%", (100, 140), None),
        ("error_rate <= +50%", (100, 300), False),
        ("error_rate <= +50%", (0, 100), False),
        ("success_rate >= -0.05", (50, 20), True),
        ("success_rate >= -0.05", (50, 90), None),
        ("success_rate >= -0.05", (10, 200), False),
        ("success_rate >= 0.95", (500, 10), True),
        ("success_rate >= 0.95", (0, 45), None),
        ("success_rate >= 0.95", (500, 200), False),
        ("success_rate >= -5%", (50, 20), True),
        ("success_rate >= -5%", (50, 90), None),
        ("success_rate >= -5%", (10, 200), False),
        ("success_rate >= -5%", (0, 1000), False),
    ],
)
def test_a_share_is_kept_broken_or_not_known(
    tested: Registry, clock: Clock, guardrail: str, failed: Sequence[int], state: bool | None
):
    begin(tested, clock, [guardrail], metric="value:calm", mode="always-valid", mde=0.01)
    found = look(tested, failing(1000, *failed))
    assert found.guardrails[0].passed is state
    word = {True: "kept", None: "not shown", False: "broken"}[state]
    assert found.guardrails[0].sentence.startswith(f"{guardrail}: {word} (")
    assert (found.verdict == "rollback") is (state is False)


@pytest.mark.parametrize(
    ("guardrail", "end"),
    [
        ("error_rate <= +1%", " points, limit 2.02 %)"),
        ("error_rate <= +0.01", " points, limit 3.00 %)"),
        ("error_rate <= 0.05", " points)"),
    ],
)
def test_the_sentence_of_a_guardrail_shows_its_limit(
    tested: Registry, clock: Clock, guardrail: str, end: str
):
    begin(tested, clock, [guardrail], metric="value:calm", mode="always-valid", mde=0.01)
    assert look(tested, failing(1000, 20, 20)).guardrails[0].sentence.endswith(end)


# --- looks ---------------------------------------------------------------------------------------


def test_with_a_plan_a_guardrail_is_shown_to_be_kept_only_at_looks_that_count(
    tested: Registry, clock: Clock
):
    begin(tested, clock, ["value:wait:down <= +1"])
    for rows, is_counted, state in (
        (losing("a", 290, 0.95), True, None),
        (losing("b", 30, -9), False, None),
        (losing("c", 40, -9), True, True),
        (losing("d", 5, 130), False, True),
        (losing("e", 35, 1), True, None),
    ):
        found = look(tested, rows)
        assert not found.is_final
        assert (found.is_decision_point, found.guardrails[0].passed) == (is_counted, state)


def test_without_a_plan_what_was_shown_to_be_kept_stays_so(tested: Registry, clock: Clock):
    begin(tested, clock, ["value:wait:down <= +1"], mode="always-valid")
    for rows, state in (
        (losing("a", 290, 0.95), None),
        (losing("b", 28, -15), True),
        (losing("c", 300, 2.5), True),
    ):
        assert states(tested, rows) == [state]
    guard = tested.experiments.analyze("t").guardrails[0]
    assert guard.diff == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("mode", MODES)
def test_a_recorded_break_stands(tested: Registry, clock: Clock, mode: Any):
    begin(tested, clock, ["value:wait:down <= +1"], mode=mode)
    assert states(tested, losing("a", 200, 3)) == [False]
    for part in range(3):
        found = look(tested, losing(f"good{part}", 100, -9))
        assert (found.verdict, found.guardrails[0].passed) == ("rollback", False)


@pytest.mark.parametrize("mode", MODES)
def test_harm_needs_no_slot_of_the_plan(tested: Registry, clock: Clock, mode: Any):
    begin(tested, clock, ["value:wait:down <= +1"], mode=mode)
    assert states(tested, losing("a", 180, 1)) == [None]
    found = look(tested, losing("b", 24, 12))
    assert (found.verdict, found.guardrails[0].passed) == ("rollback", False)
    assert found.is_decision_point is (mode == "always-valid")
    assert tested.experiments.conclude("t").verdict == "rollback"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("extra", "state"), [(-1.0, True), (0.95, None), (3.0, False)])
def test_after_the_final_look_no_guardrail_is_kept_that_was_not(
    tested: Registry, clock: Clock, mode: Any, extra: float, state: bool | None
):
    begin(tested, clock, ["value:wait:down <= +1"], mode=mode, max_duration="7d")
    ended = look(tested, losing("a", 200, extra))
    assert (ended.is_final, ended.guardrails[0].passed) == (True, state)
    for part in range(3):
        found = look(tested, losing(f"late{part}", 200, -9.0))
        assert (found.verdict, found.guardrails[0].passed) == (ended.verdict, state)
    for part in range(9):
        found = look(tested, losing(f"later{part}", 200, 9.0))
    assert (found.verdict, found.guardrails[0].passed) == ("rollback", False)


# --- latencies that nobody reported ---------------------------------------------------------------


def timed(count: int, *known: int) -> Rows:
    """Users of one answer each, of whom so many of each arm come with their latency."""
    return [
        {"unit": f"{variant}-{i}", "variant": variant, "output": 1, "success": i % 2 == 0,
         "latency_ms": 100 + i % 50 if i < told else None}
        for variant, told in zip(ARMS, known, strict=True)
        for i in range(count)
    ]  # fmt: skip


LATENCIES = ("p95_latency_ms <= +10%", "p95_latency_ms <= 250", "avg_latency_ms <= +10%")


@pytest.mark.parametrize("guardrail", LATENCIES)
def test_a_latency_that_is_not_reported_keeps_no_guardrail(
    tested: Registry, clock: Clock, guardrail: str
):
    begin(tested, clock, [guardrail])
    found = look(tested, timed(3000, 3000, 0)).guardrails[0]
    assert found.passed is None
    assert (found.treatment.value, found.treatment.missing_rate) == (None, 1.0)


@pytest.mark.parametrize("guardrail", LATENCIES)
def test_latencies_are_compared_among_those_that_are_reported(
    tested: Registry, clock: Clock, guardrail: str
):
    begin(tested, clock, [guardrail])
    found = look(tested, timed(6000, 6000, 3000)).guardrails[0]
    assert found.passed
    assert found.treatment.value == pytest.approx(found.control.value, rel=0.01)
    assert found.treatment.missing_rate == 0.75  # and a failure has no latency
    rows = tested.predictions.log(limit=6000)
    assert {row.latency_ms for row in rows if row.unit == "treatment-5999"} == {None}


# --- means and quantiles -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("sign", "margins"), [("<=", ("+10%", "+1", "11")), (">=", ("-10%", "-1", "9"))]
)
@pytest.mark.parametrize(
    ("loss", "state"), [(-1.0, True), (0.0, True), (0.95, None), (1.05, None), (2.0, False)]
)
def test_a_mean_is_kept_broken_or_not_known_however_its_margin_is_written(
    tested: Registry,
    clock: Clock,
    mode: Any,
    sign: str,
    margins: Sequence[str],
    loss: float,
    state: bool | None,
):
    name = "value:wait:down" if sign == "<=" else "value:stars"
    begin(tested, clock, [f"{name} {sign} {margin}" for margin in margins], mode=mode)
    found = look(tested, losing("a", 330, loss))
    assert [guard.passed for guard in found.guardrails] == [state] * 3
    assert (found.verdict == "rollback") is (state is False)


def waiting(part: str, users: int, factor: float = 1.0, answers: int = 5) -> Rows:
    """Users of several answers each, some of whom wait twice as long as others all along."""
    draw = np.random.default_rng(len(part))
    return [
        {"unit": f"{part}-{variant}-{i}", "variant": variant, "output": 1, "confidence": i % 2,
         "latency_ms": 100 * (1 + i % 10 / 10) * draw.uniform(0.9, 1.1)
         * (factor if variant == "treatment" else 1)}
        for variant in ARMS
        for i in range(users)
        for _ in range(answers)
    ]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("factor", "state"), [(0.8, True), (1.0, True), (1.18, None), (1.22, None), (1.5, False)]
)
def test_a_quantile_is_kept_broken_or_not_known_where_users_differ(
    tested: Registry, clock: Clock, mode: Any, factor: float, state: bool | None
):
    begin(tested, clock, ["p95_latency_ms <= +20%"], metric="avg_confidence", mode=mode)
    found = look(tested, waiting("a", 320, factor))
    guard = found.guardrails[0]
    assert guard.passed is state
    assert (guard.control.n_units, guard.control.n_rows) == (320, 1600)
    assert (guard.design_effect or 0) > 2
    assert guard.treatment.value == pytest.approx((guard.control.value or 0) * factor, rel=0.03)


def test_few_answers_show_nothing_of_a_quantile(tested: Registry, clock: Clock):
    begin(tested, clock, ["p95_latency_ms <= +20%"], metric="avg_confidence", mode="always-valid")
    assert states(tested, waiting("a", 110, 0.5, answers=1)) == [None]


@pytest.mark.parametrize("metric", ["p95_latency_ms", "avg_latency_ms"])
def test_a_user_who_comes_back_in_another_phase_counts_once(
    tested: Registry, clock: Clock, metric: str
):
    begin(tested, clock, [f"{metric} <= +20%"], metric="avg_confidence", strategy="canary")
    control = [row for row in waiting("a", 450) if row["variant"] == "control"]
    treatment = [row for row in waiting("a", 50) if row["variant"] == "treatment"]
    first = look(tested, [*control, *treatment]).guardrails[0]
    tested.experiments.step("t", to=20)
    found = look(tested, [*control[: 5 * 400], *treatment, *waiting("bb", 10)]).guardrails[0]
    assert (first.control.n_units, first.treatment.n_units) == (450, 50)
    assert (found.control.n_units, found.treatment.n_units) == (460, 60)
    assert (found.control.n_rows, found.treatment.n_rows) == (5 * 860, 5 * 110)


def test_the_rows_of_a_batch_are_one_observation_of_latency(tested: Registry, clock: Clock):
    """Each chunk asks each arm's model once."""
    metrics = ("avg_latency_ms", "p95_latency_ms")
    begin(tested, clock, [f"{metric} <= +100%" for metric in metrics])
    look(tested, waiting("a", 320, 1.0, answers=2))
    requests = (Request([float(i)], unit=f"u{i}") for i in range(400))
    answered = list(tested.predictions.predict_many(requests, model="m", chunk=100))
    assert not any(answer.error for answer in answered)
    found = look(tested)
    assert sum(sum(phase.rows) for phase in found.phases) == 2 * 640 + 400
    for guard in found.guardrails:
        assert (guard.control.n_rows, guard.treatment.n_rows) == (640 + 4, 640 + 4)


# --- the interval --------------------------------------------------------------------------------

MARGINS = [round(0.02 * place, 2) for place in range(1, 50)]


def is_inside(guard: MetricResult) -> bool:
    """Whether the limit that matters lies inside the margin."""
    _, sign, text = (guard.margin or "").split()
    margin = float(text.removesuffix("%"))
    if text.endswith("%"):
        margin *= (guard.control.value or 0) / 100
    assert guard.diff_ci is not None
    return guard.diff_ci[1] <= margin if sign == "<=" else guard.diff_ci[0] >= margin


DRAWS: dict[str, Callable[[np.random.Generator], float]] = {
    "normal": lambda draw: 10 + draw.normal(),
    "skewed": lambda draw: 8 + draw.lognormal(),
}


def drawn(name: str) -> Rows:
    """Users who wait, and rate; a treatment's a little more of both."""
    draw, value = np.random.default_rng(3), DRAWS[name]
    rows = losing("a", 300, 0)
    for row in rows:
        found = value(draw) + 0.1 * (row["variant"] == "treatment")
        row["values"] = {"wait": found, "stars": found}
    return rows


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", DRAWS)
def test_a_mean_is_kept_exactly_where_its_interval_lies_inside_the_margin(
    tested: Registry, clock: Clock, mode: Any, name: str
):
    texts = [
        *(f"value:wait:down <= +{margin}" for margin in MARGINS),
        *(f"value:stars >= -{margin}" for margin in MARGINS),
    ]
    begin(tested, clock, texts, mode=mode)
    found = look(tested, drawn(name)).guardrails
    assert [guard.passed is True for guard in found] == [is_inside(guard) for guard in found]
    assert {guard.passed for guard in found} == {True, None}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", DRAWS)
def test_the_interval_of_a_mean_allows_what_is_kept_as_a_part(
    tested: Registry, clock: Clock, mode: Any, name: str
):
    texts = [
        *(f"value:wait:down <= +{10 * margin:.1f}%" for margin in MARGINS),
        *(f"value:stars >= -{10 * margin:.1f}%" for margin in MARGINS),
    ]
    begin(tested, clock, texts, mode=mode)
    found = look(tested, drawn(name)).guardrails
    assert all(is_inside(guard) for guard in found if guard.passed)
    assert any(guard.passed for guard in found)


PARTS = [round(0.005 * place, 3) for place in range(1, 50)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("failed", [(30, 30), (60, 70), (90, 96), (150, 150), (240, 230)])
@pytest.mark.parametrize(
    ("what", "scale", "unit"),
    [
        ("error_rate <= +", 1, ""),
        ("error_rate <= +", 800, "%"),
        ("success_rate >= -", 1, ""),
        ("success_rate >= -", 390, "%"),
    ],
)
def test_the_interval_of_a_share_allows_what_is_kept(
    tested: Registry,
    clock: Clock,
    mode: Any,
    failed: Sequence[int],
    what: str,
    scale: int,
    unit: str,
):
    texts = [f"{what}{scale * part:g}{unit}" for part in PARTS]
    begin(tested, clock, texts, metric="avg_confidence", mode=mode, mde=0.01)
    found = look(tested, failing(300, *failed)).guardrails
    assert [g.margin for g in found if g.passed and not is_inside(g)] == []
    assert any(guard.passed for guard in found)
