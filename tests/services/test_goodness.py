"""What a rollback without a person goes back to: the last state that was good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mlreg.clock import DAY, HOUR, MINUTE, from_micros
from mlreg.entities.traffic import Arm, Cause, Change, Revision
from mlreg.errors import CheckFailed, CoolingDown, NothingToRollBack
from mlreg.registry import Registry
from mlreg.services.goodness import Bars, Rules, rules_of
from mlreg.store.traffic import Alarm
from tests.services.test_conditions import rows, write
from tests.services.test_rollbacks_by_gates import LIMIT, gate
from tests.support import Clock


def state(number: int, minute: int, *live: str, cause: Cause = "promote") -> Revision:
    """A revision that began in a minute, of versions that share the traffic."""
    share = 10_000 // len(live)
    arms = tuple(Arm(version_key=int(v), model_id=v, version=v, weight=share) for v in live)
    return Revision(
        model_key=1, model="m", number=number, strategy="random", salt="", cause=cause, reason="",
        actor="", created_at=from_micros(minute * MINUTE), arms=arms,
    )  # fmt: skip


def sifted(
    past: Sequence[Revision], *alarms: Alarm, broken: str = "9", bake: int = HOUR
) -> list[int]:
    """The numbers of the states to return to from the last one, the best first."""
    newest_first = sorted(past, key=lambda revision: -revision.number)
    bars = Bars(Rules(bake=bake), frozenset({broken}), {}, alarms)
    return [found.number for found in bars.sift(newest_first, newest_first[0])[0]]


PAST = [state(1, 0, "1"), state(2, 600, "2"), state(3, 620, "3"), state(4, 700, "9")]


def test_what_stood_long_enough_comes_first_the_newest_of_it_first():
    assert sifted(PAST) == [3, 1, 2]


def test_a_change_of_shadows_alone_does_not_begin_the_bake_time_anew():
    shadow = Arm(version_key=8, model_id="8", version="8", weight=0, role="shadow")
    followed = state(3, 630, "2", cause="shadow")
    followed = replace(followed, arms=(*followed.arms, shadow))
    assert sifted([PAST[0], PAST[1], followed, state(4, 661, "9")]) == [2, 1, 3]


def test_what_has_not_stood_so_long_is_the_last_resort():
    assert sifted(PAST, bake=DAY) == [3, 2, 1]


def test_a_state_under_a_critical_alert_was_not_good():
    during = Alarm("3", 630 * MINUTE, 640 * MINUTE)
    assert sifted(PAST, during) == [1, 2]
    assert sifted(PAST, Alarm("", 630 * MINUTE, None)) == [1, 2]  # about the model
    assert sifted(PAST, Alarm("9", 630 * MINUTE, None)) == [3, 1, 2]  # of a version that is no part
    assert sifted(PAST, Alarm("1", 590 * MINUTE, 600 * MINUTE)) == [3, 2]
    assert sifted(PAST, Alarm("3", 700 * MINUTE, None)) == [3, 1, 2]  # when it no longer served


def test_an_alert_that_still_fired_from_before_counts_as_well():
    past = [state(1, 0, "1"), state(2, 100, "1", "2"), state(3, 200, "9")]
    assert sifted(past, Alarm("1", 90 * MINUTE, 150 * MINUTE)) == []
    assert sifted(past, Alarm("1", 90 * MINUTE, 100 * MINUTE)) == [2]


def test_a_trial_is_no_way_back_and_neither_is_what_fails():
    past = [
        state(1, 0, "1"), state(2, 100, "1", "2", cause="abtest"), state(3, 200, "9", "1"),
        state(4, 300, "9"),
    ]  # fmt: skip
    assert sifted(past) == [1]


def test_a_policy_may_say_how_long():
    assert rules_of({}) == Rules(HOUR, 10 * MINUTE)
    assert rules_of({"rollback": {"bake": "1d"}}) == Rules(DAY, 10 * MINUTE)
    assert rules_of({"rollback": {"cool_down": "1h30m"}}) == Rules(HOUR, 90 * MINUTE)


@pytest.fixture
def three(tested: Registry, clock: Clock) -> Registry:
    """1.0.0 stood for a day, 2.0.0 for a minute, 3.0.0 fails."""
    tested.traffic.promote("m@1.0.0")
    clock.at += DAY
    tested.traffic.promote("m@2.0.0")
    clock.at += MINUTE
    tested.traffic.promote("m@3.0.0")
    write(tested, rows(clock.at, 3, 50, failed=20, revision=3))
    return tested


def automatic(registry: Registry) -> Revision:
    found = registry.conditions.of_revision("m", LIMIT)
    change = Change(actor="cron", expect_revision=found.revision)
    return registry.traffic.rollback("m", findings=found.findings, change=change)


def test_without_a_person_it_goes_to_what_was_proved_and_by_hand_one_back(three: Registry):
    assert three.traffic.rollback("m", change=Change(dry_run=True)).live[0].version == "2.0.0"
    assert automatic(three).live[0].version == "1.0.0"
    (made,) = three.traffic.rollbacks("m")
    assert made.automatic
    assert made.finding is not None
    assert made.finding.startswith("m@3.0.0: error_rate is 40%, which is > 5%")


def test_after_a_rollback_without_a_person_there_is_none_for_a_while(three: Registry, clock: Clock):
    automatic(three)
    clock.at += MINUTE
    three.traffic.promote("m@4.0.0")
    write(three, rows(clock.at, 4, 50, failed=20, revision=5))
    with pytest.raises(CoolingDown, match="rolled back without a person 1 minute ago"):
        automatic(three)
    assert not any(event.action == "rollback.refused" for event in three.audit.events())
    clock.at += 10 * MINUTE
    assert automatic(three).live[0].version == "1.0.0"


def test_what_it_went_back_to_may_fail_later_as_anything_may(three: Registry, clock: Clock):
    automatic(three)
    write(three, rows(clock.at, 1, 50, failed=20, revision=4))
    with pytest.raises(CheckFailed, match="fails as well"):
        automatic(three)
    clock.at += DAY
    assert automatic(three).live[0].version == "2.0.0"


def test_where_nothing_is_left_an_event_says_so_once(sentiment: Registry, clock: Clock):
    sentiment.traffic.promote("sentiment@2.0.0")
    write(sentiment, rows(clock.at, 2, 50, failed=20))
    for _ in range(3):
        with pytest.raises(NothingToRollBack, match="no earlier revision that can serve"):
            gate(sentiment)
        clock.at += MINUTE
    (told,) = [e for e in sentiment.audit.events() if e.action == "rollback.refused"]
    assert told.object == "sentiment"
    assert told.reason.startswith("sentiment has no earlier revision that can serve")
    assert told.after is not None
    assert told.after["in_force"] == 1
    assert sentiment.health.check().healthy


def test_a_dry_run_that_finds_nothing_tells_nobody(sentiment: Registry, clock: Clock):
    sentiment.traffic.promote("sentiment@2.0.0")
    write(sentiment, rows(clock.at, 2, 50, failed=20))
    with pytest.raises(NothingToRollBack, match="no earlier revision"):
        gate(sentiment, dry_run=True)
    assert not any(event.action == "rollback.refused" for event in sentiment.audit.events())
