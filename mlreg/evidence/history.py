"""What the log says of a version so far: the baseline of a plan that was given none."""

from __future__ import annotations

import math
from typing import NamedTuple

from mlreg.entities.experiments import TestMetric
from mlreg.metrics import Share, measure_of
from mlreg.tallies import Moments, Tally

LEAST = 100


class History(NamedTuple):
    """A metric of the control so far, in its unit.

    Attributes:
        value: Its rate, mean or quantile.
        sd: Standard deviation of one request's value; None for a quantile.
    """

    value: float
    sd: float | None


def history(tally: Tally, wanted: TestMetric) -> History | None:
    """The metric of these predictions; None for fewer than a hundred."""
    metric = measure_of(wanted.name)
    reading = metric.of(tally)
    if isinstance(reading, Share) and reading.n >= LEAST:
        rate = reading.hits / reading.n
        return History(rate, math.sqrt(rate * (1 - rate)))
    if isinstance(reading, Moments) and reading.n >= LEAST:
        mean, variance = reading.mean or 0.0, reading.variance or 0.0
        sd = math.sqrt(variance) / metric.per * abs(metric.slope(mean))
        return History(metric.judged(mean), sd)
    if isinstance(reading, float) and tally.latency_n >= LEAST:
        return History(reading, None)
    return None
