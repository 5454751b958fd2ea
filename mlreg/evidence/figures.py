"""What a tally says of a metric: its value with an interval, and against another tally's."""

from __future__ import annotations

import math
from typing import NamedTuple

from mlreg.entities.reports import Figure, Interval
from mlreg.metrics import COVERAGE, VALUE_COVERAGE, Metric, Overlap, Reading, Share
from mlreg.stats.agreement import Agreement, agreement
from mlreg.stats.distributions import confidence_interval
from mlreg.stats.estimates import Estimate, compare_estimates, reference, welch_df
from mlreg.stats.proportions import compare_proportions, wilson
from mlreg.stats.results import Comparison
from mlreg.tallies import NO_ANSWER, OTHER, Moments, Tally, class_name

_ALPHA = 0.05
# Student's t differs by 1 % from here on, and costs an import of a tenth of a second.
_MANY = 100


class Contrasted(NamedTuple):
    """Two versions on one metric.

    Attributes:
        n: Predictions behind the one that has fewer.
    """

    result: Comparison
    n: int


def figure(metric: Metric, tally: Tally) -> Figure | None:
    """The value of a metric with its 95 % interval; None where nothing was measured."""
    reading = read(metric, tally)
    if isinstance(reading, Share):
        limits = _finite(wilson(reading.hits, reading.n))
        return Figure(reading.hits / reading.n, limits, reading.n) if reading.n else None
    if isinstance(reading, Overlap):
        score = _agreement(reading)
        if score is None:
            return None
        return Figure(score.estimate.value, _finite(score.interval()), score.estimate.n)
    if not isinstance(reading, Moments):
        return None if reading is None else Figure(reading, None, tally.latency_n)
    value = metric.shown(tally) if metric.shown else _of_mean(metric, reading.mean)
    return None if value is None else Figure(value, _mean_limits(metric, reading), reading.n)


def read(metric: Metric, tally: Tally) -> Reading:
    """What a tally says of a metric; precision and recall of one class are plain shares."""
    reading = metric.of(tally)
    return (_share_of(reading) or reading) if isinstance(reading, Overlap) else reading


def contrast(metric: Metric, base: Tally, other: Tally, *, alpha: float) -> Contrasted | None:
    """Another tally against the base; None where one of them has nothing."""
    one, two = metric.of(base), metric.of(other)
    if isinstance(one, Share) and isinstance(two, Share):
        n = min(one.n, two.n)
        return Contrasted(compare_proportions(*one, *two, alpha=alpha), n) if n else None
    control, treatment = _estimate(metric, one), _estimate(metric, two)
    if control is None or treatment is None:
        return None
    is_score = metric.kind == "score"
    df = None if is_score else welch_df(control, treatment)
    method = "delta" if is_score else "welch"
    result = compare_estimates(control, treatment, method=method, df=df, alpha=alpha)
    return Contrasted(result, min(control.n, treatment.n))


def _estimate(metric: Metric, reading: object) -> Estimate | None:
    """The number that versions are compared by; its error by the delta method (Oehlert 1992)."""
    if isinstance(reading, Overlap):
        score = _agreement(reading)
        return score.estimate if score else None
    if not isinstance(reading, Moments) or reading.mean is None:
        return None
    se = math.sqrt((reading.variance or 0.0) / metric.per**2 / reading.n)
    value, slope = metric.judged(reading.mean), metric.slope(reading.mean)
    return Estimate(value=value, se=se * abs(slope), n=reading.n)


def _agreement(overlap: Overlap) -> Agreement | None:
    seen = {name for pair, n in overlap.pairs.items() if n for name in pair}
    classes = {name for name in seen - {OTHER, NO_ANSWER} if _is_meant(name, overlap.key)}
    weights = {"by_answer": overlap.by_answer, "by_label": overlap.by_label}
    return agreement(overlap.pairs, sorted(classes), **weights)


def _share_of(overlap: Overlap) -> Share | None:
    """Precision or recall of one class, which is a plain share."""
    if not overlap.key or (overlap.by_answer and overlap.by_label):
        return None
    place = 0 if overlap.by_answer else 1
    own = {p: n for p, n in overlap.pairs.items() if _is_meant(p[place], overlap.key)}
    return Share(sum(n for pair, n in own.items() if pair[0] == pair[1]), sum(own.values()))


def _is_meant(name: str, key: str) -> bool:
    return not key or (name not in (OTHER, NO_ANSWER) and class_name(name) == key)


def _of_mean(metric: Metric, mean: float | None) -> float | None:
    """In its unit, and with its sign where zero is best."""
    if mean is None or metric.better == "zero":
        return mean
    return metric.judged(mean)


def _mean_limits(metric: Metric, moments: Moments) -> Interval | None:
    """Of what feedback says; a root's are the roots of its mean's."""
    mean, variance = moments.mean, moments.variance
    if metric.needs not in (COVERAGE, VALUE_COVERAGE) or mean is None or variance is None:
        return None
    upper = reference(None if moments.n > _MANY else moments.n - 1)[1]
    low, high = confidence_interval(mean, math.sqrt(variance / moments.n), upper, _ALPHA)
    limits = _of_mean(metric, low), _of_mean(metric, high)
    return _finite((limits[0] or 0.0, limits[1] or 0.0))


def _finite(found: tuple[float, float] | None) -> Interval | None:
    return None if found is None or not all(map(math.isfinite, found)) else (found[0], found[1])
