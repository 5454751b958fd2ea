"""Records: what they derive, and what of them goes into JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlreg.entities.audit import Diagnosis, Finding
from mlreg.entities.predictions import PREDICTION_STATUSES, ROLES, Prediction
from mlreg.entities.reports import PerformanceReport
from mlreg.entities.traffic import Arm, Revision
from mlreg.entities.versions import Version
from mlreg.jsonable import jsonable

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def revision(number: int, *arms: Arm) -> Revision:
    return Revision(
        model_key=1,
        model="sentiment",
        number=number,
        strategy="sticky",
        salt="secret",
        cause="route",
        reason="",
        actor="ada",
        created_at=NOON,
        arms=arms,
    )


def arm(key: int, weight: int, role: str = "live") -> Arm:
    return Arm(
        version_key=key, model_id=f"model-{key}", version=f"{key}.0.0", weight=weight, role=role
    )  # type: ignore[arg-type]  # a word of the parameters


def test_a_revision_in_json_has_percentages_and_neither_salt_nor_keys():
    found = jsonable(revision(2, arm(1, 9999), arm(2, 1), arm(3, 0, "shadow")))
    assert found == {
        "model": "sentiment",
        "revision": 2,
        "previous_revision": 1,
        "strategy": "sticky",
        "cause": "route",
        "reason": "",
        "actor": "ada",
        "created_at": "2026-11-20T12:00:00.000000Z",
        "arms": [
            {"model_id": "model-1", "version": "1.0.0", "traffic_percent": 99.99, "role": "live"},
            {"model_id": "model-2", "version": "2.0.0", "traffic_percent": 0.01, "role": "live"},
            {"model_id": "model-3", "version": "3.0.0", "traffic_percent": 0.0, "role": "shadow"},
        ],
        "dry_run": False,
    }


def test_only_live_arms_answer():
    found = revision(1, arm(1, 10_000), arm(2, 0, "shadow"))
    assert found.live == (arm(1, 10_000),)
    assert found.arm_of(1) == arm(1, 10_000)
    assert found.arm_of(2) is None
    assert found.previous_revision is None


@pytest.mark.parametrize(
    ("states", "healthy"), [((), True), (("ok", "warning"), True), (("ok", "failed"), False)]
)
def test_a_registry_is_healthy_unless_a_check_failed(states, healthy: bool):
    found = tuple(Finding(check="x", state=state, detail="") for state in states)
    assert Diagnosis(registry="r", findings=found).healthy is healthy


@pytest.mark.parametrize("record", [Version, Prediction, PerformanceReport, Revision, Arm])
def test_what_a_record_shows_it_has(record: type):
    assert all(hasattr(record, name) for name in record.__json__)  # type: ignore[attr-defined]  # those of the parameters have it


def test_the_words_of_the_log_keep_their_numbers():
    # Their places are what the rows of every registry hold.
    assert ROLES == ("live", "shadow", "forced")
    assert PREDICTION_STATUSES == ("ok", "error", "timeout")
