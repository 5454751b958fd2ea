"""What is said about a version changes, with an event each time; drafts of experiments go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlreg.entities.experiments import Draft
from mlreg.entities.traffic import Change
from mlreg.errors import Conflict, InvalidInput, NotFound
from mlreg.registry import Registry
from tests.support import raw

REF = "m@1.0.0"


@pytest.fixture
def described(registry: Registry) -> Registry:
    registry.versions.register(REF, metrics={"accuracy": 0.8, "auc": 0.9}, tags=["a", "b"])
    return registry


def test_what_is_said_about_a_version_can_be_changed(described: Registry):
    after = described.versions.describe(
        REF, description="better", metrics={"auc": 0.95}, tags=["c", "b"], untag=["a"]
    )
    assert (after.description, after.tags) == ("better", ("b", "c"))
    assert after.metrics == {"accuracy": 0.8, "auc": 0.95}
    assert described.versions.get(REF) == replace(after, request_count=0)
    assert described.health.check().healthy


def test_each_edit_is_an_event_that_the_trail_follows_and_none_is_without_one(described: Registry):
    change = Change(reason="measured anew", actor="ada")
    described.versions.describe(REF, metrics={"auc": 0.5}, change=change)
    event = described.audit.events()[-1]
    assert (event.action, event.object, event.actor, event.reason) == (
        "edit", REF, "ada", "measured anew",
    )  # fmt: skip
    assert event.before is not None
    assert event.before["metrics"]["auc"] == 0.9
    assert event.after is not None
    assert event.after["metrics"]["auc"] == 0.5
    count = len(described.audit.events())
    described.versions.describe(REF, metrics={"auc": 0.5}, tags=["a"])
    assert len(described.audit.events()) == count


def test_an_edit_behind_the_trails_back_is_found_and_settled_by_an_edit(described: Registry):
    described.versions.describe(REF, description="mine")
    with raw(described.folder) as connection:
        connection.execute("update versions set description = 'theirs'")
    assert "the audit trail says mine" in str(described.health.check().findings)
    described.versions.describe(REF, description="mine")
    assert described.health.check().healthy


def test_what_is_wrong_with_an_edit_changes_nothing(described: Registry):
    before = described.versions.get(REF)
    with pytest.raises(NotFound, match="has no tag z"):
        described.versions.describe(REF, description="x", untag=["z"])
    with pytest.raises(InvalidInput, match="both given and taken away"):
        described.versions.describe(REF, tags=["a"], untag=["a"])
    with pytest.raises(InvalidInput, match="accuracy must be between 0 and 1"):
        described.versions.describe(REF, metrics={"accuracy": 2.0})
    assert described.versions.get(REF) == before


def test_a_beginning_of_an_id_names_the_one_version_that_it_fits(described: Registry):
    found = described.versions.get(REF)
    assert described.versions.get(found.model_id[:12]) == found
    with pytest.raises(NotFound, match="no version with an id that begins with model-"):
        described.versions.get("model-" + ("0" if found.model_id[6] != "0" else "1") * 5)
    other = described.versions.register("m@2.0.0")
    with raw(described.folder) as connection:
        connection.execute("update versions set model_id = 'model-aaaaaaaaaaa' || key")
    with pytest.raises(InvalidInput, match="2 ids begin with model-aaaa") as caught:
        described.versions.get("model-aaaa")
    assert all(ref in caught.value.hint for ref in (REF, other.ref))
    described.versions.register("model-aaaa@3.0.0")  # a name of that form goes first
    assert described.versions.get("model-aaaa").version == "3.0.0"


def test_prereleases_are_counted_up_to_the_number_that_they_precede(registry: Registry):
    registry.versions.register("m@1.2.3")
    for expected in ("1.3.0-rc.1", "1.3.0-rc.2"):
        assert registry.versions.next("m", pre="rc").minor == expected
        assert registry.versions.register("m", bump="minor", pre="rc").version == expected
    assert registry.versions.register("m", bump="minor").version == "1.3.0"
    assert registry.versions.next("m", pre="rc").minor == "1.4.0-rc.1"
    with pytest.raises(InvalidInput, match="--pre goes with --bump"):
        registry.versions.register("m@5.0.0", pre="rc")
    with pytest.raises(InvalidInput, match="cannot name a prerelease"):
        registry.versions.next("m", pre="r.1")


def test_a_draft_can_be_deleted_and_nothing_that_has_started(serving_registry: Registry):
    experiments = serving_registry.experiments
    draft = Draft(control="sentiment@1.0.0", treatments=["sentiment@2.0.0"], mde=0.1)
    experiments.create("tone", draft)
    assert experiments.delete("tone", change=Change(dry_run=True)).dry_run
    assert [found.test_id for found in experiments.list()] == ["tone"]
    experiments.delete("tone", change=Change(reason="a typo"))
    assert experiments.list() == ()
    assert serving_registry.health.check().healthy
    experiments.create("tone", draft)
    experiments.start("tone")
    with pytest.raises(Conflict, match="only a draft can be deleted") as caught:
        experiments.delete("tone")
    assert "mlreg abtest stop tone" in caught.value.hint
    experiments.stop("tone")
    with pytest.raises(Conflict, match="is stopped: only a draft"):
        experiments.delete("tone")
    assert serving_registry.health.check().healthy
