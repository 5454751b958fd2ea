"""What the log says of a version so far: the baseline of a plan that was given none."""

from __future__ import annotations

import math
from typing import NamedTuple

from mlreg.entities.experiments import TestMetric
from mlreg.metrics import VALUE
from mlreg.tallies import MILLISECOND, Moments, Tally

LEAST = 100


class History(NamedTuple):
    """A metric of the control so far, in its unit.

    Attributes:
        value: Its rate, mean or quantile.
        sd: Standard deviation of one request's value; None for a quantile.
    """

    value: float
    sd: float | None


def history(tally: Tally, metric: TestMetric) -> History | None:
    """The metric of these predictions; None for fewer than a hundred."""
    if metric.kind == "share":
        return _share(*_counts(tally, metric.name))
    if metric.kind == "quantile":
        value = tally.latency_quantile_ms(metric.quantile or 0.5)
        return History(value, None) if value is not None and tally.latency_n >= LEAST else None
    if metric.name == "avg_latency_ms":
        return _mean(tally.calls, MILLISECOND)
    if metric.name.startswith(VALUE):
        return _mean(tally.values.get(metric.name.removeprefix(VALUE), Moments()))
    return _mean(tally.cost if metric.name == "cost_per_request" else tally.confidence)


def _counts(tally: Tally, name: str) -> tuple[int, int]:
    if name == "accuracy":
        return tally.correct, tally.judged
    failed = tally.errors
    return (failed if name == "error_rate" else tally.requests - failed), tally.requests


def _share(hits: int, n: int) -> History | None:
    if n < LEAST:
        return None
    return History(hits / n, math.sqrt(hits / n * (1 - hits / n)))


def _mean(moments: Moments, scale: float = 1.0) -> History | None:
    if moments.n < LEAST or moments.mean is None or moments.variance is None:
        return None
    return History(moments.mean / scale, math.sqrt(moments.variance) / scale)
