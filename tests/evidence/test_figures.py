"""Figures of errors: their intervals cover the truth, and their tests keep their level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlreg.evidence.figures import contrast, figure
from mlreg.metrics import BY_NAME
from mlreg.tallies import Moments, Tally

TRUTH = {"mae": 0.7978845608 * 1.5, "rmse": 1.5, "bias": 0.0}
PARTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "mae": ("absolute", np.abs),
    "rmse": ("squared", np.square),
    "bias": ("signed", np.array),
}


def tally_of(errors: np.ndarray, part: str) -> Tally:
    """Sums alone, for speed; how rows come to them is shown elsewhere."""
    moments = Moments()
    for error in errors.tolist():
        moments.add(error)
    return Tally(deviations={part: moments})


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUTH)
def test_the_interval_covers_the_truth_as_often_as_it_says(name: str):
    rng = np.random.default_rng(8)
    part, of = PARTS[name]
    covered = 0
    for _ in range(1000):
        found = figure(BY_NAME[name], tally_of(of(rng.normal(0, 1.5, 120)), part))
        assert found is not None
        assert found.ci is not None
        covered += found.ci[0] <= TRUTH[name] <= found.ci[1]
    # 1000 runs at 95 % have a standard error of 0.7 points; squares are skewed.
    assert 0.92 <= covered / 1000 <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUTH)
@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_versions_that_are_off_alike_differ_no_more_often_than_the_level(name: str, shift: float):
    """Also where one is off to the other side: for bias that is as good."""
    rng = np.random.default_rng(9)
    part, of = PARTS[name]
    found = 0
    for _ in range(1000):
        one, other = rng.normal(shift, 1, 150), rng.normal(-shift, 1, 150)
        pair = [tally_of(of(errors), part) for errors in (one, other)]
        result = contrast(BY_NAME[name], *pair, alpha=0.05)
        assert result is not None
        found += result.result.is_significant
    assert found / 1000 <= 0.07


def test_one_error_has_a_value_and_no_interval():
    found = figure(BY_NAME["rmse"], tally_of(np.array([4.0]), "squared"))
    assert found == (2.0, None, 1)
    assert figure(BY_NAME["mae"], Tally()) is None
    assert contrast(BY_NAME["mae"], Tally(), Tally(), alpha=0.05) is None
    exact = tally_of(np.zeros(5), "squared")
    assert figure(BY_NAME["rmse"], exact) == (0.0, (0.0, 0.0), 5)
