"""Experiments through the registry: real routing, real store, a clock that is turned."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlreg.clock import DAY
from mlreg.entities.experiments import Draft, Outcome
from mlreg.entities.traffic import Change
from mlreg.errors import (
    AlreadyExists,
    Conflict,
    Inconclusive,
    InvalidInput,
    NotFound,
    RevisionMoved,
    StoreDamaged,
)
from mlreg.jsonable import canonical
from mlreg.registry import Registry
from tests.support import Clock, drop_triggers, raw


def create(registry: Registry, test_id: str = "t", **wishes: Any):
    given = {"control": "m@1.0.0", "treatments": ["m@2.0.0"], **wishes}
    return registry.experiments.create(test_id, Draft(**given))


def feed(registry: Registry, count: int, rates: dict[str, float], seed: int = 0, **more: Any):
    draw = random.Random(seed)
    outcomes = []
    for i in range(count):
        unit = f"u{seed}-{i}"
        arm = registry.external.assign("t", unit=unit)
        success = draw.random() < rates[arm.variant]
        outcomes.append(
            {"unit": unit, "variant": arm.variant, "output": "x", "success": success, **more}
        )
    return registry.external.record_many("t", outcomes)


@pytest.mark.parametrize(
    ("wishes", "error", "message"),
    [
        ({"metric": "sucess_rate"}, InvalidInput, "there is no metric sucess_rate"),
        ({"treatments": ["m@1.0.0"]}, InvalidInput, "is the control as well"),
        ({"treatments": []}, InvalidInput, "needs a treatment"),
        ({"treatments": ["m@9.0.0"]}, NotFound, "9.0.0"),
        ({"weights": {"1.0.0": 50, "2.0.0": 40}}, InvalidInput, "sum to exactly 100"),
        ({"weights": {"1.0.0": 100, "2.0.0": 0}}, InvalidInput, "gets no traffic"),
        ({"split": 0}, InvalidInput, "without traffic"),
        ({"split": 100}, InvalidInput, "without traffic"),
        ({"alpha": 0.0}, InvalidInput, "alpha must lie strictly between"),
        ({"alpha": 1.0}, InvalidInput, "alpha must lie strictly between"),
        ({"alpha": float("nan")}, InvalidInput, "alpha must lie strictly between"),
        ({"mde": float("nan")}, InvalidInput, "mde must be"),
        ({"mode": "fixed"}, InvalidInput, "needs a planned size"),
        ({"strategy": "best"}, InvalidInput, "strategy must be one of"),
        ({"guardrails": ["p95_latency_ms >= +10%"]}, InvalidInput, "guards the wrong side"),
        ({"guardrails": ["p95 slow"]}, InvalidInput, "is not a guardrail"),
        ({"guardrails": ["p95_latency_ms <= 10%"]}, InvalidInput, "which is no percentage"),
        ({"guardrails": ["error_rate <= +1.5"]}, InvalidInput, "can never be broken"),
        ({"guardrails": ["accuracy >= 1.2"]}, InvalidInput, "or never be kept"),
        ({"guardrails": ["accuracy >= -100%"]}, InvalidInput, "can never be broken"),
        ({"max_duration": "soon"}, InvalidInput, "not a duration"),
    ],
)
def test_a_design_that_makes_no_sense_is_refused_and_nothing_is_written(
    tested: Registry, wishes: dict[str, Any], error: type[Exception], message: str
):
    with tested._context.store.read() as tx:
        before = tx.events.count()
    with pytest.raises(error, match=message):
        create(tested, **wishes)
    assert tested.experiments.list() == ()
    with tested._context.store.read() as tx:
        assert tx.events.count() == before


def test_states_that_do_not_allow_a_change_are_conflicts(tested: Registry):
    create(tested)
    with pytest.raises(AlreadyExists, match="there is an experiment t"):
        create(tested)
    with pytest.raises(Conflict, match="has not been started"):
        tested.experiments.conclude("t")
    with pytest.raises(Conflict, match="has not been started"):
        tested.experiments.analyze("t")
    tested.experiments.start("t")
    with pytest.raises(Conflict, match="is running already"):
        tested.experiments.start("t")
    create(tested, "other", treatments=["m@3.0.0"])
    with pytest.raises(Conflict, match="the experiment t holds the traffic"):
        tested.experiments.start("other")
    with pytest.raises(NotFound, match="no experiment none"):
        tested.experiments.get("none")


@pytest.mark.parametrize("verb", ["archive", "delete"])
def test_what_serves_again_after_an_experiment_is_neither_archived_nor_deleted(
    tested: Registry, verb: str
):
    tested.traffic.activate("m@3.0.0")
    create(tested)
    tested.experiments.start("t")
    for version, said in (("3.0.0", "serves again when t ends"), ("2.0.0", "is testing")):
        with pytest.raises(Conflict, match=said) as caught:
            getattr(tested.versions, verb)(f"m@{version}")
        assert "mlreg abtest stop t" in caught.value.hint
    getattr(tested.versions, verb)("m@4.0.0")
    tested.experiments.stop("t")
    assert [arm.version for arm in tested.traffic.current("m").live] == ["3.0.0"]


def test_an_archived_version_cannot_start(tested: Registry):
    create(tested)
    tested.versions.archive("m@2.0.0")
    with pytest.raises(Conflict, match="is archived"):
        tested.experiments.start("t")
    assert tested.experiments.get("t").state == "draft"
    assert tested.traffic.current("m").number == 0


def test_an_experiment_of_before_there_were_holds_holds_the_traffic(tested: Registry):
    create(tested)
    tested.experiments.start("t")
    with raw(tested.folder) as connection:
        connection.executescript(
            "drop table holds; drop index requests_of_prediction;"
            "delete from _sqlite_migrations where name = 'm005_holds'; pragma user_version = 4"
        )
    tested.close()
    with Registry(tested.folder) as later:
        with pytest.raises(Conflict, match="the experiment t holds the traffic"):
            later.traffic.activate("m@1.0.0")
        later.experiments.stop("t")
        later.traffic.activate("m@1.0.0")
        assert later.health.check().healthy


def test_a_running_experiment_holds_the_traffic_and_its_treatment_is_testing(tested: Registry):
    create(tested, split=20)
    started = tested.experiments.start("t")
    assert [arm.weight for arm in tested.traffic.current("m").live] == [8000, 2000]
    assert started.fingerprint
    assert tested.versions.get("m@2.0.0").status == "testing"
    with pytest.raises(Conflict, match="the experiment t holds the traffic"):
        tested.traffic.route("m", {}, strategy="sticky")


def test_the_design_cannot_be_changed_after_the_start(tested: Registry, tmp_path: Path):
    create(tested)
    tested.experiments.start("t")
    with (
        raw(tmp_path / ".mlreg") as connection,
        pytest.raises(Exception, match="cannot be changed"),
    ):
        connection.execute("update experiments set design = '{}'")


def test_stop_puts_the_traffic_as_it_was(tested: Registry):
    create(tested)
    tested.experiments.start("t")
    stopped = tested.experiments.stop("t", change=Change(reason="enough"))
    assert stopped.state == "stopped"
    assert tested.traffic.current("m").live == ()
    assert tested.versions.get("m@2.0.0").status == "inactive"


def test_a_better_treatment_ships_only_after_three_days(tested: Registry, clock: Clock):
    create(tested, strategy="sticky", mde=0.05)
    tested.experiments.start("t")
    clock.at += DAY
    feed(tested, 4000, {"control": 0.7, "treatment": 0.85})
    early = tested.experiments.analyze("t")
    assert (early.verdict, early.statistical_significance) == ("continue", False)
    assert [gate.gate for gate in early.failed_gates] == ["run_time"]
    with pytest.raises(Inconclusive, match="cannot be concluded yet"):
        tested.experiments.conclude("t")
    clock.at += 3 * DAY
    done = tested.experiments.conclude("t", promote_winner=True)
    assert (done.verdict, done.winner, done.status) == ("ship", "2.0.0", "concluded")
    assert [arm.version for arm in tested.traffic.current("m").live] == ["2.0.0"]
    assert tested.versions.get("m@champion").version == "2.0.0"
    assert tested.experiments.verify("t").agrees


def test_forcing_a_conclusion_needs_a_reason(tested: Registry):
    create(tested)
    tested.experiments.start("t")
    with pytest.raises(InvalidInput, match="say why"):
        tested.experiments.conclude("t", force=True)
    done = tested.experiments.conclude("t", force=True, change=Change(reason="no budget left"))
    assert (done.verdict, done.winner) == ("continue", None)


def test_a_lost_half_of_an_arm_is_invalid_and_never_a_winner(tested: Registry, clock: Clock):
    create(tested, strategy="sticky", mde=0.05)
    tested.experiments.start("t")
    clock.at += 8 * DAY
    rows = [{"unit": f"u{i}", "variant": "control" if i % 3 else "treatment", "output": 1,
             "success": bool(i % 3 == 0 or i % 2)} for i in range(3000)]  # fmt: skip
    tested.external.record_many("t", rows)
    found = tested.experiments.analyze("t")
    assert (found.verdict, found.winner) == ("invalid", None)
    assert "srm" in [gate.gate for gate in found.failed_gates]


def test_a_canary_steps_and_stratifies_against_simpson(tested: Registry, clock: Clock):
    """The world gets worse while the canary grows; within each phase the arms are equal."""
    create(tested, strategy="canary", mde=0.05)
    tested.experiments.start("t")
    for seed, rate in enumerate((0.95, 0.6)):
        clock.at += 4 * DAY
        feed(tested, 4000, {"control": rate, "treatment": rate}, seed)
        if not seed:
            assert tested.experiments.step("t", to=50).phases[-1].weights == (5000, 5000)
    found = tested.experiments.analyze("t")
    # Who is in which arm is drawn anew each time: by chance alone |z| seldom passes 4.5.
    assert abs(found.primary.statistic or 0) < 4.5
    assert abs(found.primary.diff or 0) < 0.05
    assert "weights_changed" in found.warnings
    pooled = [sum(r * v for r, v in zip(rows, values, strict=True)) for rows, values in zip(
        zip(*(p.rows for p in found.phases), strict=True),
        zip(*(p.values for p in found.phases), strict=True), strict=True)]  # fmt: skip
    rows = [sum(column) for column in zip(*(p.rows for p in found.phases), strict=True)]
    assert pooled[0] / rows[0] - pooled[1] / rows[1] > 0.08  # what pooling would have said
    assert tested.experiments.verify("t").agrees


def test_a_user_of_two_arms_is_counted_and_left_out(tested: Registry, clock: Clock):
    create(tested, strategy="sticky")
    tested.experiments.start("t")
    feed(tested, 400, {"control": 0.5, "treatment": 0.5})
    before = tested.experiments.analyze("t")
    for variant in ("control", "treatment"):
        tested.external.record("t", Outcome(unit="torn", variant=variant, output=1))
    after = tested.experiments.analyze("t")
    assert (after.exposure.double_exposed, after.exposure.excluded) == (1, 1)
    assert after.primary.control.n_units == before.primary.control.n_units
    assert after.exposure.units == before.exposure.units + 1


def test_sums_by_user_equal_a_count_by_hand(tested: Registry):
    from mlreg.stats.joint_moments import JointMoments
    from mlreg.stats.ratios import compare_ratios

    create(tested, strategy="sticky", metric="avg_latency_ms")
    tested.experiments.start("t")
    draw, rows = random.Random(3), []
    sums: dict[tuple[str, str], tuple[float, int]] = {}
    for i in range(3000):
        unit = f"u{i % 500}"
        arm = tested.external.assign("t", unit=unit).variant
        latency = float(draw.randrange(1, 50_000)) / 1000
        rows.append({"unit": unit, "variant": arm, "output": 1, "latency_ms": latency})
        y, k = sums.get((arm, unit), (0.0, 0))
        sums[arm, unit] = (y + latency, k + 1)
    tested.external.record_many("t", rows)
    by_arm = [
        JointMoments.from_values(*zip(*(v for (a, _), v in sums.items() if a == arm), strict=True))
        for arm in ("control", "treatment")
    ]
    expected = compare_ratios(*by_arm)
    found = tested.experiments.analyze("t").primary
    assert found.diff == pytest.approx(expected.difference)
    own = math.hypot(found.control.se or 0, found.treatment.se or 0)
    assert own == pytest.approx(expected.se)
    assert own <= (found.se or 0) < 1.01 * own


def test_a_corrected_label_counts_once(tested: Registry):
    create(tested, strategy="sticky", metric="accuracy")
    tested.experiments.start("t")
    first = tested.external.record("t", Outcome(unit="a", variant="control", output="x", label="y"))
    tested.external.record("t", Outcome(unit="b", variant="treatment", output="x", label="x"))
    assert tested.experiments.analyze("t").primary.control.value == 0
    tested.external.feedback("t", first, "x")
    arm = tested.experiments.analyze("t").primary.control
    assert (arm.value, arm.n_rows) == (1, 1)


def test_two_looks_at_one_moment_are_recorded_once(tested: Registry, clock: Clock):
    create(tested, strategy="sticky", mde=0.05)
    tested.experiments.start("t")
    clock.at += 4 * DAY
    feed(tested, 1000, {"control": 0.7, "treatment": 0.7})
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tested.experiments.analyze("t"), range(8)))
    assert {len(analysis.looks) for analysis in found} == {1}
    assert sum(analysis.recorded_slot is not None for analysis in found) == 1


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "delete from experiment_receipts where kind = 'look'",
            "of the audit trail has no receipt",
        ),
        ("delete from experiment_receipts where kind = 'conclusion'", "has no receipt"),
        ("delete from experiment_receipts", "has no receipt"),
        (
            "update experiment_receipts set at = at - 1 where kind = 'look'",
            "is not the one of the audit trail",
        ),
        (
            "update experiment_receipts set slot = 9 where kind = 'look'",
            "of the audit trail has no receipt",
        ),
        ("update experiments set verdict = 'ship'", "which its receipts do not say"),
        ("update experiments set winner = '2.0.0'", "which its receipts do not say"),
        ("update experiments set ended_at = ended_at + 1", "which its receipts do not say"),
        ("update experiments set state = 'stopped', verdict = null", "receipts do not say"),
    ],
)
def test_a_tampered_history_is_found(
    tested: Registry, clock: Clock, tmp_path: Path, statement: str, said: str
):
    create(tested, strategy="sticky", mde=0.05)
    tested.experiments.start("t")
    clock.at += 4 * DAY
    feed(tested, 1000, {"control": 0.7, "treatment": 0.7})
    tested.experiments.analyze("t")
    tested.experiments.conclude("t", force=True, change=Change(reason="enough"))
    assert tested.experiments.verify("t").agrees
    with raw(tmp_path / ".mlreg") as connection:
        drop_triggers(connection)
        connection.execute(statement)
    found = tested.experiments.verify("t")
    (trail,) = (check for check in found.checks if check.kind == "trail")
    assert not trail.agrees
    assert said in trail.detail


@pytest.mark.parametrize(
    "design",
    [
        "'{}'", "json_set(design, '$.new', 1)", "json_remove(design, '$.unit')",
        "json_set(design, '$.alpha', '0.05')", "json_set(design, '$.mode', 'whenever')",
        "json_set(design, '$.metric.name', 7)", "json_remove(design, '$.variants[0].version')",
    ],
)  # fmt: skip
def test_a_design_that_cannot_be_read_is_damage(tested: Registry, tmp_path: Path, design: str):
    create(tested)
    with raw(tmp_path / ".mlreg") as connection:
        drop_triggers(connection)
        connection.execute(f"update experiments set design = {design}")  # noqa: S608  # of the test's own
    with pytest.raises(StoreDamaged, match="row 1 of experiments cannot be read"):
        tested.experiments.get("t")


@pytest.mark.parametrize("verb", ["stop", "conclude"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_an_end_that_expects_another_revision_is_refused(
    tested: Registry, clock: Clock, verb: str, dry_run: bool
):
    create(tested, strategy="sticky", mde=0.05)
    tested.experiments.start("t")
    end = getattr(tested.experiments, verb)
    with pytest.raises(RevisionMoved):
        end("t", change=Change(expect_revision=99, dry_run=dry_run))
    assert tested.experiments.get("t").state == "running"


def test_a_value_with_capitals_can_be_guarded(tested: Registry):
    found = create(tested, metric="value:NPS", guardrails=["value:NPS >= -1%"])
    assert found.design.guardrails[0].metric.name == "value:NPS"


def a_verdict(stored: dict[str, Any]) -> None:
    stored["result"]["verdict"] = "ship"


def a_count(stored: dict[str, Any]) -> None:
    stored["observed"]["phases"][0]["rows"][0] += 1


def a_fingerprint(stored: dict[str, Any]) -> None:
    stored["fingerprint"] = "0" * 64


@pytest.mark.parametrize(
    ("forge", "is_sealed", "said"),
    [
        (a_verdict, False, "does not have its digest"),
        (a_verdict, True, "the receipt's numbers give"),
        (a_count, True, "the log gives other sums than the receipt has"),
        (a_fingerprint, True, "about another design"),
        (None, True, "the log gives other sums than the receipt has"),
    ],
)
def test_a_tampered_receipt_and_a_tampered_log_are_found(
    tested: Registry, clock: Clock, tmp_path: Path, forge: Any, is_sealed: bool, said: str
):
    """Also where whoever forged a receipt gave it the digest that it then must have."""
    create(tested, strategy="sticky", mde=0.05)
    tested.experiments.start("t")
    clock.at += 4 * DAY
    feed(tested, 1000, {"control": 0.7, "treatment": 0.7})
    tested.experiments.analyze("t")
    assert tested.experiments.verify("t").agrees
    with raw(tmp_path / ".mlreg") as connection:
        drop_triggers(connection)
        if forge is None:
            connection.execute("update predictions set version = 3 - version where id = 7")
        else:
            row = connection.execute("select receipt, digest from experiment_receipts").fetchone()
            stored = json.loads(row[0])
            forge(stored)
            text = canonical(stored)
            digest = hashlib.sha256(text.encode()).hexdigest() if is_sealed else row[1]
            connection.execute("update experiment_receipts set receipt = ?, digest = ?",
                               (text, digest))  # fmt: skip
    found = tested.experiments.verify("t")
    assert not found.agrees
    assert [said in check.detail for check in found.checks if check.kind == "look"] == [True]


def test_a_rollback_is_always_possible_and_stops_the_experiment(
    serving_registry: Registry,
):
    registry = serving_registry
    registry.experiments.create(
        "t", Draft(control="sentiment@1.0.0", treatments=["sentiment@2.0.0"], strategy="sticky")
    )
    registry.experiments.start("t")
    rolled = registry.traffic.rollback("sentiment")
    assert [arm.weight for arm in rolled.live] == [8000, 2000]
    assert registry.experiments.get("t").state == "stopped"


def test_an_answer_with_a_request_id_is_recorded_once(tested: Registry):
    create(tested, strategy="sticky")
    tested.experiments.start("t")
    rows = [{"unit": f"u{i}", "variant": "control", "output": i, "correct": True,
             "request_id": f"r{i % 2500}"} for i in range(2500)]  # fmt: skip
    assert tested.external.record_many("t", rows[:1200]) == 1200
    assert tested.external.record_many("t", [*rows, *rows[:10]]) == 1300
    assert tested.external.record("t", Outcome(**rows[7])) == 8
    assert len(tested.predictions.log(limit=9999)) == 2500
    with pytest.raises(Conflict, match="r7 was used for another answer"):
        tested.external.record("t", Outcome(**rows[7] | {"output": 3}))
    with pytest.raises(InvalidInput, match="the request id must not be empty"):
        tested.external.record("t", Outcome(**rows[7] | {"request_id": ""}))


def test_an_answer_of_another_model_is_no_answer_of_an_arm(tested: Registry):
    create(tested)
    tested.experiments.start("t")
    with pytest.raises(InvalidInput, match=r"other@1\.0\.0 is a version of other, .* for m\n"):
        tested.external.record("t", Outcome(version="other@1.0.0", output=1))
    assert tested.external.record("t", Outcome(version="m@1.0.0", output=1)) == 1


@pytest.mark.parametrize("success", [0, 1, "false", "no", [], 0.0])
def test_a_success_that_is_no_truth_value_is_refused(tested: Registry, success: Any):
    create(tested)
    tested.experiments.start("t")
    with pytest.raises(InvalidInput, match="success must be true or false"):
        tested.external.record("t", Outcome(variant="control", output=1, success=success))


def test_numbers_and_truth_values_of_numpy_are_taken(tested: Registry):
    create(tested)
    tested.experiments.start("t")
    given = {"success": np.bool_(True), "latency_ms": np.float32(12.5), "cost": np.int64(3),
             "correct": np.bool_(False), "values": {"stars": np.int32(4)}}  # fmt: skip
    key = tested.external.record("t", Outcome(variant="control", **given))
    row = tested.predictions.get(key)
    assert (row.status, row.latency_ms, row.cost, row.correct) == ("ok", 12.5, 3.0, False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (5, "an answer must be an object"),
        ({"variant": "control", "values": [1]}, "values must be an object"),
        ({"variant": "control", "output": np.zeros(2)}, "cannot be written as JSON"),
    ],
)
def test_what_is_no_answer_is_refused(tested: Registry, given: Any, said: str):
    create(tested)
    tested.experiments.start("t")
    with pytest.raises(InvalidInput, match=said):
        tested.external.record_many("t", [given])


def test_the_decorator_finds_the_user_among_all_keywords_and_waits_for_coroutines(
    tested: Registry,
):
    create(tested, strategy="sticky")
    tested.experiments.start("t")

    @tested.external.decorate("t")
    async def answer(text: str, model: str = "", **more: Any) -> dict[str, str]:
        return {"model": model}

    arms = {asyncio.run(answer("hello", user="anna"))["model"] for _ in range(8)}
    assert arms == {f"m@{tested.external.assign('t', unit='anna').version}"}


def test_a_function_that_hides_who_asks_is_refused_where_users_are_split(tested: Registry):
    create(tested, strategy="sticky")
    with pytest.raises(InvalidInput, match="has no argument `who`"):
        tested.external.decorate("t", unit="who")(lambda text, model="": {})
    create(tested, "free", strategy="random")
    tested.external.decorate("free", unit="who")(lambda text, model="": {})


def test_the_decorator_routes_the_model_and_marks_the_answer(tested: Registry):
    create(tested, strategy="sticky")
    tested.experiments.start("t")

    @tested.external.decorate("t")
    def answer(text: str, *, user: str, model: str = "") -> dict[str, str]:
        return {"model": model, "text": text}

    found = answer("hello", user="anna")
    arm = tested.external.assign("t", unit="anna")
    assert found["model"] == f"m@{arm.version}"
    assert found["_ab_test"] == arm.label


@pytest.mark.parametrize(
    "outcome",
    [
        {"latency_ms": float("nan")},
        {"confidence": 2.0},
        {"variant": "treatment-9"},
        {"variant": None},
        {"unit": ""},
        {"values": {"stars": float("inf")}},
        {"colour": "red"},
    ],
)
def test_a_wrong_answer_is_refused_and_nothing_is_logged(tested: Registry, outcome: dict[str, Any]):
    create(tested)
    tested.experiments.start("t")
    good = {"unit": "a", "variant": "control", "output": 1}
    with pytest.raises(InvalidInput):
        tested.external.record_many("t", [good, {**good, **outcome}])
    assert tested.predictions.last_id() == 0


@pytest.mark.parametrize("count", [0, 1, 30])
@pytest.mark.parametrize("mode", ["always-valid", "group-sequential", "fixed"])
def test_little_data_is_no_verdict_and_the_gate_says_so(tested: Registry, count: int, mode: Any):
    create(tested, mode=mode, mde=0.05, secondary=["accuracy", "cost_per_request"],
           guardrails=["p95_latency_ms <= +10%"])  # fmt: skip
    tested.experiments.start("t")
    feed(tested, count, {"control": 1.0, "treatment": 1.0})
    found = tested.experiments.analyze("t")
    assert (found.verdict, found.winner, found.looks) == ("continue", None, ())
    assert [gate.gate for gate in found.failed_gates][:1] == ["min_units"]
    assert found.recommendation.startswith("No verdict yet: ")


def test_a_receipt_of_another_engine_is_not_called_wrong(
    tested: Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    create(tested, strategy="sticky", mde=0.05)
    tested.experiments.start("t")
    clock.at += 4 * DAY
    feed(tested, 1000, {"control": 0.7, "treatment": 0.7})
    tested.experiments.analyze("t")
    monkeypatch.setattr("mlreg.services.experiments.receipts.ENGINE", "next")
    found = tested.experiments.verify("t")
    assert [check.agrees for check in found.checks] == [True, True, None]
    assert found.agrees
