"""doctor on the command line: what it says, what it asks, how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support import raw


@pytest.fixture
def sick(serving: Run, tmp_path: Path) -> Run:
    """Run `mlreg` where somebody has made an artifact trusted behind the audit trail."""
    with raw(tmp_path / ".mlreg") as connection:
        connection.execute("update versions set trusted = 1 where version = '1.0.0'")
    return serving


def test_damage_ends_with_6_and_says_what_can_be_repaired(sick: Run) -> None:
    outcome = sick("doctor")
    assert outcome.code == 6
    assert "sentiment@1.0.0: trusted is true, the audit trail says false" in outcome.out
    assert "can be repaired: sentiment@1.0.0: trusted is false again" in outcome.out
    assert "mlreg doctor --repair" in outcome.err


def test_a_repair_needs_a_yes(sick: Run) -> None:
    outcome = sick("doctor", "--repair")
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert sick("doctor").code == 6


def test_a_repair_ends_with_0_and_lists_what_was_repaired(sick: Run) -> None:
    outcome = sick("doctor", "--repair", "--yes", "--reason", "cron", "--json")
    assert outcome.code == 0
    assert outcome.json["repaired"] == ["sentiment@1.0.0: trusted is false again"]
    assert outcome.json["repairable"] == []
    assert sick("doctor", "--json").json["healthy"] is True


def test_a_dry_repair_ends_as_doctor_does(sick: Run) -> None:
    outcome = sick("doctor", "--repair", "--dry-run", "--json")
    assert outcome.code == 6
    assert outcome.json["repairable"] == ["sentiment@1.0.0: trusted is false again"]
    assert outcome.json["repaired"] == []


def test_a_repair_of_a_sound_registry_asks_nothing(serving: Run) -> None:
    assert serving("doctor", "--repair").code == 0


@pytest.mark.parametrize("words", [["--quick", "--repair"], ["--dry-run"]])
def test_options_that_contradict_each_other_are_refused(serving: Run, words: list[str]) -> None:
    assert serving("doctor", *words).code == 2
