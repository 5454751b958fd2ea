"""When an alert fires and when it is over, and what is unusual."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.clock import MINUTE
from mlreg.entities.conditions import State
from mlreg.entities.thresholds import Standing
from mlreg.evidence.alerts import transition
from mlreg.evidence.anomalies import unusual

FIVE = timedelta(minutes=5)


def run(findings: str, lasting: timedelta | int | None, *, every: int = MINUTE) -> str:
    """The states after each finding: f(ail), p(ass), i(nconclusive); a dot where there is none."""
    kinds: dict[str, State] = {"f": "fail", "p": "pass", "i": "inconclusive", "e": "error"}
    standing, states, now = None, "", 10**15
    for finding in findings:
        standing = transition(standing, kinds[finding], lasting, now)
        states += standing.state[0] if standing else "."
        if standing and standing.state == "resolved":
            standing = None
        now += every
    return states


@pytest.mark.parametrize(
    ("findings", "lasting", "states"),
    [
        pytest.param("pfp", None, ".ff", id="at once, and not over at once"),
        pytest.param("fpppppp", None, "fffffff"[:6] + "r", id="over after five minutes"),
        pytest.param("ffffff", FIVE, "pppppf", id="after as long as it says"),
        pytest.param("fffffp", FIVE, "ppppp.", id="one that goes by leaves nothing"),
        pytest.param("fiffff", FIVE, "p.pppp", id="what is not known does not count as broken"),
        pytest.param("fff", 3, "ppf", id="so many in a row"),
        pytest.param("ffpff", 3, "pp.pp", id="in a row means in a row"),
        pytest.param("fffpfppp", 3, "ppfffffr", id="over after as many in a row"),
        pytest.param("ffiiii", None, "ffffff", id="what is not known ends nothing"),
        pytest.param("eeee", None, "....", id="what cannot be measured starts nothing"),
        pytest.param("f" + "ppppi" + "ppppp", None, "ffffffffffff"[:11], id="nor halfway"),
    ],
)
def test_an_alert_goes_from_pending_to_firing_to_over(
    findings: str, lasting: timedelta | int | None, states: str
):
    assert run(findings, lasting) == states


def test_evaluations_at_one_instant_are_one():
    assert run("ffffff", 3, every=0) == "pppppp"


def test_a_tick_that_was_missed_counts_as_time():
    assert run("ff", FIVE, every=10 * MINUTE) == "pf"


def test_a_clock_that_went_back_begins_anew():
    late = transition(None, "fail", FIVE, 10**15)
    early = transition(late, "fail", FIVE, 10**14)
    assert early == Standing("pending", 10**14, 1, 10**14)


STATES = st.sampled_from(get_args(State))
LASTING = st.one_of(
    st.none(), st.integers(1, 5), st.integers(1, 3600).map(lambda s: timedelta(seconds=s))
)


@given(st.lists(st.tuples(STATES, st.integers(-(10**10), 10**10))), LASTING)
def test_whatever_the_clock_does_a_state_follows_from_the_one_before(
    findings: list[tuple[State, int]], lasting: timedelta | int | None
):
    allowed: dict[str | None, set[str | None]] = {
        None: {None, "pending", "firing"},
        "pending": {None, "pending", "firing"},
        "firing": {"firing", "resolved"},
    }
    standing: Standing | None = None
    now = 10**15
    for finding, step in findings:
        now += step
        after = transition(standing, finding, lasting, now)
        assert (after and after.state) in allowed[standing and standing.state]
        if after and after.state == "resolved":
            assert finding == "pass"
            after = None
        elif after is not None:  # under a stopped clock nothing changes any more
            assert transition(after, finding, lasting, now) == after
        if (after and after.state) == "firing" != (standing and standing.state):
            assert finding == "fail"
        standing = after


def test_what_is_far_from_its_past_is_unusual():
    past = [100.0, 102.0, 98.0, 101.0, 99.0, 103.0, 97.0]
    found = unusual(120.0, past, 3)
    assert (found.usual, found.hours) == (100.0, 7)
    assert found.z == pytest.approx(20 / (1.4826 * 2))
    assert found.high == pytest.approx(100 + 3 * 1.4826 * 2)
    assert abs(unusual(101.0, past, 3).z or 9) < 1


@pytest.mark.parametrize(
    ("value", "past", "why"),
    [
        (None, [1.0] * 9, "no data in the last hour"),
        (1.0, [1.0] * 6, "only 6 past hours"),
        (2.0, [1.0] * 9, "the same in all past hours"),
    ],
)
def test_where_nothing_is_usual_nothing_is_unusual(
    value: float | None, past: list[float], why: str
):
    found = unusual(value, past, 3)
    assert (found.z, why in found.why) == (None, True)


def test_where_most_hours_are_alike_the_mean_deviation_stands_in():
    past = [0.0] * 8 + [1.0, 1.0]
    assert unusual(5.0, past, 3).z == pytest.approx(5 / (1.2533 * 0.2))
