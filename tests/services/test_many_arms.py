"""Experiments with several treatments: what each comparison may spend, and who wins."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from mlreg.clock import DAY
from mlreg.entities.experiments import Draft
from mlreg.errors import InvalidInput, NotFound
from mlreg.registry import Registry
from tests.services.experimenting import Rows, look
from tests.support import Clock

VERSIONS = ("1.0.0", "2.0.0", "3.0.0", "4.0.0")
ARMS = ("control", "treatment-1", "treatment-2")


def create(registry: Registry, treatments: int = 2, **wishes: Any):
    refs = [f"m@{version}" for version in VERSIONS[: treatments + 1]]
    draft = Draft(control=refs[0], treatments=refs[1:], **wishes)
    return registry.experiments.create("t", draft)


def begin(registry: Registry, clock: Clock, treatments: int = 2, **wishes: Any) -> None:
    """Start an experiment, and let more than a week go by."""
    create(registry, treatments, **{"strategy": "sticky", **wishes})
    registry.experiments.start("t")
    clock.at += 8 * DAY


def users(count: int, rates: Sequence[float], seed: int = 0) -> Rows:
    """An answer for each user, in turn by each arm, that succeeds at the arm's rate."""
    draw = np.random.default_rng(seed).random(count)
    arms = ARMS if len(rates) > 2 else ("control", "treatment")
    return [
        {"unit": f"u{seed}-{i}", "variant": arms[i % len(rates)], "output": 1,
         "success": bool(draw[i] < rates[i % len(rates)])}
        for i in range(count)
    ]  # fmt: skip


# --- designs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("treatments", "names"),
    [
        (1, ["control", "treatment"]),
        (2, ["control", "treatment-1", "treatment-2"]),
        (3, ["control", "treatment-1", "treatment-2", "treatment-3"]),
    ],
)
def test_treatments_are_numbered_where_there_are_several(
    tested: Registry, treatments: int, names: list[str]
):
    variants = create(tested, treatments).design.variants
    assert [v.variant for v in variants] == names
    assert tuple(v.version for v in variants) == VERSIONS[: treatments + 1]


@pytest.mark.parametrize(
    ("treatments", "wishes", "weights"),
    [
        (2, {}, [3334, 3333, 3333]),
        (3, {}, [2500] * 4),
        (2, {"split": 30}, [7000, 1500, 1500]),
        (3, {"split": 10}, [9000, 334, 333, 333]),
        (2, {"split": 0.02}, [9998, 1, 1]),
        (2, {"strategy": "canary"}, [9000, 500, 500]),
        (3, {"strategy": "canary"}, [9000, 334, 333, 333]),
    ],
)
def test_the_treatments_share_the_split_equally(
    tested: Registry, treatments: int, wishes: dict[str, Any], weights: list[int]
):
    create(tested, treatments, **wishes)
    tested.experiments.start("t")
    live = {arm.version: arm.weight for arm in tested.traffic.current("m").live}
    assert [live[version] for version in VERSIONS[: treatments + 1]] == weights


def test_a_canary_steps_up_with_all_its_treatments(tested: Registry):
    create(tested, strategy="canary")
    tested.experiments.start("t")
    for to, weights in ((None, (8000, 1000, 1000)), (50, (5000, 2500, 2500))):
        assert tested.experiments.step("t", to=to).phases[-1].weights == weights


@pytest.mark.parametrize("kind", ["version", "alias", "id", "ref", "name"])
def test_weights_are_given_by_any_name_of_an_arm(tested: Registry, kind: str):
    tested.versions.alias("m@2.0.0", "challenger")
    names = {
        "version": ("1.0.0", "2.0.0"),
        "alias": ("1.0.0", "challenger"),
        "id": tuple(tested.versions.get(f"m@{v}").model_id for v in ("1.0.0", "2.0.0")),
        "ref": ("m@1.0.0", "m@challenger"),
        "name": ("control", "treatment-1"),
    }[kind]
    created = create(tested, weights={names[0]: 50, names[1]: 30.5, "3.0.0": 19.5})
    assert [v.weight for v in created.design.variants] == [5000, 3050, 1950]


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ({"1.0.0": 50, "2.0.0": 50}, InvalidInput, "m@3.0.0 gets no traffic"),
        ({"1.0.0": 50, "2.0.0": 25, "4.0.0": 25}, NotFound, "4.0.0 is no arm"),
        ({"1.0.0": 50, "m@1.0.0": 25, "2.0.0": 25}, InvalidInput, "given twice"),
        ({"1.0.0": 50, "2.0.0": 25, "treatment": 25}, NotFound, "treatment is no arm"),
        ({"1.0.0": 50, "2.0.0": 25, "3.0.0": 24.99}, InvalidInput, "sum to exactly 100"),
    ],
)
def test_weights_that_leave_an_arm_out_are_refused(
    tested: Registry, weights: dict[str, float], error: type[Exception], message: str
):
    with pytest.raises(error, match=message):
        create(tested, weights=weights)


def test_a_treatment_that_stands_twice_is_refused(tested: Registry):
    with pytest.raises(InvalidInput, match="is there twice"):
        tested.experiments.create("t", Draft(control="m@1.0.0", treatments=["m@2.0.0", "m@2.0.0"]))


# --- levels --------------------------------------------------------------------------------------


def always_valid_boundary(n: int, alpha: float) -> float:
    """Waudby-Smith et al. 2021, tuned to the 1 000 units of an unplanned design."""
    x = n * (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / 1_000
    return math.sqrt((x + 1) / x * (2 * math.log(1 / alpha) + math.log(x + 1)))


def first_look_boundary(information: float, alpha: float) -> float:
    """Of the spending of O'Brien and Fleming, alpha / 2 on each side."""
    from scipy.stats import norm

    spent = 2 * norm.sf(norm.isf(alpha / 4) / math.sqrt(information))
    return float(norm.isf(spent))


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize("treatments", [1, 2])
@pytest.mark.parametrize("mode", ["always-valid", "group-sequential"])
def test_each_comparison_has_its_part_of_alpha(
    tested: Registry, clock: Clock, mode: Any, treatments: int, alpha: float
):
    begin(tested, clock, treatments, mode=mode, alpha=alpha, mde=0.04, secondary=["error_rate"],
          guardrails=["error_rate <= +0.1"])  # fmt: skip
    found = look(tested, users(600 * (treatments + 1), [0.8, 0.75, 0.78][: treatments + 1]))
    results = (*found.primaries, *found.secondary, *found.guardrails)
    assert len(results) == 3 * treatments
    for result in results:
        assert result.alpha_used == pytest.approx(alpha / treatments)
        # Every guardrail must hold, so they share no alpha.
        level = 0.95 if result.role == "guardrail" else 1 - alpha / treatments
        assert result.level == pytest.approx(level)
    for result in found.primaries:
        if mode == "always-valid":
            expected = always_valid_boundary(1200, alpha / treatments)
        else:
            expected = first_look_boundary(result.look.t, alpha / treatments)
        assert result.look.boundary == pytest.approx(expected, rel=1e-4)
        assert None not in (result.diff, result.se)
        half = (result.look.boundary or 0.0) * (result.se or 0.0)
        limits = ((result.diff or 0.0) - half, (result.diff or 0.0) + half)
        assert result.diff_ci == pytest.approx(limits)


@pytest.mark.parametrize(
    ("treatments", "alpha", "is_crossed"),
    [(1, 0.05, True), (2, 0.05, False), (3, 0.05, False), (3, 0.15, True)],
)
def test_what_is_enough_alone_is_not_enough_among_others(
    tested: Registry, clock: Clock, treatments: int, alpha: float, is_crossed: bool
):
    """70 % and 74 % of a thousand: a z of 1.99, whose p is 0.047."""
    begin(tested, clock, treatments, mode="fixed", mde=0.2, alpha=alpha)
    successes = dict(zip(VERSIONS, (700, 740, 700, 700), strict=True))
    rows = [
        {"unit": f"{version}-{i}", "version": version, "output": 1, "success": i < count}
        for version, count in list(successes.items())[: treatments + 1]
        for i in range(1000)
    ]
    first, *others = look(tested, rows).primaries
    assert first.p_value == pytest.approx(0.0465, abs=0.0005)
    assert first.is_crossed is is_crossed
    assert not any(other.is_crossed for other in others)


def test_secondary_metrics_are_adjusted_over_metrics_and_treatments(tested: Registry, clock: Clock):
    from scipy.stats import false_discovery_control

    begin(tested, clock, secondary=["avg_latency_ms", "avg_confidence", "cost_per_request"])
    draw = np.random.default_rng(5)
    rows = users(3000, [0.8, 0.8, 0.8])
    for row, latency, confidence, cost in zip(rows, *draw.random((3, 3000)), strict=True):
        better = row["variant"] == "treatment-1"
        row |= {"latency_ms": 100 * latency - 8 * better, "confidence": confidence,
                "cost": cost + 0.1 * better}  # fmt: skip
        row["latency_ms"] = abs(row["latency_ms"])
    found = look(tested, rows).secondary
    assert len(found) == 6
    expected = false_discovery_control([result.p_value for result in found])
    assert [result.p_adjusted for result in found] == pytest.approx(list(expected))
    assert min(expected) < 0.05 < max(expected)


# --- verdicts ------------------------------------------------------------------------------------

MODES: list[dict[str, Any]] = [
    {"mode": "always-valid"},
    {"mode": "group-sequential", "mde": 0.05},
    {"mode": "fixed", "mde": 0.05},
]


@pytest.mark.parametrize("wishes", MODES, ids=lambda wishes: wishes["mode"])
@pytest.mark.parametrize(
    ("rates", "winner"), [((0.7, 0.85, 0.55), "2.0.0"), ((0.7, 0.55, 0.85), "3.0.0")]
)
def test_a_worse_treatment_does_not_keep_the_better_one_from_winning(
    tested: Registry, clock: Clock, wishes: dict[str, Any], rates: tuple[float, ...], winner: str
):
    begin(tested, clock, **wishes)
    found = look(tested, users(6000, rates))
    assert (found.verdict, found.winner, found.primary.version) == ("ship", winner, winner)
    signs = {result.version: np.sign(result.diff) for result in found.primaries}
    assert signs == {winner: 1, ({"2.0.0", "3.0.0"} - {winner}).pop(): -1}
    done = tested.experiments.conclude("t", promote_winner=True)
    assert done.winner == winner
    assert [arm.version for arm in tested.traffic.current("m").live] == [winner]
    assert tested.experiments.verify("t").agrees


@pytest.mark.parametrize("wishes", MODES, ids=lambda wishes: wishes["mode"])
def test_of_two_better_treatments_the_best_wins(
    tested: Registry, clock: Clock, wishes: dict[str, Any]
):
    begin(tested, clock, **wishes)
    found = look(tested, users(6000, (0.6, 0.75, 0.85)))
    assert (found.verdict, found.winner, found.primary.version) == ("ship", "3.0.0", "3.0.0")


@pytest.mark.parametrize("wishes", MODES, ids=lambda wishes: wishes["mode"])
def test_where_all_treatments_are_worse_all_go_back(
    tested: Registry, clock: Clock, wishes: dict[str, Any]
):
    tested.traffic.activate("m@1.0.0")
    begin(tested, clock, **wishes)
    found = look(tested, users(6000, (0.85, 0.7, 0.6)))
    assert (found.verdict, found.winner) == ("rollback", None)
    assert tested.experiments.conclude("t").winner is None
    assert [arm.version for arm in tested.traffic.current("m").live] == ["1.0.0"]
    assert tested.experiments.verify("t").agrees


def test_one_worse_treatment_is_no_reason_to_give_up_the_other(tested: Registry, clock: Clock):
    begin(tested, clock)
    found = look(tested, users(6000, (0.7, 0.7, 0.5)))
    assert (found.verdict, found.winner) == ("continue", None)
    assert [result.verdict for result in found.primaries] == ["inconclusive", "worse"]


@pytest.mark.parametrize("wishes", MODES, ids=lambda wishes: wishes["mode"])
@pytest.mark.parametrize("seed", range(3))
def test_equal_arms_have_no_winner_however_often_one_looks(
    tested: Registry, clock: Clock, wishes: dict[str, Any], seed: int
):
    begin(tested, clock, max_duration="20d", **wishes)
    for part in range(8):
        clock.at += 2 * DAY
        found = look(tested, users(900, (0.7, 0.7, 0.7), seed=10 * seed + part))
        assert (found.winner, found.statistical_significance) == (None, False)
        assert found.verdict in ("continue", "stop_futile")
    slots = [item.slot for item in found.looks]
    assert slots
    assert slots == sorted(set(slots))


def test_a_winner_is_no_longer_shipped_when_the_world_turns(tested: Registry, clock: Clock):
    begin(tested, clock)
    first = look(tested, users(3000, (0.6, 0.9, 0.6), seed=1))
    later = look(tested, users(3000, (0.6, 0.2, 0.6), seed=2))
    assert (first.winner, later.winner) == ("2.0.0", None)
    assert later.looks[0] == first.looks[0]
    assert "2.0.0 was better at an earlier look" in later.recommendation


# --- requests as units ---------------------------------------------------------------------------


@pytest.mark.parametrize("requests", [10, 100, 250, 1000])
def test_turns_keep_the_weights_within_one(tested: Registry, requests: int):
    create(tested, strategy="round-robin", weights={"1.0.0": 50, "2.0.0": 30, "3.0.0": 20})
    tested.experiments.start("t")
    given = [tested.external.assign("t", unit="ann") for _ in range(requests)]
    assert {assignment.reason for assignment in given} == {"round-robin"}
    counts = Counter(assignment.variant for assignment in given)
    for variant, share in zip(ARMS, (0.5, 0.3, 0.2), strict=True):
        assert abs(counts[variant] - share * requests) <= 1


def test_chance_keeps_the_weights_roughly(tested: Registry):
    create(tested, strategy="random", weights={"1.0.0": 50, "2.0.0": 30, "3.0.0": 20})
    tested.experiments.start("t")
    counts = Counter(tested.external.assign("t", unit="ann").variant for _ in range(4000))
    for variant, share in zip(ARMS, (0.5, 0.3, 0.2), strict=True):
        assert counts[variant] == pytest.approx(4000 * share, abs=6 * math.sqrt(1000))


@pytest.mark.parametrize("strategy", ["random", "round-robin"])
@pytest.mark.parametrize("who", [None, "ann"])
def test_where_requests_are_split_they_are_the_units_whoever_asked(
    tested: Registry, clock: Clock, strategy: Any, who: str | None
):
    begin(tested, clock, strategy=strategy)
    rows = [{**row, "unit": who} for row in users(3000, (0.7, 0.85, 0.7))]
    found = look(tested, rows)
    assert (found.exposure.units, found.exposure.unkeyed) == (3000, 3000)
    assert (found.verdict, found.winner) == ("ship", "2.0.0")
    for result in found.primaries:
        successes = [
            np.array([row["success"] for row in rows if row["variant"] == variant])
            for variant in ("control", result.variant)
        ]
        together = np.concatenate(successes)
        null_se = together.std() * math.sqrt(2 / 1000)
        assert result.diff == pytest.approx(successes[1].mean() - successes[0].mean())
        assert result.statistic == pytest.approx(result.diff / null_se, rel=0.001)
        assert (result.control.n_units, result.treatment.n_units) == (1000, 1000)


# --- values and costs ----------------------------------------------------------------------------

GAIN = {"control": 0.0, "treatment-1": 1.0, "treatment-2": -1.0}
MEASURED: dict[str, tuple[str, int]] = {
    "value:stars": ("stars", 1),
    "value:wait": ("wait", -1),
    "cost_per_request": ("cost", -1),
}


def visits(seed: int = 0, arm_of: Callable[[int], int] = lambda i: i % 3) -> Rows:
    """Users of one to four answers; the first treatment is better in everything, the other worse.

    A user is a little better or worse than others all along, and says nothing at times.
    """
    draw = np.random.default_rng(seed)
    found: Rows = []
    for i in range(900):
        variant = ARMS[arm_of(i)]
        gain = GAIN[variant] + draw.normal()
        for _ in range(draw.integers(1, 5)):
            noise = draw.normal(size=3)
            values = {"stars": 10 + gain + noise[0], "wait": 20 - 2 * gain + noise[1]}
            known = {name: value for name, value in values.items() if draw.random() < 0.9}
            found.append({
                "unit": f"u{i}", "variant": variant, "output": 1, "success": True,
                "values": known, "cost": 5 - 0.5 * gain + 0.2 * noise[2],
            })  # fmt: skip
    return found


def by_user(rows: Rows, variant: str, metric: str) -> dict[str, np.ndarray]:
    """Sum and count of what is known of each user of an arm."""
    name = MEASURED[metric][0]
    found: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for row in rows:
        value = row["cost"] if name == "cost" else row["values"].get(name)
        if row["variant"] == variant and value is not None:
            found[row["unit"]] += (value, 1)
    return found


def mean_and_se(own: np.ndarray) -> tuple[float, float]:
    """The delta method, from the distances of the users."""
    y, k = own.T
    rate = y.sum() / k.sum()
    return rate, math.sqrt(np.var(y - rate * k, ddof=1) / len(y)) / k.mean()


def check_figures(result: Any, rows: Rows) -> None:
    """A result says what the rows say, whatever it is used for."""
    expected = {}
    for arm in (result.control, result.treatment):
        own = np.array([*by_user(rows, arm.variant, result.metric).values()])
        expected[arm.variant] = mean_and_se(own)
        assert (arm.value, arm.se) == pytest.approx(expected[arm.variant])
        assert (arm.n_units, arm.n_rows) == (len(own), own[:, 1].sum())
        answers = sum(row["variant"] == arm.variant for row in rows)
        assert arm.missing_rate == pytest.approx(1 - own[:, 1].sum() / answers)
    control, treatment = expected["control"], expected[result.variant]
    assert result.diff == pytest.approx(treatment[0] - control[0])
    # The arms' own error, or a little more where arms of one variance would be less sure.
    error = math.hypot(control[1], treatment[1])
    assert error * (1 - 1e-9) <= result.se < 1.05 * error
    assert result.lift == pytest.approx(treatment[0] / control[0] - 1)
    assert result.direction == ("up" if MEASURED[result.metric][1] > 0 else "down")


@pytest.mark.parametrize(
    ("metric", "secondary", "guardrails"),
    [
        ("value:stars", ["value:wait:down", "cost_per_request"], ["cost_per_request <= +1%"]),
        ("value:stars:up", [], ["value:wait:down <= +0.5", "value:stars >= 9.5"]),
        ("value:wait:down", ["value:stars"], ["value:stars >= -1%"]),
        ("cost_per_request", ["value:stars"], ["value:wait:down <= 20.5"]),
    ],
)
def test_values_and_costs_decide_show_and_guard(
    tested: Registry, clock: Clock, metric: str, secondary: list[str], guardrails: list[str]
):
    begin(tested, clock, metric=metric, secondary=secondary, guardrails=guardrails)
    rows = visits()
    found = look(tested, rows)
    for result in (*found.primaries, *found.secondary, *found.guardrails):
        check_figures(result, rows)
    assert (found.verdict, found.winner) == ("ship", "2.0.0")
    assert [result.verdict for result in found.primaries] == ["better_practical", "worse"]
    kept = {(result.margin, result.variant): result.passed for result in found.guardrails}
    assert kept == {
        (text, variant): variant == "treatment-1" for text in guardrails for variant in ARMS[1:]
    }


def test_a_value_of_which_more_is_worse_is_not_won_by_more(tested: Registry, clock: Clock):
    begin(tested, clock, metric="value:stars:down")
    found = look(tested, visits())
    assert (found.verdict, found.winner) == ("ship", "3.0.0")


@pytest.mark.parametrize(
    ("guardrail", "passed"),
    [
        ("cost_per_request <= +15%", True),
        ("cost_per_request <= +8%", None),
        ("cost_per_request <= +2%", False),
        ("cost_per_request <= +0.8", True),
        ("cost_per_request <= +0.4", None),
        ("cost_per_request <= +0.1", False),
        ("cost_per_request <= 5.8", True),
        ("cost_per_request <= 5.4", None),
        ("cost_per_request <= 5.1", False),
    ],
)
def test_a_guardrail_bears_a_loss_within_its_margin(
    tested: Registry, clock: Clock, guardrail: str, passed: bool | None
):
    """The first treatment costs 5.4 where the control costs 5."""
    begin(tested, clock, metric="value:stars", guardrails=[guardrail])
    dearer = {"treatment-1": 0.9}
    rows = [{**row, "cost": row["cost"] + dearer.get(row["variant"], 0)} for row in visits()]
    found = look(tested, rows)
    assert found.guardrails[0].diff == pytest.approx(0.4, abs=0.1)
    assert found.guardrails[0].passed is passed
    assert (found.winner == "2.0.0") is bool(passed)


def test_a_guardrail_holds_back_the_treatment_that_breaks_it_and_no_other(
    tested: Registry, clock: Clock
):
    """The best by stars costs too much, so the second best wins."""
    begin(tested, clock, metric="value:stars", guardrails=["cost_per_request <= +5%"])
    rows = [{**row, "values": dict(row["values"])} for row in visits()]
    for row in rows:
        if "stars" in row["values"]:
            row["values"]["stars"] += {"treatment-2": 4}.get(row["variant"], 0)
    found = look(tested, rows)
    assert (found.verdict, found.winner) == ("ship", "2.0.0")
    assert [result.passed for result in found.guardrails] == [True, False]


def test_where_every_treatment_breaks_a_guardrail_all_go_back(tested: Registry, clock: Clock):
    begin(tested, clock, metric="value:stars", guardrails=["cost_per_request <= +1%"])
    dear = [{**row, "cost": row["cost"] + (row["variant"] != "control")} for row in visits()]
    found = look(tested, dear)
    assert (found.verdict, found.winner) == ("rollback", None)
    assert [result.passed for result in found.guardrails] == [False, False]


def test_corrected_values_count_as_corrected(tested: Registry, clock: Clock):
    begin(tested, clock, metric="value:stars", secondary=["value:wait:down"])
    rows = visits()
    look(tested, rows)
    for place in range(0, len(rows), 10):
        rows[place]["values"]["stars"] = float(place % 7)
        tested.external.feedback("t", place + 1, values={"stars": float(place % 7)})
    found = look(tested)
    for result in (*found.primaries, *found.secondary):
        check_figures(result, rows)


def test_a_value_that_was_recorded_before_needs_no_prefix(tested: Registry, clock: Clock):
    with pytest.raises(InvalidInput, match="there is no metric stars"):
        create(tested, metric="stars")
    begin(tested, clock, metric="value:stars")
    look(tested, visits())
    tested.experiments.stop("t")
    later = tested.experiments.create(
        "u", Draft(control="m@1.0.0", treatments=["m@2.0.0"], metric="stars")
    )
    assert (later.design.metric.name, later.design.metric.direction) == ("value:stars", "up")


def test_users_of_two_phases_tie_them_for_each_treatment(tested: Registry, clock: Clock):
    """A canary that grows: users come back, and some of the control's change to a treatment."""
    begin(tested, clock, strategy="canary", metric="value:stars")

    def grown_to(share: float) -> Callable[[int], int]:
        return lambda i: 1 + i % 2 if i * 37 % 900 < share * 900 else 0

    phases = [visits(seed=1, arm_of=grown_to(0.1)), visits(seed=2, arm_of=grown_to(0.6))]
    tested.external.record_many("t", phases[0])
    tested.experiments.step("t", to=60)
    for result in look(tested, phases[1]).primaries:
        difference, distances = in_phases(phases, result.variant)
        assert result.diff == pytest.approx(difference)
        assert result.se == pytest.approx(np.linalg.norm(distances))


def in_phases(phases: list[Rows], variant: str) -> tuple[float, list[float]]:
    """The stars of a treatment against the control's, and what each user adds to their error."""
    arms = [
        [
            (sign, by_user(rows, name, "value:stars"))
            for sign, name in ((-1, "control"), (1, variant))
        ]
        for rows in phases
    ]
    sizes = [1 / (1 / len(pair[0][1]) + 1 / len(pair[1][1])) for pair in arms]
    difference = 0.0
    distances: dict[str, float] = defaultdict(float)
    for size, pair in zip(sizes, arms, strict=True):
        for sign, users_of in pair:
            y, k = np.sum(list(users_of.values()), axis=0)
            weight = sign * size / sum(sizes)
            difference += weight * y / k
            for unit, (own_y, own_k) in users_of.items():
                distances[unit] += weight * (own_y - y / k * own_k) / k
    return difference, list(distances.values())
