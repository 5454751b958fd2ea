"""Latency quantiles of two arms: from histograms, with the spread that users and batches cause."""

from __future__ import annotations

import math
from dataclasses import replace

from mlreg.entities.experiments import TestMetric
from mlreg.evidence.observed import Observed, moments
from mlreg.evidence.shapes import scaled
from mlreg.stats.estimates import Estimate
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.phases import Averaged, Spread, average_estimates, tie
from mlreg.stats.quantiles import Bucket, quantile_estimate, quantile_of_histogram
from mlreg.stats.ratios import ratio_estimate
from mlreg.tallies import Sums, bucket_edges


def average_quantiles(
    observed: Observed, metric: TestMetric, place: int
) -> tuple[Averaged, float | None]:
    """A quantile of both arms averaged over the phases, and the largest design effect of an arm.

    The variance of a quantile is that of the share beyond it, divided by the density there (Deng,
    Knoblich & Lu 2018). Users and batches inflate the share beyond a fixed cut near the quantile,
    which is folded by user; the histogram's limits are widened as much.
    """
    q, tails = metric.quantile or 0.5, observed.sums.get(metric.name)
    if tails is None:  # too few answers yet for a cut
        return replace(average_estimates([]), events=0.0), None
    pairs: list[tuple[Estimate, Estimate]] = []
    shares: list[tuple[Estimate, Estimate]] = []
    beyond, effects = [0.0, 0.0], [1.0]
    for histograms, row in zip(observed.histograms, tails, strict=True):
        arms = [(_buckets(histograms[spot]), moments(Sums(*row[spot]))) for spot in (0, place)]
        known = [_inflation(buckets, tail) for buckets, tail in arms]
        # An arm that is beyond the cut as a whole, or not at all, takes the other one's.
        fallback = max((effect for effect in known if effect is not None), default=None)
        if fallback is None:
            continue
        found = []
        for side, (buckets, tail) in enumerate(arms):
            effect = known[side] or fallback
            estimate = quantile_of_histogram(buckets, q)
            found.append(replace(quantile_estimate(estimate, effect), n=tail.n))
            beyond[side] += estimate.beyond / effect
            effects.append(effect)
        if all(math.isfinite(arm.se) for arm in found):
            pairs.append((found[0], found[1]))
            shares.append((ratio_estimate(arms[0][1]), ratio_estimate(arms[1][1])))
    averaged, spreads = average_estimates(pairs), observed.spreads.get(metric.name)
    if spreads and pairs:
        tied = Spread(*spreads[place - 1])
        averaged = _with_units(scaled(averaged, 1.0, tie(shares, tied)), tied)
    return replace(averaged, events=min(beyond)), max(effects)


def quantile_in(histogram: tuple[tuple[int, int], ...], q: float) -> float | None:
    """A quantile of one histogram in milliseconds."""
    return quantile_of_histogram(_buckets(histogram), q).value


def _with_units(averaged: Averaged, tied: Spread) -> Averaged:
    """Count users who come back in several phases once."""
    control, treatment = averaged.control, averaged.treatment
    if control is None or treatment is None or not (tied.n_control and tied.n_treatment):
        return averaged
    return replace(
        averaged,
        control=replace(control, n=tied.n_control),
        treatment=replace(treatment, n=tied.n_treatment),
    )


def _buckets(histogram: tuple[tuple[int, int], ...]) -> list[Bucket]:
    return [Bucket(*bucket_edges(bucket), n) for bucket, n in histogram]


def _inflation(buckets: list[Bucket], tail: JointMoments) -> float | None:
    """The variance of the share beyond the cut over that of independent answers, at least 1."""
    share, n = ratio_estimate(tail), sum(bucket.n for bucket in buckets)
    if share.n < 2 or n < 2 or not 0 < share.value < 1:
        return None
    return max(1.0, share.se**2 / (share.value * (1 - share.value) / n))
