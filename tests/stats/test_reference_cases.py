"""Every case of the reference file, computed elsewhere or published, against the engine.

One adapter per kind (`tests/stats/adapters`) translates a case's inputs into public calls and names
the results as the case does. All that a case expects is compared. A kind without an adapter fails,
and so does a key that no adapter reports, unless it is listed here with the reason.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.stats.adapters import means, planning, proportions, sequential
from tests.stats.adapters.common import ADAPTERS, Inputs

DEFAULT = Path(__file__).parents[1] / "data" / "stats_cases.json"
CASES = json.loads(Path(os.environ.get("MLREG_STATS_CASES", DEFAULT)).read_text("utf-8"))["cases"]
LOADED = (means, planning, proportions, sequential)
"""Importing these fills ADAPTERS."""

NOT_BUILT = {
    "dunnett": "several treatments are handled by alpha / m, which needs no common variance",
    "hochberg": "Holm holds under any dependence; Hochberg's gain does not pay for a second rule",
    "barnard": "Boschloo's test does the same job, and is better than Fisher's which it refines",
    "equivalence_tost": "the verdict goes by the interval, which says the same",
    "miettinen_nurminen_score": "a guardrail is tested at its margin, which needs no interval",
    "mee_farrington_manning_score": "likewise",
    "agresti_caffo": "Newcombe's interval does the same job and never leaves [-1, 1]",
}
"""What the engine leaves out on purpose, by kind or by method, with the reason."""

NOT_SAID = {
    ("welch_t_degenerate", "p_value"): "the peer says 1 where nothing varies, the engine nothing",
    ("welch_t_degenerate", "scipy_p"): "likewise: it is undefined in the peer",
}
"""What a case expects and the engine does not say on purpose, by kind and key, with the reason."""


def left_out(case: Mapping[str, Any]) -> bool:
    return case["kind"] in NOT_BUILT or case["inputs"].get("method") in NOT_BUILT


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in CASES if not left_out(case)]
)
def test_the_engine_agrees_with_the_reference(case):
    assert case["kind"] in ADAPTERS, f"no adapter for {case['kind']}"
    reported = ADAPTERS[case["kind"]](case["inputs"])
    expected = {key for key in case["expected"] if (case["kind"], key) not in NOT_SAID}
    assert expected <= reported.keys(), f"not reported: {expected - reported.keys()}"
    for key in expected:
        assert_close(key, reported[key], case["expected"][key], case["tolerance"])


def assert_close(key: str, got: Any, expected: Any, tolerance: Inputs) -> None:
    if isinstance(expected, list):
        assert len(got) == len(expected), key
        for one, other in zip(got, expected, strict=True):
            assert_close(key, one, other, tolerance)
    elif expected is None:
        return  # undefined in the peer, which says nothing about the engine
    elif isinstance(expected, bool):
        assert got is expected, f"{key}: {got} instead of {expected}"
    elif isinstance(expected, str):
        limit = tolerance.get("compare_only_if_expected_z_below", math.inf)
        assert got == float(expected) or abs(got) > limit, f"{key}: {got} instead of {expected}"
    elif abs(expected) < tolerance.get("compare_only_if_expected_z_below", math.inf):
        allowed = tolerance["abs"] + tolerance["rel"] * abs(expected)
        assert got is not None, f"{key}: undefined instead of {expected}"
        assert abs(got - expected) <= allowed, f"{key}: {got!r} instead of {expected!r}"
