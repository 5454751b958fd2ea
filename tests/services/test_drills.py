"""Drills: what a rollback would go back to is tried, and the traffic stays as it is."""

from __future__ import annotations

import pytest

from mlreg.clock import MINUTE
from mlreg.entities.traffic import Change
from mlreg.errors import InvalidInput, RevisionMoved
from mlreg.registry import Registry
from tests.services.misbehaving import Choosy, on_texts
from tests.support import Clock


@pytest.fixture
def promoted(sentiment: Registry, clock: Clock) -> Registry:
    """1.0.0 served and answered, then 2.0.0."""
    sentiment.traffic.promote("sentiment@1.0.0")
    sentiment.predictions.predict("what a lovely day")
    clock.at += MINUTE
    sentiment.traffic.promote("sentiment@2.0.0")
    return sentiment


def test_a_drill_tries_what_a_rollback_goes_back_to_and_changes_nothing(promoted: Registry):
    before = promoted.traffic.current("sentiment")
    found = promoted.traffic.drill("sentiment")
    assert (found.passed, found.to_split, found.revision) == (True, "1.0.0", 2)
    (tried,) = found.versions
    assert (tried.probe, tried.problem, tried.note) == ("logged", None, None)
    assert tried.answer in ("positive", "negative")
    assert promoted.traffic.current("sentiment") == before
    assert promoted.predictions.last_id() == 1
    (event,) = [e for e in promoted.audit.events() if e.action == "rollback.drill"]
    assert event.after is not None
    assert event.after["passed"] is True


def test_an_input_may_be_given_and_is_made_up_where_none_is_known(promoted: Registry):
    given = promoted.traffic.drill("sentiment", probe="fine")
    assert given.versions[0].probe == "given"
    promoted.traffic.promote("sentiment@1.0.0")
    assert promoted.traffic.drill("sentiment").versions[0].probe == "made up"


def test_a_drill_fails_where_nothing_can_serve(promoted: Registry):
    digest = promoted.versions.get("sentiment@1.0.0").digest or ""
    path = promoted.folder / "objects" / digest[:2] / digest
    path.chmod(0o600)
    path.write_bytes(b"not what it was")
    found = promoted.traffic.drill("sentiment")
    assert (found.passed, found.to_split, found.versions) == (False, None, ())
    assert found.problem is not None
    assert "no earlier revision that can serve" in found.problem
    (told,) = [f for f in promoted.health.check().findings if f.check == "drills"]
    assert told.state == "warning"
    assert "the drill of" in told.detail


def test_doctor_says_when_the_last_drill_was(promoted: Registry):
    def told() -> str:
        return next(f.detail for f in promoted.health.check().findings if f.check == "drills")

    assert told() == "the last rollback that was tried: sentiment: never"
    promoted.traffic.drill("sentiment", change=Change(dry_run=True))
    assert told().endswith("never")
    promoted.traffic.drill("sentiment")
    assert told().startswith("the last rollback that was tried: sentiment: 2026-")


def test_a_model_that_raises_fails_the_drill(registry: Registry):
    registry.versions.register("m@1.0.0", on_texts(Choosy()), trust=True)
    registry.versions.register("m@2.0.0", on_texts(Choosy()), trust=True)
    registry.traffic.promote("m@1.0.0")
    registry.traffic.promote("m@2.0.0")
    assert registry.traffic.drill("m", probe="known").versions[0].answer == "known"
    assert not registry.traffic.drill("m", probe="text").passed
    found = registry.traffic.drill("m")  # nobody has ever asked it anything
    assert found.passed
    assert "a made-up input failed" in (found.versions[0].note or "")


def test_what_a_program_of_the_users_runs_is_not_asked(registry: Registry):
    for version in ("1.0.0", "2.0.0"):
        registry.versions.register(f"chat@{version}", external=True)
        registry.traffic.promote(f"chat@{version}")
    found = registry.traffic.drill("chat")
    assert found.passed
    assert found.versions[0].note == "a program of yours runs it, which mlreg cannot ask"


def test_a_drill_takes_what_a_rollback_takes(promoted: Registry):
    assert promoted.traffic.drill("sentiment", to_version="1.0.0").to_split == "1.0.0"
    assert promoted.traffic.drill("sentiment", to_revision=1).to_split == "1.0.0"
    with pytest.raises(InvalidInput, match="either --to or --to-revision"):
        promoted.traffic.drill("sentiment", to_version="1.0.0", to_revision=1)
    with pytest.raises(RevisionMoved, match="at revision 2, not 1"):
        promoted.traffic.drill("sentiment", change=Change(expect_revision=1))
