"""doctor finds each kind of damage and names it; a repair puts right what can be proved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlreg.entities.audit import Diagnosis
from mlreg.entities.traffic import Change
from mlreg.errors import StoreDamaged
from mlreg.registry import Registry
from tests.damage import DAMAGE, START, UNSEEN, build
from tests.support import Clock, dump, raw


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def folder(tmp_path: Path, sound: Path) -> Path:
    return shutil.copytree(sound, tmp_path / ".mlreg")


def opened(folder: Path) -> Registry:
    return Registry(folder, actor="doctor", clock=Clock(START + 10**9))


def said(diagnosis: Diagnosis, check: str) -> list[str]:
    return [f.detail for f in diagnosis.findings if f.check == check and f.state != "ok"]


def test_the_registry_that_is_damaged_is_sound_before(folder: Path):
    with opened(folder) as registry:
        diagnosis = registry.health.check()
    assert [f for f in diagnosis.findings if f.state != "ok"] == []
    assert diagnosis.repairable == ()


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_put_right_where_that_can_be_proved(folder: Path, name: str):
    damage, before = DAMAGE[name], dump(folder)
    damage.do(folder)
    with opened(folder) as registry:
        found = registry.health.check()
        assert any(damage.words in detail for detail in said(found, damage.check)), found.findings
        after = registry.health.repair()
    if damage.is_mended:
        assert after.healthy, after.findings
        assert after.repaired == found.repairable != ()
        restored = dump(folder)
        for table in ("versions", "revisions", "arms", "aliases", "version_metrics", "models"):
            assert restored[table] == before[table], table
    else:
        assert said(after, damage.check), "what cannot be proved stays to be seen"


@pytest.mark.parametrize("name", UNSEEN)
def test_what_nothing_contradicts_is_known_to_stay_unseen(folder: Path, name: str):
    with raw(folder) as connection:
        connection.execute(UNSEEN[name][0])
    with opened(folder) as registry:
        assert registry.health.check().healthy


def test_a_repair_is_recorded_and_the_chain_goes_on(folder: Path):
    DAMAGE["trust"].do(folder)
    with opened(folder) as registry:
        registry.health.repair(change=Change(reason="found by cron"))
        event = registry.audit.events()[-1]
    assert (event.action, event.object, event.actor) == ("repair", "m@1.0.0", "doctor")
    assert event.reason == "found by cron"
    assert event.before == {"found": {"trusted": True}}
    assert event.after == {"restored": {"trusted": False}}


def test_a_dry_repair_says_what_it_would_do_and_changes_nothing(folder: Path):
    DAMAGE["trust"].do(folder)
    before = dump(folder)
    with opened(folder) as registry:
        diagnosis = registry.health.repair(change=Change(dry_run=True))
    assert diagnosis.repairable == ("m@1.0.0: trusted is false again",)
    assert diagnosis.repaired == ()
    assert dump(folder) == before


def test_no_row_is_put_back_by_a_trail_that_was_changed(folder: Path):
    for name in ("event edited", "trust"):
        DAMAGE[name].do(folder)
    with opened(folder) as registry:
        after = registry.health.repair()
    assert "m@1.0.0: trusted is true, the audit trail says false" in said(after, "versions")
    assert after.repaired == ()


def test_nothing_is_derived_from_a_log_with_damage_in_it(folder: Path):
    for name in ("predictions gone", "summary numbers"):
        DAMAGE[name].do(folder)
    before = dump(folder)["summaries"]
    with opened(folder) as registry:
        after = registry.health.repair()
    assert said(after, "summaries")
    assert dump(folder)["summaries"] == before


def test_the_object_that_was_sealed_is_kept_where_a_row_names_another(folder: Path):
    DAMAGE["another digest"].do(folder)
    with opened(folder) as registry:
        assert registry.health.repair().healthy
        assert registry.predictions.predict([1], version="1.0.0").prediction == "yes"


def test_files_that_belong_to_no_version_are_removed(folder: Path):
    stray = folder / "objects" / "ab" / ("ab" + "0" * 62)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x")
    with opened(folder) as registry:
        after = registry.health.repair()
    assert after.repaired == ("1 files that belong to no version are removed",)
    assert not stray.exists()


def test_a_quick_check_reads_no_log_and_says_so(folder: Path):
    DAMAGE["summary numbers"].do(folder)
    read: list[int] = []
    with opened(folder) as registry:
        quick = registry.health.check(quick=True, progress=read.append)
    assert quick.healthy
    skipped = {f.check for f in quick.findings if f.state == "skipped"}
    assert skipped == {"database", "log", "summaries", "receipts"}
    assert read == []


def test_a_check_tells_how_many_rows_it_has_read(folder: Path):
    read: list[int] = []
    with opened(folder) as registry:
        registry.health.check(progress=read.append)
        assert sum(read) == registry.health.log_size()


@pytest.mark.parametrize("name", ["no watermarks", "summary histogram", "summary text"])
def test_reports_name_the_row_that_cannot_be_read(folder: Path, name: str):
    DAMAGE[name].do(folder)
    with (
        opened(folder) as registry,
        pytest.raises(StoreDamaged, match=r"row .* of (watermarks|summaries) cannot be read"),
    ):
        registry.performance.report("m")


def test_answers_are_given_whatever_happened_to_the_reports(folder: Path):
    DAMAGE["no watermarks"].do(folder)
    with opened(folder) as registry:
        assert registry.predictions.predict([1]).prediction == "no"
        assert registry.traffic.rollback("m").live[0].version == "1.0.0"
