"""Every change of traffic is one new revision, and the arithmetic of shares is exact."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlreg.config import FOLDER
from mlreg.entities.traffic import WHOLE, Change, Revision
from mlreg.errors import (
    ArtifactMissing,
    Conflict,
    InvalidInput,
    NoActiveVersion,
    NotFound,
    NothingToRollBack,
    RevisionMoved,
    StoreFull,
)
from mlreg.registry import Registry
from mlreg.services.splits import basis_points
from mlreg.store.engines.sqlite import sqlite3
from tests.support import dump, raw

NUMBERS = ["1.0.0", "2.0.0", "3.0.0", "4.0.0"]


def split(revision: Revision) -> dict[str, float]:
    """Percent by version."""
    return {arm.version: arm.traffic_percent for arm in revision.live}


def add(registry: Registry, *refs: str) -> None:
    """Register versions whose artifact nobody will run."""
    for ref in refs:
        registry.versions.register(ref, ref.encode(), check=False)


@pytest.fixture(scope="module")
def four_versions(tmp_path_factory: pytest.TempPathFactory, empty_template: Path) -> Path:
    folder = tmp_path_factory.mktemp("four") / FOLDER
    shutil.copytree(empty_template, folder)
    with Registry(folder, actor="tester") as registry:
        add(registry, *(f"churn@{number}" for number in NUMBERS))
    return folder


@pytest.fixture
def churn(open_copy: Callable[[Path], Registry], four_versions: Path) -> Registry:
    """`churn` with four versions."""
    return open_copy(four_versions)


# --- activate, deactivate, route ----------------------------------------------------------------


def test_before_the_first_change_nothing_serves(churn: Registry):
    now = churn.traffic.current("churn")
    assert (now.number, now.arms, now.previous_revision) == (0, (), None)
    assert churn.traffic.history("churn") == []
    with pytest.raises(NoActiveVersion, match="no version of churn is active"):
        churn.traffic.explain("churn", "ada")


def test_the_others_share_the_rest_in_their_present_proportion(churn: Registry):
    churn.traffic.route("churn", {"1.0.0": 60, "2.0.0": 30, "3.0.0": 10})
    after = churn.traffic.activate("churn@4.0.0", percent=50)
    assert split(after) == {"1.0.0": 30, "2.0.0": 15, "3.0.0": 5, "4.0.0": 50}
    assert split(churn.traffic.activate("churn@2.0.0", percent=0.01)) == pytest.approx(
        {"1.0.0": 35.29, "2.0.0": 0.01, "3.0.0": 5.88, "4.0.0": 58.82}
    )


def test_thirds_are_split_to_the_basis_point(churn: Registry):
    churn.traffic.activate("churn@1.0.0")
    churn.traffic.activate("churn@2.0.0", percent=50)
    after = churn.traffic.activate("churn@3.0.0", percent=33.33)
    assert split(after) == {"1.0.0": 33.34, "2.0.0": 33.33, "3.0.0": 33.33}


def test_a_hundred_percent_deactivates_the_others(churn: Registry):
    churn.traffic.route("churn", {"1.0.0": 60, "2.0.0": 40})
    assert split(churn.traffic.activate("churn@3.0.0")) == {"3.0.0": 100}


def test_a_lone_version_keeps_its_percentage_and_serves_everything_until_another_joins(
    churn: Registry,
):
    assert split(churn.traffic.activate("churn@1.0.0", percent=20)) == {"1.0.0": 20}
    assert churn.versions.get("churn@1.0.0").traffic_percent == 100
    assert churn.traffic.explain("churn", "ada").arm_reason == "only-arm"
    after = churn.traffic.activate("churn@2.0.0", percent=30)
    assert split(after) == {"1.0.0": 70, "2.0.0": 30}


def test_the_share_of_a_deactivated_version_goes_to_the_others(churn: Registry):
    churn.traffic.route("churn", {"1.0.0": 60, "2.0.0": 30, "3.0.0": 10})
    after = churn.traffic.deactivate("churn@1.0.0")
    assert split(after) == {"2.0.0": 75, "3.0.0": 25}
    assert split(churn.traffic.activate("churn@3.0.0", percent=0)) == {"2.0.0": 100}


def test_deactivating_what_does_not_serve_changes_nothing(churn: Registry):
    before = churn.traffic.activate("churn@1.0.0")
    assert churn.traffic.deactivate("churn@2.0.0") == before


def test_the_last_live_version_goes_only_when_that_is_allowed(churn: Registry):
    churn.traffic.activate("churn@1.0.0")
    with pytest.raises(Conflict, match=r"churn@1.0.0 is the last live version"):
        churn.traffic.deactivate("churn@1.0.0")
    assert churn.traffic.deactivate("churn@1.0.0", allow_empty=True).arms == ()
    assert churn.versions.get("churn@1.0.0").status == "inactive"


def test_a_whole_split_can_be_set_at_once_by_any_selector(churn: Registry):
    churn.versions.alias("churn@2.0.0", "challenger")
    after = churn.traffic.route(
        None, {"v1.0": 50, "challenger": 30, "latest": 20, "3.0.0": 0}, strategy="sticky"
    )
    assert split(after) == {"1.0.0": 50, "2.0.0": 30, "4.0.0": 20}
    assert after.strategy == "sticky"


def test_the_strategy_alone_can_be_changed(churn: Registry):
    churn.traffic.route("churn", {"1.0.0": 60, "2.0.0": 40})
    after = churn.traffic.route("churn", {}, strategy="round-robin")
    assert (after.number, after.strategy, split(after)) == (
        2,
        "round-robin",
        {"1.0.0": 60, "2.0.0": 40},
    )


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"1.0.0": 60, "2.0.0": 39.99}, r"must sum to exactly 100, these sum to 99.99"),
        ({"1.0.0": 60, "2.0.0": 41}, "these sum to 101"),
        ({"1.0.0": 33.333, "2.0.0": 66.667}, "at most two decimals"),
        ({"1.0.0": 50, "v1.0": 50}, "stands twice"),
        ({"1.0.0": -1, "2.0.0": 101}, "between 0 and 100"),
        ({"": 100}, "nothing follows the @"),
        ({}, "needs shares or a strategy"),
    ],
)
def test_a_split_that_is_none_is_refused(churn: Registry, weights, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        churn.traffic.route("churn", weights)
    assert churn.traffic.history("churn") == []


def test_the_same_traffic_again_is_no_new_revision(churn: Registry):
    churn.traffic.route("churn", {"1.0.0": 60, "2.0.0": 40})
    churn.traffic.activate("churn@1.0.0", percent=60)
    churn.traffic.route("churn", {"2.0.0": 40, "1.0.0": 60}, strategy="random")
    assert churn.traffic.current("churn").number == 1


@pytest.mark.parametrize("strategy", ["canary", "", "\x1b[31m"])
def test_an_unknown_strategy_is_refused_visibly(churn: Registry, strategy):
    with pytest.raises(InvalidInput, match="strategy must be one of") as caught:
        churn.traffic.activate("churn@1.0.0", strategy=strategy)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("percent", "points"), [(0, 0), (100, 10_000), (33.33, 3333), (0.01, 1), (29.3, 2930)]
)
def test_percentages_become_basis_points(percent: float, points: int):
    assert basis_points(percent) == points


@pytest.mark.parametrize(
    "percent", [-0.01, 100.01, float("nan"), float("inf"), -float("inf"), 10**400, 1e308]
)
def test_a_share_that_is_no_percentage_is_refused(percent: float):
    with pytest.raises(InvalidInput, match="between 0 and 100"):
        basis_points(percent)


@pytest.mark.parametrize("percent", [0.001, 33.333, 99.995])
def test_a_share_finer_than_a_basis_point_is_refused(percent: float):
    with pytest.raises(InvalidInput, match="at most two decimals"):
        basis_points(percent)


MODELS = count()
CAUSES = {"activate", "deactivate", "route", "promote", "rollback"}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("activate"), st.integers(0, 3), st.integers(0, WHOLE)),
        st.tuples(st.just("deactivate"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("route"), st.permutations(range(4)), st.integers(0, WHOLE)),
        st.tuples(st.just("promote"), st.integers(0, 3), st.none()),
        st.tuples(st.just("rollback"), st.none(), st.none()),
        st.tuples(st.just("archive"), st.integers(0, 3), st.booleans()),
    ),
    max_size=10,
)


def take(registry: Registry, name: str, step: tuple) -> None:
    verb, which, how = step
    traffic = registry.traffic
    ref = f"{name}@{NUMBERS[which]}" if isinstance(which, int) else ""
    if verb == "activate":
        traffic.activate(ref, percent=how / 100)
    elif verb == "deactivate":
        traffic.deactivate(ref, allow_empty=how)
    elif verb == "route":
        shares = {NUMBERS[which[0]]: how / 100, NUMBERS[which[1]]: (WHOLE - how) / 100}
        traffic.route(name, shares)
    elif verb == "promote":
        traffic.promote(ref)
    elif verb == "rollback":
        traffic.rollback(name)
    else:
        registry.versions.archive(ref, restore=how)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_any_sequence_of_changes_leaves_whole_gap_free_revisions(registry: Registry, steps):
    name = f"model{next(MODELS)}"
    add(registry, *(f"{name}@{number}" for number in NUMBERS))
    for step in steps:
        before = registry.traffic.current(name)
        try:
            take(registry, name, step)
        except Conflict:
            assert registry.traffic.current(name) == before
    history = registry.traffic.history(name)
    assert [revision.number for revision in history] == list(range(len(history), 0, -1))
    for revision in history:
        weights = [arm.weight for arm in revision.live]
        assert len(weights) < 2 or sum(weights) == WHOLE
        assert all(0 < weight <= WHOLE for weight in weights)
    versions = registry.versions.list(name)
    served = sum(version.traffic_percent for version in versions)
    assert served == pytest.approx(100 if registry.traffic.current(name).live else 0)
    assert not any(v.status == "archived" and v.traffic_percent for v in versions)
    traffic = [e.action for e in registry.audit.events(model=name) if e.action in CAUSES]
    assert traffic == [revision.cause for revision in reversed(history)]


# --- what every change has in common ------------------------------------------------------------

CHANGES: list[Callable[[Registry, Change], Revision]] = [
    lambda r, c: r.traffic.activate("churn@3.0.0", percent=10, change=c),
    lambda r, c: r.traffic.deactivate("churn@1.0.0", change=c),
    lambda r, c: r.traffic.route("churn", {"4.0.0": 100}, strategy="sticky", change=c),
    lambda r, c: r.traffic.promote("churn@2.0.0", change=c),
    lambda r, c: r.traffic.rollback("churn", change=c),
    lambda r, c: r.traffic.rollback("churn", to_revision=1, change=c),
    lambda r, c: r.traffic.rollback("churn", to_version="1.0.0", change=c),
]
VERBS = ["activate", "deactivate", "route", "promote", "rollback", "to-revision", "to-version"]
every_change = pytest.mark.parametrize("make", CHANGES, ids=VERBS)


@pytest.fixture
def moved(churn: Registry) -> Registry:
    """`churn` at revision 2."""
    churn.traffic.promote("churn@1.0.0")
    churn.traffic.activate("churn@2.0.0", percent=40)
    return churn


@every_change
def test_a_dry_run_shows_the_revision_and_writes_nothing(moved: Registry, make):
    before = dump(moved.folder)
    would = make(moved, Change(dry_run=True))
    assert dump(moved.folder) == before
    assert (would.dry_run, would.number) == (True, 3)
    done = make(moved, Change())
    assert (done.arms, done.strategy, done.number) == (would.arms, would.strategy, 3)


@every_change
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_change_fails_if_somebody_moved_first(moved: Registry, make, dry_run: bool):
    before = dump(moved.folder)
    with pytest.raises(RevisionMoved, match="churn is at revision 2, not 1"):
        make(moved, Change(expect_revision=1, dry_run=dry_run))
    assert dump(moved.folder) == before
    assert make(moved, Change(expect_revision=2)).number == 3


@every_change
def test_a_change_is_one_revision_and_one_event_with_who_and_why(moved: Registry, make, clock):
    clock.at += 5_000_000
    done = make(moved, Change(reason="canary looks good", actor="ada"))
    stored = moved.traffic.history("churn", limit=1)[0]
    assert stored == done
    assert (done.reason, done.actor, done.previous_revision) == ("canary looks good", "ada", 2)
    events = [e for e in moved.audit.events(model="churn") if e.action == done.cause]
    assert (events[-1].actor, events[-1].reason) == ("ada", "canary looks good")
    assert events[-1].after is not None
    assert events[-1].after["revision"] == 3
    assert events[-1].time == done.created_at


@every_change
def test_a_change_that_cannot_be_recorded_does_not_happen(moved: Registry, make):
    with raw(moved.folder) as connection:
        connection.execute(
            "create trigger full_disk before insert on events "
            "begin select raise(abort, 'no room'); end"
        )
    before = dump(moved.folder)
    with pytest.raises(Conflict, match="no room"):
        make(moved, Change())
    assert dump(moved.folder) == before


@pytest.mark.parametrize(
    "change", [Change(reason="a\0b"), Change(reason="x" * 10_001), Change(actor="\ud800")]
)
def test_a_change_with_a_text_that_cannot_be_stored_does_not_happen(moved: Registry, change):
    with pytest.raises(InvalidInput, match=r"reason|actor"):
        moved.traffic.promote("churn@2.0.0", change=change)
    assert moved.traffic.current("churn").number == 2


def test_a_full_disk_leaves_the_old_traffic_and_no_event(moved: Registry):
    before = dump(moved.folder)
    connection = moved.traffic._context.store.database.connection()
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(StoreFull, match="the disk is full"):
        moved.traffic.promote("churn@2.0.0", change=Change(reason="x" * 10_000))
    assert dump(moved.folder) == before


# --- who may serve ------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["activate", "promote", "route", "to-version"])
def test_an_archived_version_or_one_without_artifact_gets_no_traffic(moved: Registry, verb: str):
    moved.versions.archive("churn@3.0.0")
    moved.versions.register("churn@5.0.0")
    for number, reason in (("3.0.0", "is archived"), ("5.0.0", "has no artifact")):
        ref = f"churn@{number}"
        with pytest.raises(Conflict, match=reason):
            {
                "activate": lambda ref=ref: moved.traffic.activate(ref),
                "promote": lambda ref=ref: moved.traffic.promote(ref),
                "route": lambda n=number: moved.traffic.route("churn", {n: 100}),
                "to-version": lambda n=number: moved.traffic.rollback("churn", to_version=n),
            }[verb]()
    assert moved.traffic.current("churn").number == 2


@pytest.mark.parametrize("name", ["nobody", "churn@9.0.0", "model-000000000000"])
def test_what_does_not_exist_cannot_serve(moved: Registry, name: str):
    with pytest.raises(NotFound, match=r"there is no|has no version"):
        moved.traffic.activate(name)


def test_a_version_can_be_named_by_its_id_and_a_model_by_any_form_of_its_name(registry: Registry):
    add(registry, "cafe\u0301@1.0.0")
    key = registry.versions.get("café").model_id
    assert registry.traffic.activate(key).model == "café"
    assert registry.traffic.current("cafe\u0301").number == 1
    assert registry.traffic.rollbacks("café") == []


# --- promote and rollback -----------------------------------------------------------------------


def champion(registry: Registry) -> str:
    return registry.versions.get("churn@champion").version


def test_a_promotion_crowns_the_champion_and_a_rollback_gives_the_crown_back(churn: Registry):
    churn.traffic.promote("churn@1.0.0")
    churn.traffic.promote("churn@2.0.0")
    assert champion(churn) == "2.0.0"
    assert split(churn.traffic.rollback("churn")) == {"1.0.0": 100}
    assert champion(churn) == "1.0.0"
    aliases = [e for e in churn.audit.events() if e.action == "alias"]
    assert [(e.before, e.after) for e in aliases] == [
        ({"alias": "champion", "version": a}, {"alias": "champion", "version": b})
        for a, b in ((None, "1.0.0"), ("1.0.0", "2.0.0"), ("2.0.0", "1.0.0"))
    ]


def test_promoting_what_serves_alone_only_crowns_it(churn: Registry):
    churn.traffic.activate("churn@1.0.0")
    assert churn.traffic.promote("churn@1.0.0").number == 1
    assert champion(churn) == "1.0.0"


def test_a_rollback_crowns_nobody_where_nobody_was_champion(churn: Registry):
    churn.traffic.activate("churn@1.0.0")
    churn.traffic.activate("churn@2.0.0")
    churn.traffic.rollback("churn")
    with pytest.raises(NotFound, match="no version champion"):
        champion(churn)


def test_a_second_rollback_undoes_the_first(churn: Registry):
    for number in NUMBERS[:3]:
        churn.traffic.activate(f"churn@{number}")
    served = [split(churn.traffic.rollback("churn")) for _ in range(3)]
    assert served == [{"2.0.0": 100}, {"3.0.0": 100}, {"2.0.0": 100}]
    assert churn.traffic.current("churn").number == 6


def test_a_rollback_brings_the_whole_split_and_its_strategy_back(churn: Registry):
    churn.traffic.route("churn", {"1.0.0": 80, "2.0.0": 20}, strategy="sticky")
    churn.traffic.route("churn", {"3.0.0": 100}, strategy="random")
    after = churn.traffic.rollback("churn")
    assert (split(after), after.strategy) == ({"1.0.0": 80, "2.0.0": 20}, "sticky")


def archived(registry: Registry, ref: str) -> None:
    registry.versions.archive(ref)


def deleted(registry: Registry, ref: str) -> None:
    registry.versions.delete(ref)


def altered(registry: Registry, ref: str) -> None:
    path = _object(registry, ref)
    path.chmod(0o600)
    path.write_bytes(b"other bytes")


def missing(registry: Registry, ref: str) -> None:
    _object(registry, ref).unlink()


def _object(registry: Registry, ref: str):
    digest = registry.versions.get(ref).digest
    assert digest is not None
    return registry.folder / "objects" / digest[:2] / digest


DAMAGES = [archived, deleted, altered, missing]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_rollback_skips_what_cannot_serve_any_more(churn: Registry, damage):
    churn.traffic.activate("churn@1.0.0")
    churn.traffic.route("churn", {"1.0.0": 50, "2.0.0": 50})
    churn.traffic.deactivate("churn@1.0.0")
    churn.traffic.activate("churn@3.0.0")
    damage(churn, "churn@2.0.0")
    assert split(churn.traffic.rollback("churn")) == {"1.0.0": 100}


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_a_target_that_can_serve_a_rollback_is_refused_with_the_reason(
    churn: Registry, damage
):
    churn.traffic.activate("churn@2.0.0")
    churn.traffic.activate("churn@3.0.0")
    damage(churn, "churn@2.0.0")
    before = dump(churn.folder)
    with pytest.raises(NothingToRollBack, match="no earlier revision that can serve: "):
        churn.traffic.rollback("churn")
    with pytest.raises(NothingToRollBack, match="revision 1 cannot serve: "):
        churn.traffic.rollback("churn", to_revision=1)
    assert dump(churn.folder) == before


def test_there_is_nothing_to_roll_back_to_before_the_second_state(churn: Registry):
    with pytest.raises(NothingToRollBack, match="no earlier revision"):
        churn.traffic.rollback("churn")
    churn.traffic.activate("churn@1.0.0")
    with pytest.raises(NothingToRollBack, match="no earlier revision"):
        churn.traffic.rollback("churn")


def test_a_rollback_can_name_its_target(churn: Registry):
    churn.traffic.route("churn", {"1.0.0": 80, "2.0.0": 20})
    churn.traffic.activate("churn@2.0.0")
    churn.traffic.activate("churn@3.0.0")
    assert split(churn.traffic.rollback("churn", to_revision=1)) == {"1.0.0": 80, "2.0.0": 20}
    assert split(churn.traffic.rollback("churn", to_version="v2")) == {"2.0.0": 100}


@pytest.mark.parametrize(
    ("target", "error", "reason"),
    [
        ({"to_revision": 9}, NotFound, "has no revision 9"),
        ({"to_revision": 2}, NothingToRollBack, "it has no live version"),
        ({"to_version": "4.0.0"}, NothingToRollBack, r"churn@4.0.0 has never served"),
        ({"to_version": "9.0.0"}, NotFound, r"has no version 9.0.0"),
        ({"to_version": "1.0.0", "to_revision": 1}, InvalidInput, "not both"),
    ],
)
def test_a_target_that_never_served_is_refused(churn: Registry, target, error, reason: str):
    churn.traffic.activate("churn@1.0.0")
    churn.traffic.deactivate("churn@1.0.0", allow_empty=True)
    churn.traffic.activate("churn@2.0.0")
    with pytest.raises(error, match=reason):
        churn.traffic.rollback("churn", **target)


def test_a_damaged_version_that_is_named_is_refused(churn: Registry):
    churn.traffic.activate("churn@1.0.0")
    churn.traffic.activate("churn@2.0.0")
    altered(churn, "churn@1.0.0")
    with pytest.raises(NothingToRollBack, match=r"churn@1.0.0 cannot serve: .* altered"):
        churn.traffic.rollback("churn", to_version="1.0.0")


def test_the_rollbacks_tell_from_where_to_where(churn: Registry):
    churn.traffic.route("churn", {"1.0.0": 80, "2.0.0": 20})
    churn.traffic.activate("churn@3.0.0")
    churn.traffic.rollback("churn", change=Change(reason="it broke", actor="ada"))
    churn.traffic.rollback("churn")
    newest, first = churn.traffic.rollbacks("churn")
    assert (first.from_version, first.to_version, first.revision) == ("3.0.0", "1.0.0", 3)
    assert (first.reason, first.actor, first.automatic, first.evidence) == (
        "it broke",
        "ada",
        False,
        {},
    )
    assert (newest.from_version, newest.to_version) == ("1.0.0", "3.0.0")
    assert churn.traffic.rollbacks("churn", limit=1) == [newest]


def test_history_is_gap_free_newest_first_and_can_be_cut(moved: Registry):
    assert [r.number for r in moved.traffic.history("churn")] == [2, 1]
    assert [r.number for r in moved.traffic.history("churn", limit=1)] == [2]


def test_explain_tells_who_would_answer_without_a_row(serving_registry: Registry):
    serving_registry.traffic.route("sentiment", {}, strategy="sticky")
    choices = {serving_registry.traffic.explain("sentiment", "ada") for _ in range(5)}
    assert len(choices) == 1
    answer = serving_registry.predictions.predict("great", unit="ada")
    assert {choice.version for choice in choices} == {answer.model_version}
    assert serving_registry.predictions.last_id() == 1


def test_explain_tells_whose_turn_is_next(serving_registry: Registry):
    serving_registry.traffic.route("sentiment", {}, strategy="round-robin")
    for _ in range(8):
        choice = serving_registry.traffic.explain("sentiment", "ada")
        assert choice.arm_reason == "round-robin"
        assert serving_registry.predictions.predict("great").model_version == choice.version


def test_the_schema_itself_refuses_a_bad_sum(moved: Registry):
    with raw(moved.folder) as connection, pytest.raises(sqlite3.IntegrityError, match="10000"):
        connection.executescript(
            "insert into arms values (1, 3, 1, 5000, 'live'), (1, 3, 2, 4000, 'live');"
            "insert into revisions (model, number, previous, strategy, cause, actor, created_at)"
            " values (1, 3, 2, 'random', 'x', 'x', 0);"
        )


def test_an_arm_does_not_vanish_because_another_one_grows(churn: Registry):
    churn.traffic.route("churn", {"1.0.0": 99.99, "2.0.0": 0.01})
    after = churn.traffic.activate("churn@3.0.0", percent=50)
    assert [arm.weight for arm in after.arms] == [4999, 1, 5000]


def test_a_version_whose_artifact_is_gone_gets_no_traffic(churn: Registry):
    digest = churn.versions.get("churn@2.0.0").digest
    churn._context.objects.discard(digest)
    with pytest.raises(ArtifactMissing, match=r"the artifact of churn@2\.0\.0 is missing"):
        churn.traffic.promote("churn@2.0.0")
