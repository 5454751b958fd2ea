"""Versions: numbers, artifacts stored once, aliases, archive and delete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlreg.entities.traffic import Change
from mlreg.errors import (
    AlreadyExists,
    ArtifactError,
    Conflict,
    InvalidInput,
    MlregError,
    NotFound,
)
from mlreg.registry import Registry
from tests.services.misbehaving import Broken
from tests.support import dump, raw


def objects(registry: Registry) -> list[str]:
    """The digests that the folder holds, and whatever else lies there."""
    return sorted(p.name for p in (registry.folder / "objects").rglob("*") if p.is_file())


def bare(registry: Registry, *refs: str) -> None:
    """Register versions that have only metadata."""
    for ref in refs:
        registry.versions.register(ref)


def number_of(registry: Registry, ref: str) -> str:
    return registry.versions.get(ref).version


# --- register -----------------------------------------------------------------------------------


def test_a_version_keeps_all_that_was_said_about_it(registry: Registry, artifact: Path, clock):
    bare(registry, "sentiment@0.9.0")
    added = registry.versions.register(
        "sentiment@v1.0",
        artifact,
        accuracy=0.85,
        metrics={"precision": 1, "f1Score": 0.5, "own.metric": -3e9},
        metadata={"commit": "abc", "rows": 3, "nested": {"a": [1, None]}, "cost_per_request": 0.01},
        tags=["prod", "text", "prod"],
        description="Zeile 1\nZeile 2",
        parent="0.9",
        change=Change(reason="better", actor="ada"),
    )
    assert (added.ref, added.status, added.parent) == ("sentiment@1.0.0", "inactive", "0.9.0")
    assert added.accuracy == 0.85
    assert added.metrics["own.metric"] == -3e9
    assert added.metadata["nested"] == {"a": [1, None]}
    assert (added.tags, added.description) == (("prod", "text"), "Zeile 1\nZeile 2")
    assert (added.flavor, added.trusted, added.created_by) == ("sklearn", False, "ada")
    assert added.signature is not None
    assert (added.signature.input, added.signature.output) == ("text", "class")
    assert set(added.signature.classes) == {"positive", "negative"}
    assert added.digest == objects(registry)[0]
    assert added.size_bytes == artifact.stat().st_size
    assert (
        registry.versions.get(added.model_id)
        == registry.versions.get("sentiment@1.0.0")
        == replace(added, request_count=0)
    )


@pytest.mark.parametrize(
    ("which", "kind"),
    [("text", "text"), ("record", "record"), ("vector", "vector"), ("number", "vector")],
)
def test_what_the_model_takes_is_inferred(registry: Registry, artifacts, which: str, kind: str):
    signature = registry.versions.register("m@1.0.0", artifacts[which]).signature
    assert signature is not None
    assert signature.input == kind
    with pytest.raises(InvalidInput, match=f"the artifact takes a {kind}, not a"):
        registry.versions.register(
            "m@2.0.0", artifacts[which], input="record" if kind == "text" else "text"
        )


def test_a_fitted_estimator_and_bytes_are_artifacts_too(
    registry: Registry, text_pipeline, artifact
):
    one = registry.versions.register("sentiment@1.0.0", text_pipeline)
    other = registry.versions.register("sentiment@2.0.0", artifact.read_bytes())
    assert one.signature == other.signature


def test_the_same_bytes_are_stored_once(registry: Registry, artifact: Path):
    for ref in ("a@1.0.0", "a@2.0.0", "b@1.0.0"):
        registry.versions.register(ref, artifact)
    assert len(objects(registry)) == 1


@pytest.mark.parametrize(
    "ref", ["sentiment@1.0.0", "sentiment@v1", "sentiment@1.0", "models:/sentiment/1.0.0"]
)
def test_the_same_version_twice_is_a_conflict(registry: Registry, artifacts, ref: str):
    registry.versions.register("sentiment@1.0.0", artifacts["text"])
    before = dump(registry.folder), objects(registry)
    with pytest.raises(AlreadyExists, match=r"sentiment@1.0.0 exists"):
        registry.versions.register(ref, artifacts["other_text"])
    assert (dump(registry.folder), objects(registry)) == before


def test_versions_that_differ_in_build_metadata_are_two(registry: Registry):
    bare(registry, "m@1.0.0+a", "m@1.0.0+b", "m@1.0.0")
    assert [v.version for v in registry.versions.list("m")] == ["1.0.0+a", "1.0.0+b", "1.0.0"]


BAD = [
    pytest.param({"ref": "../x@1.0.0"}, "cannot be the name of a model", id="path"),
    pytest.param({"ref": "m@latest"}, "not a semantic version", id="alias"),
    pytest.param({"ref": "m@1.0.0.0"}, "neither a version", id="version"),
    pytest.param({"ref": "model-0123456789ab"}, "takes a name, not an id", id="id"),
    pytest.param({"accuracy": 1.5}, "accuracy must be between 0 and 1", id="accuracy"),
    pytest.param({"accuracy": float("nan")}, "must be a finite number", id="nan"),
    pytest.param({"metrics": {"f1": float("inf")}}, "must be a finite number", id="inf"),
    pytest.param({"metrics": {"f1": "high"}}, "must be a finite number", id="word"),
    pytest.param({"metrics": {"f1": None}}, "must be a finite number", id="none"),
    pytest.param({"metrics": {"f 1": 1}}, "not a name for a metric", id="metric"),
    pytest.param({"tags": ["a b"]}, "not a name for a tag", id="tag"),
    pytest.param({"metadata": {"a b": 1}}, "not a name for a metadata key", id="key"),
    pytest.param({"metadata": {"a": object()}}, "must be plain values", id="object"),
    pytest.param({"metadata": {"a": "\0"}}, "NUL", id="nul"),
    pytest.param({"metadata": {"cost_per_request": "cheap"}}, "must be a number from 0", id="cost"),
    pytest.param({"metadata": {"cost_per_request": -1}}, "must be a number from 0", id="refund"),
    pytest.param({"metadata": {"cost_per_request": 1e300}}, "must be a number", id="dear"),
    pytest.param({"metadata": {"cost_per_request": True}}, "must be a number", id="true"),
    pytest.param({"description": "x" * 10_001}, "at most 10000", id="description"),
    pytest.param({"parent": "0.1.0"}, "has no version 0.1.0", id="parent"),
    pytest.param({"parent": "other@1.0.0"}, "belongs to another model", id="foreign-parent"),
    pytest.param({"input": "image"}, "input must be one of", id="input"),
    pytest.param({"input": "vector"}, "takes a text, not a vector", id="other-input"),
    pytest.param({"bump": "minor"}, "not both", id="both"),
    pytest.param({"ref": "m", "bump": "huge"}, "bump must be one of", id="bump"),
    pytest.param({"artifact": "nowhere.joblib"}, "does not exist", id="missing-file"),
    pytest.param({"artifact": b"no pickle"}, "", id="garbage"),
    pytest.param({"artifact": 42}, "a path, bytes or a fitted estimator", id="no-estimator"),
    pytest.param({"change": Change(reason="\ud800")}, "reason is not valid", id="reason"),
    pytest.param({"change": Change(actor="\ud800")}, "actor is not valid", id="actor"),
    pytest.param({"change": Change(dry_run=True)}, "only a change of traffic", id="dry-run"),
    pytest.param({"change": Change(expect_revision=1)}, "only a change of traffic", id="expect"),
]


@pytest.mark.parametrize(("given", "reason"), BAD)
def test_what_is_refused_leaves_no_row_and_no_object(
    registry: Registry, artifacts, given: dict, reason: str
):
    registry.versions.register("other@1.0.0", artifacts["text"])
    before = dump(registry.folder), objects(registry)
    given = {"ref": "m@1.0.0", "artifact": artifacts["other_text"]} | given
    with pytest.raises(MlregError, match=reason or "(?s).+"):
        registry.versions.register(**given)
    assert (dump(registry.folder), objects(registry)) == before


def test_an_object_that_others_use_stays_when_a_version_is_refused(registry: Registry, artifact):
    registry.versions.register("m@1.0.0", artifact)
    with pytest.raises(InvalidInput, match="takes a text, not a vector"):
        registry.versions.register("m@2.0.0", artifact, input="vector")
    with pytest.raises(NotFound, match="has no version"):
        registry.versions.register("m@2.0.0", artifact, parent="9.0.0")
    registry.traffic.activate("m@1.0.0")
    assert registry.predictions.predict("great").prediction == "positive"


def test_a_commit_that_fails_leaves_no_object(registry: Registry, artifact: Path):
    with raw(registry.folder) as connection:
        connection.execute(
            "create trigger broken before insert on events begin select raise(abort, 'no'); end"
        )
    with pytest.raises(Conflict, match="no"):
        registry.versions.register("m@1.0.0", artifact)
    assert objects(registry) == []
    assert registry.versions.list() == []


@pytest.mark.parametrize(
    ("first", "second"),
    [("Churn", "churn"), ("caf\u00e9", "CAFE\u0301"), ("churn", "ｃｈｕｒｎ"), ("fit", "ﬁt")],
)
def test_a_name_too_like_another_is_refused_naming_it(registry: Registry, first: str, second: str):
    bare(registry, f"{first}@1.0.0")
    with pytest.raises(InvalidInput, match=f"is too like the model {first}"):
        bare(registry, f"{second}@1.0.0")


def test_a_decomposed_name_is_the_composed_one(registry: Registry):
    bare(registry, "caf\u00e9@1.0.0", "cafe\u0301@2.0.0")
    assert [v.ref for v in registry.versions.list("cafe\u0301")] == ["café@1.0.0", "café@2.0.0"]


def test_without_a_check_nothing_is_loaded(registry: Registry):
    added = registry.versions.register("m@1.0.0", b"not a pickle", check=False, input="vector")
    assert added.signature is not None
    assert added.signature.input == "vector"


# --- numbers ------------------------------------------------------------------------------------


def test_the_latest_is_the_highest_release_and_a_prerelease_only_without_one(registry: Registry):
    bare(registry, "m@2.0.0-rc.1")
    assert number_of(registry, "m@latest") == "2.0.0-rc.1"
    bare(registry, "m@2.0.0-rc.2", "m@2.0.0-beta")
    assert number_of(registry, "m@latest") == "2.0.0-rc.2"
    bare(registry, "m@1.9.0", "m@1.10.0", "m@1.2.0")
    assert number_of(registry, "m@latest") == number_of(registry, "m") == "1.10.0"
    registry.versions.archive("m@1.10.0")
    assert number_of(registry, "m@latest") == "1.9.0"


def test_versions_are_listed_by_precedence(registry: Registry):
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0",
        "1.2.0",
        "1.10.0",
    ]
    bare(registry, *(f"m@{number}" for number in reversed(ordered)))
    assert [v.version for v in registry.versions.list("m")] == ordered


@pytest.mark.parametrize(
    "number",
    [
        "9223372036854775808",
        "1.9223372036854775808",
        "1.0.99999999999999999999",
        f"1.0.0-rc.{2**63}",
    ],
)
def test_a_number_beyond_64_bits_is_refused(registry: Registry, number: str):
    with pytest.raises(InvalidInput, match=r"\d{19,20} is too large for a version"):
        registry.versions.register(f"m@{number}")
    assert registry.versions.list() == []
    bare(registry, f"m@{2**63 - 1}.0.0-{2**63 - 1}+{2**70}")
    registry.versions.register("m", bump="major")
    with pytest.raises(InvalidInput, match="9223372036854775808 is too large for a version"):
        registry.versions.register("m", bump="major")


def test_a_number_beyond_64_bits_that_an_older_release_took_is_found(registry: Registry):
    bare(registry, "m@1.0.0")
    with raw(registry.folder) as connection:
        connection.execute("update versions set version = '9223372036854775808.0.0'")
    assert number_of(registry, "m@9223372036854775808") == f"{2**63}.0.0"
    assert registry.versions.next("m").patch == f"{2**63}.0.1"


def test_a_number_is_never_given_out_again(registry: Registry, artifact: Path):
    registry.versions.register("m@1.0.0", artifact)
    registry.versions.delete("m@1.0.0")
    with pytest.raises(AlreadyExists, match="was deleted, and a number is never given out twice"):
        bare(registry, "m@1.0.0")
    # A bare name means the first version, but that number is gone.
    assert registry.versions.register("m").version == "2.0.0"


@pytest.mark.parametrize(
    ("present", "major", "minor", "patch"),
    [
        (["1.2.3"], "2.0.0", "1.3.0", "1.2.4"),
        (["1.2.3", "2.0.0-rc.1"], "2.0.0", "1.3.0", "1.2.4"),
        (["2.0.0-rc.1"], "2.0.0", "2.0.0", "2.0.0"),
        (["1.0.0", "0.9.0"], "2.0.0", "1.1.0", "1.0.1"),
        (["1.0.0+b7"], "2.0.0", "1.1.0", "1.0.1"),
    ],
)
def test_a_bump_counts_up_from_the_highest_release(
    registry: Registry, present: list[str], major: str, minor: str, patch: str
):
    bare(registry, *(f"m@{number}" for number in present))
    found = registry.versions.next("m")
    assert (found.major, found.minor, found.patch) == (major, minor, patch)
    assert registry.versions.register("m", bump="patch").version == patch


def test_a_bump_steps_over_what_was_deleted(registry: Registry):
    bare(registry, "m@1.0.0", "m@1.0.1", "m@1.0.2")
    registry.versions.delete("m@1.0.1")
    registry.versions.delete("m@1.0.2")
    assert registry.versions.register("m", bump="patch").version == "1.0.3"


@pytest.mark.parametrize(
    ("part", "first"), [("major", "1.0.0"), ("minor", "0.1.0"), ("patch", "0.0.1")]
)
def test_a_bump_of_a_new_model_gives_its_first_version(registry: Registry, part, first: str):
    assert registry.versions.register("m", bump=part).version == first


def test_a_bare_name_is_the_first_version_and_then_a_question(registry: Registry):
    assert registry.versions.register("m").version == "1.0.0"
    with pytest.raises(InvalidInput, match=r"which version of m\? the highest is 1.0.0"):
        registry.versions.register("m")


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ref", ["m@1", "m@v1.0", "m@1.0.0", "m@v2beta", "m@champion", "m"])
def test_a_version_can_be_named_in_many_ways(registry: Registry, ref: str):
    bare(registry, "m@1.0.0")
    registry.versions.alias("m@1.0.0", "champion")
    registry.versions.alias("m@1.0.0", "v2beta")
    assert number_of(registry, ref) == "1.0.0"


def test_what_is_not_there_is_said_with_what_is(registry: Registry):
    with pytest.raises(NotFound, match="there is no model m") as caught:
        registry.versions.get("m")
    assert "no models yet" in caught.value.hint
    bare(registry, *(f"m@{n}.0.0" for n in range(1, 9)))
    registry.versions.alias("m@1.0.0", "champion")
    with pytest.raises(NotFound, match=r"m has no version 99.0.0") as caught:
        registry.versions.get("m@99.0.0")
    assert caught.value.hint == ("there is 8.0.0, 7.0.0, 6.0.0, 5.0.0, 4.0.0, 3.0.0, …, champion")
    with pytest.raises(NotFound, match="no version with the id model-000000000000"):
        registry.versions.get("model-000000000000")


def test_the_list_can_be_narrowed_by_model_status_and_tag(serving_registry: Registry):
    bare(serving_registry, "churn@1.0.0")
    serving_registry.versions.register("churn@2.0.0", tags=["old"])
    serving_registry.versions.archive("churn@2.0.0")

    def refs(**filters) -> list[str]:
        return [v.ref for v in serving_registry.versions.list(**filters)]

    assert refs() == ["churn@1.0.0", "churn@2.0.0", "sentiment@1.0.0", "sentiment@2.0.0"]
    assert refs(status="active") == ["sentiment@1.0.0", "sentiment@2.0.0"]
    assert refs(status="archived") == refs(tag="old") == ["churn@2.0.0"]
    assert refs(name="churn", status="inactive") == ["churn@1.0.0"]
    with pytest.raises(InvalidInput, match="status must be one of"):
        refs(status="live")


def test_requests_are_counted_at_once(serving_registry: Registry):
    for _ in range(3):
        serving_registry.predictions.predict("great")
    serving_registry.predictions.predict("great", version="2.0.0")
    counts = [v.request_count for v in serving_registry.versions.list()]
    assert sum(n or 0 for n in counts) == 3  # the forced one does not count


def test_the_overview_of_a_model_has_its_traffic_and_versions(serving_registry: Registry):
    for name in ("sentiment", None):
        overview = serving_registry.versions.overview(name)
        assert overview.name == "sentiment"
        assert overview.revision == serving_registry.traffic.current("sentiment")
        assert [v.version for v in overview.versions] == ["1.0.0", "2.0.0"]


# --- attach, alias, archive, delete -------------------------------------------------------------


def test_an_artifact_is_attached_once(registry: Registry, artifacts):
    bare(registry, "m@1.0.0")
    with pytest.raises(InvalidInput, match="attach needs an artifact"):
        registry.versions.attach("m@1.0.0", None)
    attached = registry.versions.attach("m@1.0.0", artifacts["text"])
    assert attached.digest == objects(registry)[0]
    registry.traffic.activate("m@1.0.0")
    before = objects(registry)
    with pytest.raises(Conflict, match="has an artifact, and a version never changes"):
        registry.versions.attach("m@1.0.0", artifacts["other_text"])
    assert objects(registry) == before
    assert [e.action for e in registry.audit.events(model="m")] == [
        "register",
        "attach",
        "activate",
    ]


def test_what_cannot_be_attached_leaves_the_version_bare(registry: Registry):
    bare(registry, "m@1.0.0")
    with pytest.raises(ArtifactError):
        registry.versions.attach("m@1.0.0", b"garbage")
    with pytest.raises(InvalidInput, match="only a change of traffic"):
        registry.versions.attach("m@1.0.0", b"x", check=False, change=Change(dry_run=True))
    assert registry.versions.get("m@1.0.0").digest is None
    assert objects(registry) == []


def test_an_alias_points_to_one_version_and_can_move(registry: Registry):
    bare(registry, "m@1.0.0", "m@2.0.0", "other@1.0.0")
    registry.versions.alias("m@1.0.0", "champion")
    registry.versions.alias("other@1.0.0", "champion")
    moved = registry.versions.alias("m@2.0.0", "champion")
    assert moved.aliases == ("champion",)
    assert registry.versions.get("m@1.0.0").aliases == ()
    assert number_of(registry, "m@champion") == "2.0.0"
    before = len(registry.audit.events())
    registry.versions.alias("m@2.0.0", "champion")
    assert len(registry.audit.events()) == before  # nothing changed, nothing to record


def test_an_alias_is_removed_only_from_the_version_that_has_it(registry: Registry):
    bare(registry, "m@1.0.0", "m@2.0.0")
    registry.versions.alias("m@1.0.0", "champion")
    with pytest.raises(NotFound, match=r"m@2.0.0 does not have the alias champion"):
        registry.versions.alias("m@2.0.0", "champion", delete=True)
    assert registry.versions.alias("m@1.0.0", "champion", delete=True).aliases == ()
    with pytest.raises(NotFound, match="does not have the alias"):
        registry.versions.alias("m@1.0.0", "champion", delete=True)


def test_an_archived_version_can_be_restored(registry: Registry):
    bare(registry, "m@1.0.0")
    for restore, status in (
        (False, "archived"),
        (False, "archived"),
        (True, "inactive"),
        (True, "inactive"),
    ):
        assert registry.versions.archive("m@1.0.0", restore=restore).status == status
    actions = [e.action for e in registry.audit.events(model="m")]
    assert actions == ["register", "archive", "restore"]


@pytest.mark.parametrize("verb", ["archive", "delete"])
def test_a_version_with_traffic_is_neither_archived_nor_deleted(
    serving_registry: Registry, verb: str
):
    with pytest.raises(Conflict, match=rf"sentiment@2.0.0 is active and cannot be {verb}d"):
        getattr(serving_registry.versions, verb)("sentiment@2.0.0")


def test_a_parent_is_not_deleted_before_its_children(registry: Registry):
    bare(registry, "m@1.0.0")
    parent = registry.versions.get("m@1.0.0").model_id
    registry.versions.register("m@2.0.0", parent=parent)
    with pytest.raises(Conflict, match=r"m@1.0.0 is the parent of 2.0.0"):
        registry.versions.delete("m@1.0.0")
    registry.versions.delete("m@2.0.0")
    registry.versions.delete("m@1.0.0")
    assert registry.versions.list() == []


def test_deleting_removes_the_bytes_only_with_their_last_user(registry: Registry, artifact: Path):
    registry.versions.register("m@1.0.0", artifact)
    registry.versions.register("m@2.0.0", artifact)
    registry.versions.delete("m@1.0.0")
    assert len(objects(registry)) == 1
    registry.versions.delete("m@2.0.0")
    assert objects(registry) == []


def test_a_dry_run_of_delete_shows_the_version_and_keeps_it(registry: Registry, artifact: Path):
    registry.versions.register("m@1.0.0", artifact)
    before = dump(registry.folder), objects(registry)
    assert registry.versions.delete("m@1.0.0", change=Change(dry_run=True)).ref == "m@1.0.0"
    assert (dump(registry.folder), objects(registry)) == before


@pytest.mark.parametrize(
    "make",
    [
        lambda v: v.archive("m@1.0.0", change=Change(dry_run=True)),
        lambda v: v.alias("m@1.0.0", "champion", change=Change(dry_run=True)),
        lambda v: v.delete("m@1.0.0", change=Change(expect_revision=0)),
    ],
)
def test_what_cannot_be_tried_is_refused_and_not_done(registry: Registry, make):
    bare(registry, "m@1.0.0")
    before = dump(registry.folder)
    with pytest.raises(InvalidInput, match="only a change of traffic takes dry_run"):
        make(registry.versions)
    assert dump(registry.folder) == before


def test_the_log_of_a_deleted_version_stays(serving_registry: Registry):
    answer = serving_registry.predictions.predict("great", version="2.0.0")
    serving_registry.versions.alias("sentiment@2.0.0", "challenger")
    serving_registry.traffic.promote("sentiment@1.0.0")
    serving_registry.versions.delete("sentiment@2.0.0")
    row = serving_registry.predictions.get(answer.prediction_id)
    assert (row.model_version, row.prediction) == ("2.0.0", answer.prediction)
    with pytest.raises(NotFound, match="no version challenger"):
        serving_registry.versions.get("sentiment@challenger")
    with pytest.raises(NotFound, match="no version with the id"):
        serving_registry.versions.get(answer.model_id)


# --- what a model takes -------------------------------------------------------------------------


def test_what_is_said_of_an_estimator_that_says_nothing_itself_is_believed(registry: Registry):
    said = registry.versions.register("echo@1.0.0", Broken(), input="text", trust=True)
    assert said.signature.input == "text"
    registry.traffic.activate("echo@1.0.0")
    assert registry.predictions.predict("good morning").prediction == "good morning"


def test_what_is_said_against_the_artifact_is_refused(registry: Registry, artifact: Path):
    with pytest.raises(InvalidInput, match="the artifact takes a text, not a record"):
        registry.versions.register("sentiment@1.0.0", artifact, input="record")
    assert objects(registry) == []
