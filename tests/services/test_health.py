"""doctor finds what was promised and does not hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mlreg
from mlreg.errors import StoreDamaged
from mlreg.registry import Registry
from mlreg.store.engines import health as store_health
from tests.support import drop_triggers, dump, raw


def findings(registry: Registry) -> dict[str, tuple[str, str]]:
    """State and detail of the last finding of each check."""
    return {f.check: (f.state, f.detail) for f in registry.health.check().findings}


def failed(registry: Registry) -> dict[str, str]:
    return {
        check: detail for check, (state, detail) in findings(registry).items() if state == "failed"
    }


def test_a_sound_registry_is_healthy_in_every_respect(serving_registry: Registry):
    serving_registry.predictions.predict("great")
    diagnosis = serving_registry.health.check()
    assert diagnosis.healthy
    assert {f.check for f in diagnosis.findings} == {
        "sqlite",
        "schema",
        "database",
        "damage",
        "disk",
        "wal",
        "audit",
        "models",
        "versions",
        "aliases",
        "revisions",
        "experiments",
        "artifacts",
        "drills",
        "ticks",
        "trust",
        "hooks",
        "confinement",
        "log",
        "summaries",
        "receipts",
        "objects",
    }
    assert diagnosis.registry == str(serving_registry.folder)
    details = findings(serving_registry)
    assert details["artifacts"] == ("ok", "2 objects match their digests")
    assert details["summaries"] == (
        "ok",
        "1 predictions, as the log gives them, some not yet folded",
    )


@pytest.mark.parametrize(
    ("damage", "check", "detail"),
    [
        ("update events set reason = 'x' where seq = 2", "audit",
         "the hash of event 2 does not fit"),
        ("update events set after = '{' where seq = 2", "audit",
         "no event tells of sentiment@1.0.0"),
        ("delete from events where seq = (select max(seq) from events)", "audit",
         "no event tells of sentiment revision 1"),
        ("update arms set weight = 1", "revisions",
         "sentiment revision 1 has a gap before it or does not sum to 100 %"),
        ("pragma foreign_keys = off; delete from models", "database", "refers to nothing"),
        ("drop table watermarks", "schema", "watermarks is missing"),
        ("drop index feedback_by_prediction", "schema", "feedback_by_prediction is missing"),
        ("alter table predictions add column extra text", "schema", "predictions was changed"),
    ],
)  # fmt: skip
def test_what_was_changed_behind_the_triggers_is_found(
    serving_registry: Registry, damage: str, check: str, detail: str
):
    with raw(serving_registry.folder) as connection:
        kept = connection.execute("select sql from sqlite_schema where type = 'trigger'").fetchall()
        drop_triggers(connection)
        connection.executescript(damage)
        for (sql,) in kept:
            connection.execute(sql)
    assert detail in failed(serving_registry)[check]


def test_missing_triggers_are_found(serving_registry: Registry):
    with raw(serving_registry.folder) as connection:
        drop_triggers(connection)
    diagnosis = serving_registry.health.check()
    assert not diagnosis.healthy
    missing = [f.detail for f in diagnosis.findings if f.check == "schema"]
    assert "events_stay is missing" in missing
    assert "revision_is_whole is missing" in missing


def test_altered_and_missing_objects_are_found(serving_registry: Registry):
    for number, act in (("1.0.0", Path.unlink), ("2.0.0", overwrite)):
        digest = serving_registry.versions.get(f"sentiment@{number}").digest
        assert digest
        act(serving_registry.folder / "objects" / digest[:2] / digest)
    problems = [f.detail for f in serving_registry.health.check().findings if f.state == "failed"]
    assert len(problems) == 2
    assert problems[0].startswith("sentiment@1.0.0: the artifact")
    assert "altered" in problems[1]


def overwrite(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"other")


def test_files_that_belong_to_no_version_are_a_warning(serving_registry: Registry):
    objects = serving_registry.folder / "objects"
    (objects / "ab").mkdir(exist_ok=True)
    (objects / "ab" / ("ab" + "0" * 62)).write_bytes(b"x")
    leftover = objects / "incoming-1-ff"
    leftover.write_bytes(b"x")
    os.utime(leftover, (0, 0))
    assert findings(serving_registry)["objects"] == (
        "warning",
        "2 files belong to no version and can be removed",
    )
    assert serving_registry.health.check().healthy


def test_a_page_that_was_overwritten_is_found(serving_registry: Registry):
    serving_registry.close()
    path = serving_registry.folder / "registry.db"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(data)
    assert failed(serving_registry)


def test_a_large_write_ahead_log_is_a_warning(serving_registry: Registry, monkeypatch):
    monkeypatch.setattr("mlreg.services.checks.files.LARGE_WAL", -1)
    assert findings(serving_registry)["wal"][0] == "warning"
    assert "a reader holds it open" in findings(serving_registry)["wal"][1]


@pytest.mark.parametrize(("version", "state"), [("3.51.2", "warning"), ("3.51.3", "ok")])
def test_a_sqlite_with_the_reset_bug_is_a_warning(registry: Registry, monkeypatch, version, state):
    monkeypatch.setattr(store_health, "SQLITE_VERSION", version)
    assert findings(registry)["sqlite"][0] == state


def test_summaries_can_be_rebuilt_to_the_same_numbers(serving_registry: Registry):
    list(serving_registry.predictions.predict_many(["great", "bad"] * 50))
    for prediction in range(1, 101):
        serving_registry.feedback.record(prediction, "positive")
    before = serving_registry.performance.report()
    stored = dump(serving_registry.folder)["summaries"]
    with raw(serving_registry.folder) as connection:
        connection.execute("update summaries set requests = 7")
    serving_registry.health.rebuild_summaries()
    assert dump(serving_registry.folder)["summaries"] == stored
    assert serving_registry.performance.report() == before
    folded = ("ok", "100 predictions, as the log gives them")
    assert findings(serving_registry)["summaries"] == folded


def test_a_registry_that_was_marked_as_damaged_is_written_again_once_it_is_found_sound(
    serving_registry: Registry,
):
    store = serving_registry._context.store
    store.database.guard.condemn("a page was malformed")
    serving_registry.close()
    with mlreg.open(serving_registry.folder) as again:
        with pytest.raises(StoreDamaged, match="a page was malformed"):
            again.predictions.predict("great")
        assert findings(again)["damage"][0] == "warning"
        assert findings(again)["damage"][0] == "ok"
    with mlreg.open(serving_registry.folder) as again:
        assert again.predictions.predict("great").prediction_id


def test_a_missing_reserve_is_told_until_the_next_change_makes_it(serving_registry: Registry):
    (serving_registry.folder / "reserve").unlink()
    assert findings(serving_registry)["disk"][0] == "warning"
    serving_registry.traffic.activate("sentiment@2.0.0", percent=30)
    assert findings(serving_registry)["disk"][0] == "ok"
