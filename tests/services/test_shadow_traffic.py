"""A shadow changes who is asked, never who answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.entities.traffic import Change, Revision
from mlreg.errors import Conflict, NoActiveVersion, NotFound, NothingToRollBack
from mlreg.registry import Registry


@pytest.fixture
def m(open_copy: Callable[[Path], Registry], four_versions: Path) -> Registry:
    """Four versions, of which the first serves."""
    registry = open_copy(four_versions)
    registry.traffic.activate("m@1.0.0")
    return registry


def arms(revision: Revision) -> dict[str, str]:
    return {
        arm.version: "shadow" if arm.role == "shadow" else f"{arm.traffic_percent:g}"
        for arm in revision.arms
    }


def follow(registry: Registry, *versions: str) -> Revision:
    return registry.traffic.route("m", {}, shadows=versions)


def test_a_shadow_is_a_revision_that_the_audit_trail_tells_of(m: Registry):
    found = follow(m, "2.0.0", "3.0.0", "2.0.0")
    assert arms(found) == {"1.0.0": "100", "2.0.0": "shadow", "3.0.0": "shadow"}
    assert found.cause == "shadow"
    event = m.audit.events(model="m")[-1]
    assert event.action == "shadow"
    assert event.after is not None
    assert len(event.after["arms"]) == 3


def test_the_same_shadows_again_change_nothing_and_none_at_all_ends_them(m: Registry):
    first = follow(m, "2.0.0")
    assert follow(m, "2.0.0").number == first.number
    assert arms(follow(m)) == {"1.0.0": "100"}
    assert follow(m).number == first.number + 1


def test_a_dry_run_and_another_revision_than_expected_change_nothing(m: Registry):
    change = Change(dry_run=True)
    tried = m.traffic.route("m", {}, shadows=["2.0.0"], change=change)
    assert arms(tried) == {"1.0.0": "100", "2.0.0": "shadow"}
    assert arms(m.traffic.current("m")) == {"1.0.0": "100"}


def test_shares_and_shadows_can_be_set_in_one_revision(m: Registry):
    found = m.traffic.route("m", {"1.0.0": 60, "3.0.0": 40}, shadows=["2.0.0"])
    assert arms(found) == {"1.0.0": "60", "2.0.0": "shadow", "3.0.0": "40"}
    assert found.cause == "route"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.activate("m@4.0.0", percent=25), {"1.0.0": "75", "4.0.0": "25"}),
        (lambda t: t.route("m", {"1.0.0": 50, "4.0.0": 50}), {"1.0.0": "50", "4.0.0": "50"}),
        (lambda t: t.promote("m@4.0.0"), {"4.0.0": "100"}),
        (lambda t: t.route("m", {}, strategy="sticky"), {"1.0.0": "100"}),
    ],
)
def test_shadows_stay_when_others_answer(
    m: Registry, change: Callable[..., Revision], expected: dict[str, str]
):
    follow(m, "2.0.0", "3.0.0")
    assert arms(change(m.traffic)) == expected | {"2.0.0": "shadow", "3.0.0": "shadow"}


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.activate("m@2.0.0"),
        lambda t: t.route("m", {"2.0.0": 100}),
        lambda t: t.promote("m@2.0.0"),
    ],
)
def test_a_shadow_that_comes_to_answer_is_one_no_more(m: Registry, change: Callable[..., Revision]):
    follow(m, "2.0.0", "3.0.0")
    assert arms(change(m.traffic)) == {"2.0.0": "100", "3.0.0": "shadow"}


def test_a_shadow_can_be_deactivated_like_any_version(m: Registry):
    follow(m, "2.0.0", "3.0.0")
    assert arms(m.traffic.deactivate("m@2.0.0")) == {"1.0.0": "100", "3.0.0": "shadow"}


def test_a_rollback_goes_to_who_answered_before_and_not_to_before_the_shadow(m: Registry):
    m.traffic.promote("m@2.0.0")
    follow(m, "3.0.0")
    follow(m, "3.0.0", "4.0.0")
    back = m.traffic.rollback("m")
    assert arms(back) == {"1.0.0": "100", "3.0.0": "shadow", "4.0.0": "shadow"}


def test_a_shadow_is_nothing_to_roll_back(m: Registry):
    follow(m, "2.0.0")
    with pytest.raises(NothingToRollBack, match="no earlier revision"):
        m.traffic.rollback("m")


def test_a_shadow_that_is_gone_since_does_not_keep_a_rollback_from_its_revision(m: Registry):
    with_shadow = follow(m, "2.0.0")
    m.traffic.promote("m@3.0.0")
    follow(m)
    m.versions.archive("m@2.0.0")
    back = m.traffic.rollback("m", to_revision=with_shadow.number)
    assert arms(back) == {"1.0.0": "100"}


def test_who_answers_cannot_be_asked_behind_the_answer(m: Registry):
    with pytest.raises(Conflict, match=r"m@1\.0\.0 answers itself"):
        follow(m, "1.0.0")
    assert m.traffic.current("m").number == 1


def test_what_mlreg_cannot_ask_cannot_be_a_shadow(m: Registry):
    m.versions.register("m@5.0.0", external=True)
    with pytest.raises(Conflict, match="run by a program of yours"):
        follow(m, "5.0.0")
    m.versions.archive("m@4.0.0")
    with pytest.raises(Conflict, match="archived"):
        follow(m, "4.0.0")
    with pytest.raises(NotFound, match=r"9\.9\.9"):
        follow(m, "9.9.9")


def test_nobody_follows_where_nothing_serves(m: Registry):
    m.traffic.deactivate("m@1.0.0", allow_empty=True)
    with pytest.raises(NoActiveVersion, match="no version of m is active"):
        follow(m, "2.0.0")


def test_a_version_in_use_as_a_shadow_is_neither_archived_nor_deleted(m: Registry):
    follow(m, "2.0.0")
    with pytest.raises(Conflict, match=r"m@2\.0\.0"):
        m.versions.archive("m@2.0.0")
    assert m.versions.get("m@2.0.0").status == "testing"
