"""What there is to see: each metric of each arm in each phase is evaluated once, into one table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from mlreg.entities.analyses import ArmResult
from mlreg.entities.experiments import Design, TestMetric
from mlreg.evidence.observed import Observed, PhaseSeen
from mlreg.evidence.rarity import rarity
from mlreg.evidence.shapes import scaled, shaped
from mlreg.metrics import coverage_of, find
from mlreg.stats.estimates import Estimate
from mlreg.stats.evidence import MIN_EVENTS, MIN_UNITS, Evidence
from mlreg.stats.joint_moments import JointMoments, moments_of
from mlreg.stats.phases import Averaged, Spread, average_estimates, average_ratios, tie
from mlreg.stats.quantiles import (
    MIN_BEYOND,
    Bucket,
    QuantileEstimate,
    quantile_estimate,
    quantile_of_histogram,
)
from mlreg.stats.ratios import design_effect, ratio_estimate
from mlreg.stats.results import finite
from mlreg.stats.srm import Epoch, sequential_sample_ratio
from mlreg.tallies import Sums, bucket_edges


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A metric of one arm in one phase.

    Attributes:
        value: In the metric's unit; None where nothing is known.
        sums: Over units; None for a quantile that has no cut yet.
        units: Moments of the same.
        effect: How many times users inflate the variance of a share, or of the share beyond a
            quantile's cut; None where that cannot be told.
    """

    value: float | None
    sums: Sums | None
    units: JointMoments
    effect: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileReading(Reading):
    """A quantile of one arm in one phase; `sums` are of the share beyond its cut."""

    quantile: QuantileEstimate


class Seen(NamedTuple):
    """A metric of one treatment against the control, before it is judged."""

    averaged: Averaged
    evidence: Evidence
    design_effect: float | None
    arms: tuple[ArmResult, ArmResult]


class Coverage(NamedTuple):
    """How often something arrived, for each treatment and the control.

    Attributes:
        is_needed: Whether a metric rests on it that has a say in the verdict.
    """

    name: str
    arms: tuple[Averaged, ...]
    is_needed: bool


class Table(NamedTuple):
    """All that gates, guardrails, the metrics and the verdict read.

    Attributes:
        metrics: For each name the metric of each treatment.
        coverages: How often that arrived which the metrics rest on.
        phases: The metric that decides, in each phase of each arm.
        splits: For each phase the p-value of the check that its units were split as was meant.
    """

    metrics: Mapping[str, tuple[Seen, ...]]
    coverages: tuple[Coverage, ...]
    phases: tuple[tuple[float | None, ...], ...]
    splits: tuple[float, ...]


def see(design: Design, observed: Observed) -> Table:
    """Evaluate all that was observed."""
    rests_on = {metric: coverage_of(metric.name) for metric in design.metrics}
    needed = {rests_on[m] for m in (design.metric, *(guard.metric for guard in design.guardrails))}
    shares = {name: _share(name) for name in rests_on.values() if name is not None}
    columns = {
        name: _column(design, observed, metric)
        for name, metric in (shares | {metric.name: metric for metric in design.metrics}).items()
    }
    return Table(
        metrics={metric.name: columns[metric.name].seen for metric in design.metrics},
        coverages=tuple(
            Coverage(name, tuple(s.averaged for s in columns[name].seen), name in needed)
            for name in shares
        ),
        phases=columns[design.metric.name].values,
        splits=tuple(_split(phase) for phase in observed.phases),
    )


def compared(design: Design, observed: Observed, metric: TestMetric) -> tuple[Seen, ...]:
    """A metric of each treatment."""
    return _column(design, observed, metric).seen


def least_units(design: Design) -> int:
    """Units that each arm needs before the first test."""
    return max(MIN_UNITS, design.min_samples)


def least_events(metric: TestMetric) -> int:
    """How often each arm has to expect the rarer outcome before the first test."""
    return MIN_BEYOND if metric.kind == "quantile" else MIN_EVENTS


def events_of(metric: TestMetric, seen: Seen) -> float:
    """How often an arm can expect it; infinity where no outcome is known to be rare."""
    usual = math.inf if metric.kind == "mean" else 0.0
    return usual if seen.averaged.events is None else seen.averaged.events


def _share(name: str) -> TestMetric:
    return TestMetric(name=name, kind="share", direction="up", unit="share")


def _split(phase: PhaseSeen) -> float:
    """Valid at every look at once."""
    epoch = Epoch(phase.units, tuple(float(weight) for weight in phase.weights))
    return sequential_sample_ratio(epoch).p_value


class _Column(NamedTuple):
    """A metric of each treatment, and its values in each phase of each arm."""

    seen: tuple[Seen, ...]
    values: tuple[tuple[float | None, ...], ...]


def _column(design: Design, observed: Observed, metric: TestMetric) -> _Column:
    if metric.kind == "quantile":
        rows, averages = _quantiles(observed, metric, len(design.treatments))
    else:
        rows, averages = _ratios(observed, metric, len(design.treatments))
    values = tuple(tuple(reading.value for reading in row) for row in rows)
    seen = []
    for place, (averaged, effect) in enumerate(averages, start=1):
        arms = [_arm(design, observed, metric, rows, averaged, spot) for spot in (0, place)]
        units, events = least_units(design), least_events(metric)
        evidence = averaged.evidence(min_units=units, min_events=events)
        seen.append(Seen(averaged, evidence, effect, (arms[0], arms[1])))
    return _Column(tuple(seen), values)


def _arm(
    design: Design,
    observed: Observed,
    metric: TestMetric,
    rows: Sequence[Sequence[Reading]],
    averaged: Averaged,
    spot: int,
) -> ArmResult:
    variant = design.variants[spot]
    answers = _answers(observed, metric, spot)
    own = [row[spot].sums for row in rows]
    known = [sums for sums in own if sums is not None]
    estimate = averaged.treatment if spot else averaged.control
    if known:
        units, answered = int(sum(s.n for s in known)), int(sum(s.k for s in known))
    else:
        units, answered = sum(phase.units[spot] for phase in observed.phases), answers
    # Where the arms cannot be compared, an arm's value is that of the newest phase that has one.
    alone = (row[spot].value for row in reversed(rows) if row[spot].value is not None)
    return ArmResult(
        variant=variant.variant,
        version=variant.version,
        n_units=estimate.n if estimate is not None else units,
        n_rows=answered,
        value=finite(estimate.value) if estimate else next(alone, None),
        se=finite(estimate.se) if estimate else None,
        missing_rate=1 - answered / answers if answers else None,
    )


def _answers(observed: Observed, metric: TestMetric, spot: int) -> int:
    """Predictions that the metric could be known of: of labels, those of an age."""
    needs = coverage_of(metric.name) if find(metric.name) else None
    if needs is None or needs not in observed.sums:
        return sum(phase.rows[spot] for phase in observed.phases)
    return int(sum(Sums(*row[spot]).k for row in observed.sums[needs]))


# --- shares and means ---------------------------------------------------------------------------

_Averages = list[tuple[Averaged, float | None]]


def _ratios(
    observed: Observed, metric: TestMetric, treatments: int
) -> tuple[Sequence[Sequence[Reading]], _Averages]:
    """The readings of a share or a mean; each treatment averaged, and the largest design effect."""
    rows = [[_ratio(metric, Sums(*sums)) for sums in row] for row in observed.sums[metric.name]]
    found: _Averages = []
    for place, tied in enumerate(_ties(observed, metric, treatments), start=1):
        pairs = [(row[0], row[place]) for row in rows]
        averaged = average_ratios(
            [(control.units, treatment.units) for control, treatment in pairs],
            is_share=metric.kind == "share",
            clustered=tied,
        )
        known = find(metric.name)  # of a coverage there may be no metric
        averaged = shaped(averaged, known) if known else averaged
        if metric.kind == "mean":
            few = rarity(metric, observed, place)
            averaged = replace(averaged, events=few.events, variance_error=few.error)
        effects = [reading.effect for pair in pairs for reading in pair]
        told = [effect for effect in effects if effect is not None]
        found.append((averaged, max(told, default=None)))
    return rows, found


def _ratio(metric: TestMetric, sums: Sums) -> Reading:
    known, units = find(metric.name), moments_of(sums)
    mean = sums.y / sums.k if sums.k else None
    return Reading(
        value=known.judged(mean) if known and mean is not None else mean,
        sums=sums,
        units=units,
        effect=design_effect(units) if metric.kind == "share" else None,
    )


def _ties(observed: Observed, metric: TestMetric, treatments: int) -> list[Spread | None]:
    """For each treatment the variances that tie phases together; None where nothing does."""
    spreads = observed.spreads.get(metric.name)
    return [Spread(*spread) for spread in spreads] if spreads else [None] * treatments


# --- quantiles of latency -----------------------------------------------------------------------


def _quantiles(
    observed: Observed, metric: TestMetric, treatments: int
) -> tuple[Sequence[Sequence[Reading]], _Averages]:
    """The readings of a quantile; each treatment averaged, and the largest design effect."""
    tails = observed.sums.get(metric.name)
    rows = [
        [
            _quantile(metric, histogram, Sums(*tails[number][spot]) if tails else None)
            for spot, histogram in enumerate(histograms)
        ]
        for number, histograms in enumerate(observed.histograms)
    ]
    if tails is None:  # too few answers yet for a cut
        return rows, [(replace(average_estimates([]), events=0.0), None)] * treatments
    ties = _ties(observed, metric, treatments)
    return rows, [
        _average_quantiles([(row[0], row[place]) for row in rows], tied)
        for place, tied in enumerate(ties, start=1)
    ]


def _quantile(
    metric: TestMetric, histogram: Sequence[tuple[int, int]], sums: Sums | None
) -> QuantileReading:
    buckets = [Bucket(*bucket_edges(bucket), n) for bucket, n in histogram]
    quantile = quantile_of_histogram(buckets, metric.quantile or 0.5)
    units = moments_of(sums or Sums())
    return QuantileReading(
        value=quantile.value,
        sums=sums,
        units=units,
        effect=_inflation(quantile.n, units),
        quantile=quantile,
    )


def _inflation(n: int, tail: JointMoments) -> float | None:
    """The variance of the share beyond the cut over that of independent answers, at least 1."""
    share = ratio_estimate(tail)
    if share.n < 2 or n < 2 or not 0 < share.value < 1:
        return None
    return max(1.0, share.se**2 / (share.value * (1 - share.value) / n))


def _average_quantiles(
    phases: Sequence[tuple[QuantileReading, QuantileReading]], tied: Spread | None
) -> tuple[Averaged, float | None]:
    """A quantile of both arms averaged over the phases, and the largest design effect of an arm.

    The variance of a quantile is that of the share beyond it, divided by the density there (Deng,
    Knoblich & Lu 2018). Users and batches inflate the share beyond a fixed cut near the quantile,
    which is folded by user; the histogram's limits are widened as much.
    """
    pairs: list[tuple[Estimate, Estimate]] = []
    shares: list[tuple[Estimate, Estimate]] = []
    beyond, effects = [0.0, 0.0], [1.0]
    for arms in phases:
        # An arm that is beyond the cut as a whole, or not at all, takes the other one's.
        fallback = max((arm.effect for arm in arms if arm.effect is not None), default=None)
        if fallback is None:
            continue
        found = []
        for side, arm in enumerate(arms):
            effect = arm.effect or fallback
            found.append(replace(quantile_estimate(arm.quantile, effect), n=arm.units.n))
            beyond[side] += arm.quantile.beyond / effect
            effects.append(effect)
        if all(math.isfinite(arm.se) for arm in found):
            pairs.append((found[0], found[1]))
            shares.append((ratio_estimate(arms[0].units), ratio_estimate(arms[1].units)))
    averaged = average_estimates(pairs)
    if tied and pairs:
        averaged = _with_units(scaled(averaged, 1.0, tie(shares, tied)), tied)
    return replace(averaged, events=min(beyond)), max(effects)


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
