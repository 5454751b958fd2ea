"""A rollback that a gate makes: on the evidence of the revision in force, and once."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.clock import DAY, HOUR
from mlreg.entities.experiments import Draft
from mlreg.entities.traffic import Change, Revision
from mlreg.errors import CheckFailed, InvalidInput, NothingToRollBack, RevisionMoved
from mlreg.registry import Registry
from tests.services.test_conditions import rows, write
from tests.support import Clock

LIMIT = ["error_rate > 5% min 10"]


def gate(registry: Registry, **change: Any) -> Revision:
    """What `perf --then-rollback` does about what it finds."""
    found = registry.conditions.of_revision("sentiment", LIMIT)
    return registry.traffic.rollback(
        "sentiment",
        findings=found.findings,
        change=Change(actor="cron", expect_revision=found.revision, **change),
    )


def state(registry: Registry, **options: Any) -> list[str]:
    return [
        f.state for f in registry.conditions.of_revision("sentiment", LIMIT, **options).findings
    ]


@pytest.fixture
def broken(sentiment: Registry, clock: Clock) -> Registry:
    """1.0.0 served well, 2.0.0 was promoted and fails."""
    sentiment.traffic.promote("sentiment@1.0.0")
    write(sentiment, rows(clock.at, 1, 50))
    clock.at += HOUR
    sentiment.traffic.promote("sentiment@2.0.0")
    write(sentiment, rows(clock.at, 2, 50, failed=20, revision=2))
    return sentiment


def test_a_gate_rolls_back_with_its_finding_as_evidence(broken: Registry, clock: Clock):
    after = gate(broken)
    assert [(arm.version, arm.weight) for arm in after.live] == [("1.0.0", 10_000)]
    assert (after.cause, after.actor) == ("rollback", "cron")
    assert "sentiment@2.0.0: error_rate is 40%, which is > 5%" in after.reason
    (made,) = broken.traffic.rollbacks("sentiment")
    assert (made.automatic, made.from_version, made.to_version) == (True, "2.0.0", "1.0.0")
    findings: Any = made.evidence["findings"]
    (finding,) = findings
    assert (finding["value"], finding["samples"], finding["state"]) == (0.4, 50, "fail")
    assert broken.health.check().healthy


def test_what_was_answered_before_the_rollback_speaks_against_nobody_after_it(
    broken: Registry, clock: Clock
):
    gate(broken)
    # The window reaches far back, and an answer of the version that is gone comes late.
    write(broken, rows(clock.at, 1, 30, failed=30), rows(clock.at, 2, 9, failed=9, revision=2))
    assert state(broken) == ["inconclusive"]
    assert state(broken, since=clock.at - DAY) == ["inconclusive"]
    found = broken.conditions.of_revision("sentiment", ["error_rate > 5% over 2h"])
    assert [f.samples for f in found.findings] == [0]
    last = broken.conditions.of_revision("sentiment", ["error_rate > 5% over 20 predictions"])
    assert [f.samples for f in last.findings] == [0]
    with pytest.raises(InvalidInput, match="no condition is broken"):
        gate(broken)
    assert broken.traffic.current("sentiment").number == 3


def test_a_gate_does_not_go_to_and_fro(broken: Registry, clock: Clock):
    gate(broken)
    write(broken, rows(clock.at, 1, 50, failed=50, revision=3))
    with pytest.raises(CheckFailed, match="rolled sentiment back to, revision 3, fails as well"):
        gate(broken)
    assert broken.traffic.rollback("sentiment").live[0].version == "2.0.0"  # who does it by hand


def test_a_gate_returns_to_no_version_that_a_gate_took_out(broken: Registry, clock: Clock):
    gate(broken)
    clock.at += HOUR
    broken.traffic.route("sentiment", {"1.0.0": 60, "2.0.0": 40})
    broken.traffic.promote("sentiment@1.0.0")
    write(broken, rows(clock.at, 1, 50, failed=50, revision=5))
    # Somebody has put 2.0.0 in force again by hand, yet with 1.0.0, which fails now; what is
    # older speaks of a 2.0.0 that a gate has taken out.
    with pytest.raises(NothingToRollBack, match="a gate speaks against"):
        gate(broken)


def test_who_puts_a_version_in_force_again_vouches_for_it(broken: Registry, clock: Clock):
    gate(broken)
    clock.at += HOUR
    broken.traffic.promote("sentiment@2.0.0")
    broken.traffic.promote("sentiment@1.0.0")
    write(broken, rows(clock.at, 1, 50, failed=50, revision=5))
    assert gate(broken).live[0].version == "2.0.0"


def test_a_gate_with_nothing_to_go_back_to_says_so(sentiment: Registry, clock: Clock):
    sentiment.traffic.promote("sentiment@2.0.0")
    write(sentiment, rows(clock.at, 2, 50, failed=20))
    with pytest.raises(NothingToRollBack, match="no earlier revision that can serve"):
        gate(sentiment)


def test_a_version_that_keeps_a_part_is_no_way_back(sentiment: Registry, clock: Clock):
    """Out of a split it was promoted: back to the split it would go on failing for some."""
    sentiment.traffic.activate("sentiment@1.0.0")
    sentiment.traffic.activate("sentiment@2.0.0", percent=20)
    sentiment.traffic.promote("sentiment@2.0.0")
    write(sentiment, rows(clock.at, 2, 50, failed=20, revision=3))
    assert [arm.version for arm in gate(sentiment).live] == ["1.0.0"]


def test_of_two_gates_at_once_one_rolls_back(broken: Registry):
    one, other = (broken.conditions.of_revision("sentiment", LIMIT) for _ in range(2))
    change = Change(expect_revision=one.revision)
    broken.traffic.rollback("sentiment", findings=one.findings, change=change)
    with pytest.raises(RevisionMoved, match="at revision 3, not 2"):
        broken.traffic.rollback("sentiment", findings=other.findings, change=change)
    assert len(broken.traffic.rollbacks("sentiment")) == 1


def test_a_gate_stops_the_test_that_runs(sentiment: Registry, clock: Clock):
    sentiment.traffic.promote("sentiment@1.0.0")
    draft = Draft(control="sentiment@1.0.0", treatments=["sentiment@2.0.0"])
    sentiment.experiments.create("tone", draft)
    sentiment.experiments.start("tone")
    write(
        sentiment, rows(clock.at, 1, 50, revision=2), rows(clock.at, 2, 50, failed=20, revision=2)
    )
    assert [arm.version for arm in gate(sentiment).live] == ["1.0.0"]
    assert sentiment.experiments.get("tone").state == "stopped"


def test_a_dry_run_of_a_gate_changes_nothing(broken: Registry):
    assert gate(broken, dry_run=True).dry_run
    assert broken.traffic.current("sentiment").number == 2
