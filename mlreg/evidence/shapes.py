"""Averaged arms in the unit and the shape that their metric is compared in."""

from __future__ import annotations

from dataclasses import replace

from mlreg.metrics import Metric
from mlreg.stats.estimates import Estimate
from mlreg.stats.phases import Averaged


def shaped(averaged: Averaged, metric: Metric) -> Averaged:
    """As the metric is shown: a root, a distance from zero, or in another unit."""
    if metric.is_root or metric.better == "zero":
        return _bent(averaged, metric)
    return averaged if metric.per == 1 else scaled(averaged, 1 / metric.per)


def scaled(averaged: Averaged, factor: float, widening: float = 1.0) -> Averaged:
    """In another unit, and with standard errors that are larger by `widening`."""

    def arm(estimate: Estimate | None) -> Estimate | None:
        if estimate is None:
            return None
        se = estimate.se * factor * widening
        return Estimate(value=estimate.value * factor, se=se, n=estimate.n)

    return replace(
        averaged,
        control=arm(averaged.control),
        treatment=arm(averaged.treatment),
        covariance=averaged.covariance * (factor * widening) ** 2,
        null_se=None if averaged.null_se is None else averaged.null_se * factor * widening,
    )


def _bent(averaged: Averaged, metric: Metric) -> Averaged:
    """By the delta method (Oehlert 1992); equal arms lie half-way between the two."""
    control, treatment = averaged.control, averaged.treatment
    if control is None or treatment is None:
        return averaged
    slopes = metric.slope(control.value), metric.slope(treatment.value)
    middle = abs(metric.slope((control.value + treatment.value) / 2))
    arms = [
        replace(arm, value=metric.judged(arm.value), se=arm.se * abs(slope))
        for arm, slope in zip((control, treatment), slopes, strict=True)
    ]
    return replace(
        averaged,
        control=arms[0],
        treatment=arms[1],
        covariance=averaged.covariance * slopes[0] * slopes[1],
        null_se=None if averaged.null_se is None else averaged.null_se * middle,
    )
