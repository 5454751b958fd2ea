"""Why something was decided, told from what was stored; and who needs ticks."""

from __future__ import annotations

import pytest

from mlreg.clock import HOUR
from mlreg.entities.traffic import Change
from mlreg.errors import NotFound
from mlreg.registry import Registry
from tests.services.test_alerts import ERRORS, log
from tests.support import Clock


@pytest.fixture
def rolled_back(sentiment: Registry, clock: Clock) -> Registry:
    """2.0.0 failed, and was rolled back to 1.0.0 by a threshold of maria's."""
    sentiment.traffic.activate("sentiment@1.0.0")
    clock.at += 2 * HOUR
    sentiment.traffic.activate("sentiment@2.0.0", change=Change(actor="omar"))
    maria = Change(actor="maria", reason="on call")
    sentiment.thresholds.set("sentiment", ERRORS, action="rollback", change=maria)
    clock.at += HOUR
    log(sentiment, 20, failed=10)
    sentiment.tick()
    return sentiment


def test_a_decision_tells_what_it_rests_on_and_who_wanted_that(rolled_back: Registry):
    story = rolled_back.stories.of_decision(2)
    text = "\n".join(story.lines)
    assert story.decisions[0].what == "rollback"
    for part in (
        "mlreg for tester decided rollback on sentiment/error_rate@2.0.0",
        "20 samples",
        "came to fail, with 0.5 against 0.05",
        "In force was policy 1, by maria",
        "for: on call",
        "The traffic was revision 2, 2.0.0=100, by activate of omar",
    ):
        assert part in text


def test_an_alert_tells_its_course_and_what_was_done(rolled_back: Registry):
    story = rolled_back.stories.of_alert(1)
    assert [one.what for one in story.decisions] == ["alert.firing", "rollback", "alert.resolved"]
    text = "\n".join(story.lines)
    for part in ("The alert fired at", "It was over at", "sentiment@2.0.0 serves no longer"):
        assert part in text


def test_what_does_not_exist_has_no_story(rolled_back: Registry):
    with pytest.raises(NotFound, match="there is no decision 99"):
        rolled_back.stories.of_decision(99)
    with pytest.raises(NotFound, match="there is no alert 99"):
        rolled_back.stories.of_alert(99)


def test_decisions_are_listed_the_newest_first(rolled_back: Registry):
    numbers = [one.number for one in rolled_back.stories.decisions("sentiment")]
    assert numbers == [3, 2, 1]
    assert len(rolled_back.stories.decisions(limit=2)) == 2


def ticks(registry: Registry) -> tuple[str, str]:
    [found] = [f for f in registry.health.check(quick=True).findings if f.check == "ticks"]
    return found.state, found.detail


def test_doctor_says_that_nobody_ticks(sentiment: Registry, clock: Clock):
    assert ticks(sentiment) == ("ok", "nothing waits for a tick")
    sentiment.thresholds.set("sentiment", ERRORS)
    assert ticks(sentiment)[0] == "warning"
    assert "none ever came" in ticks(sentiment)[1]
    sentiment.tick()
    assert ticks(sentiment)[0] == "ok"
    clock.at += 2 * HOUR
    state, told = ticks(sentiment)
    assert (state, "the last one came 2 hours ago" in told) == ("warning", True)
