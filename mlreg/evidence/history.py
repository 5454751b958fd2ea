"""What the log says of a version so far: the baseline of a plan that was given none."""

from __future__ import annotations

import math
from typing import NamedTuple

from mlreg.entities.experiments import TestMetric
from mlreg.metrics import Share, measure_of
from mlreg.tallies import Moments, Tally, bucket_edges

LEAST = 100


class History(NamedTuple):
    """A metric of the control so far, in its unit.

    Attributes:
        value: Its rate, mean or quantile.
        sd: Standard deviation of one request's value; of a quantile that of one request as it
            bears on the quantile: its standard error times the root of the requests.
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
        return History(reading, _of_quantile(tally, wanted.quantile))
    return None


def _of_quantile(tally: Tally, quantile: float | None) -> float | None:
    from mlreg.stats.quantiles import Bucket, quantile_estimate, quantile_of_histogram

    if quantile is None:
        return None
    buckets = [Bucket(*bucket_edges(bucket), n) for bucket, n in sorted(tally.histogram.items())]
    se = quantile_estimate(quantile_of_histogram(buckets, quantile)).se
    return se * math.sqrt(tally.latency_n) if math.isfinite(se) else None
