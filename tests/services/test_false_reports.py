"""Equal versions are not shipped by `perf`, whatever else differed between them.

The few runs that a test can afford catch a rule that is broken; `scripts/calibrate.py` measures.
"""

from __future__ import annotations

import pytest

from mlreg.selftest.reports import SETTINGS, simulate

RUNS = 10

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [
        "ramp 10 to 50 %, the second week easier",
        "sticky, 200 users who come back",
        "equal, 50/50, 5 % fail",
    ],
)
def test_chance_alone_brings_no_more_verdicts_than_the_level_allows(name: str):
    # With 5 % each, five of ten come about once in sixteen thousand times.
    verdicts = [verdict for verdict, _ in simulate(SETTINGS[name], RUNS)]
    assert sum(verdict in ("ship", "keep") for verdict in verdicts) < 5


@pytest.mark.parametrize(
    "name",
    ["weeks apart, the second one easier", "wrong answers of one version labelled in 40 %"],
)
def test_what_cannot_be_compared_is_never_shipped(name: str):
    assert {verdict for verdict, _ in simulate(SETTINGS[name], 3)} == {"inconclusive"}


def test_a_real_gain_is_found_and_the_older_version_is_the_baseline():
    found = list(simulate(SETTINGS["8 points better"], RUNS))
    # Nine in ten and more are shipped; less than five of ten would be one in a million.
    assert sum(verdict == "ship" for verdict, _ in found) >= 5
    assert {baseline for _, baseline in found} == {"1.0.0"}
