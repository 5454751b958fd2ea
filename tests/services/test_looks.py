"""Looks: what is seen is seen once, and what is stored of one is what the next one reads."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest

from mlreg.clock import DAY
from mlreg.jsonable import canonical
from mlreg.registry import Registry
from mlreg.services.experiments.receipts import load_decision
from tests.services.experimenting import ARMS, Rows, begin
from tests.support import Clock, drop_triggers, raw


def timed(part: str, count: int, arms: int) -> Rows:
    """One answer for each user, whose latency is that of the user's number."""
    return [
        {"unit": f"{part}-{i}", "variant": ARMS[arms][i % arms], "output": 1,
         "success": i % 7 > 0, "latency_ms": 10 + i % 97}
        for i in range(count)
    ]  # fmt: skip


def calls_of_a_look(registry: Registry) -> Counter[str]:
    """How often each function was called while an experiment was looked at."""
    counts: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            counts[frame.f_code.co_name] += 1

    sys.setprofile(count)
    try:
        registry.experiments.analyze("t")
    finally:
        sys.setprofile(None)
    return counts


def test_a_metric_is_evaluated_once_for_each_arm_and_phase_however_many_read_it(
    tested: Registry, clock: Clock
):
    """It decides, bounds a guardrail twice, and is told by phase and by arm."""
    bounds = ["p95_latency_ms <= +30%", "p95_latency_ms <= 500"]
    begin(tested, clock, 2, strategy="canary", metric="p95_latency_ms", mde=9, baseline=90,
          guardrails=bounds, secondary=["p50_latency_ms"])  # fmt: skip
    tested.external.record_many("t", timed("a", 3000, 3))
    tested.experiments.step("t")
    clock.at += DAY
    tested.external.record_many("t", timed("b", 3000, 3))
    tested.experiments.analyze("t")
    metrics, arms, phases = 2, 3, 2
    assert calls_of_a_look(tested)["quantile_of_histogram"] == metrics * arms * phases


@pytest.mark.parametrize("mode", ["fixed", "group-sequential", "always-valid"])
def test_what_is_stored_of_a_look_is_read_as_it_is(
    tested: Registry, clock: Clock, tmp_path: Path, mode: str
):
    begin(tested, clock, mode=mode, max_duration="9d", guardrails=["error_rate <= +0.2"])
    for part in ("a", "b"):
        tested.external.record_many("t", timed(part, 500, 2))
        tested.experiments.analyze("t")
        clock.at += DAY
    tested.experiments.conclude("t")
    with raw(tmp_path / ".mlreg") as connection:
        rows = connection.execute("select receipt from experiment_receipts").fetchall()
    stored = [json.loads(row[0])["result"] for row in rows]
    assert len(stored) > 1
    assert [canonical(load_decision(result)) for result in stored] == list(map(canonical, stored))


def test_a_look_of_the_first_engine_is_told_and_taken_up_but_not_judged_again(
    tested: Registry, clock: Clock, tmp_path: Path
):
    """Its receipts knew no guardrails, gains or endings, and gave the difference another name."""
    begin(tested, clock)
    tested.external.record_many("t", timed("a", 300, 2))
    first = tested.experiments.analyze("t")
    with raw(tmp_path / ".mlreg") as connection:
        drop_triggers(connection)
        (text,) = connection.execute("select receipt from experiment_receipts").fetchone()
        stored = json.loads(text) | {"engine": "1"}
        result = stored["result"]
        result["difference"] = result.pop("diff")
        known = ("slot", "information", "p", "crossed", "is_final", "units")
        result["look"] = {name: result["look"][name] for name in known}
        text = canonical(stored)
        digest = hashlib.sha256(text.encode()).hexdigest()
        connection.execute("update experiment_receipts set receipt = ?, digest = ?", (text, digest))
    (standing,) = tested.experiments.status("t")
    assert standing.last_look is not None
    assert standing.last_look.z == first.looks[-1].z
    assert [c.agrees for c in tested.experiments.verify("t").checks if c.kind == "look"] == [None]
    clock.at += DAY
    tested.external.record_many("t", timed("b", 300, 2))
    again = tested.experiments.analyze("t")
    assert [look.slot for look in again.looks] == [first.recorded_slot, again.recorded_slot]
