"""One metric of one treatment: averaged over the phases, judged by the rule of the mode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlreg.entities.experiments import (
    ArmResult,
    Design,
    Guardrail,
    MetricResult,
    MetricRole,
    TestMetric,
)
from mlreg.services.experiments.observing import Observed, moments
from mlreg.stats import always_valid, group_sequential
from mlreg.stats.distributions import normal_upper
from mlreg.stats.estimates import Estimate
from mlreg.stats.evidence import Evidence
from mlreg.stats.futility import conditional_power, design_drift
from mlreg.stats.group_sequential import LookPlan
from mlreg.stats.lifts import log_lift
from mlreg.stats.looks import Look
from mlreg.stats.noninferiority import ALPHA as GUARDRAIL_ALPHA
from mlreg.stats.phases import Averaged, Spread, average_estimates, average_ratios
from mlreg.stats.quantiles import Bucket, quantile_estimate, quantile_of_histogram
from mlreg.stats.ratios import design_effect
from mlreg.stats.results import Interval
from mlreg.stats.verdicts import judge, orient
from mlreg.store.experiment_units import Sums
from mlreg.tallies import bucket_edges

_MILLI = 1000.0


class Seen(NamedTuple):
    """A metric of one treatment against the control, before it is judged."""

    averaged: Averaged
    evidence: Evidence
    design_effect: float | None
    arms: tuple[ArmResult, ArmResult]


def see(design: Design, observed: Observed, metric: TestMetric, place: int) -> Seen:
    """The state of a metric for the treatment at a place of the design."""
    name = "avg_latency_ms" if metric.kind == "quantile" else metric.name
    table = observed.sums[name]
    pairs = [(moments(Sums(*row[0])), moments(Sums(*row[place]))) for row in table]
    spreads = observed.spreads.get(name)
    clustered = Spread(*spreads[place - 1]) if spreads else None
    averaged = average_ratios(pairs, is_share=metric.kind == "share", clustered=clustered)
    if metric.kind == "quantile":
        averaged = _quantiles(observed, metric.quantile or 0.5, place)
    elif name == "avg_latency_ms":
        averaged = _scaled(averaged, 1 / _MILLI)
    evidence = averaged.evidence(min_units=max(100, design.min_samples))
    effects = (
        [design_effect(arm) for pair in pairs for arm in pair] if metric.kind == "share" else []
    )
    known = [effect for effect in effects if effect is not None]
    arms = tuple(
        _arm(design, observed, averaged, table, side, spot) for side, spot in ((0, 0), (1, place))
    )
    return Seen(averaged, evidence, max(known, default=None), (arms[0], arms[1]))


def sequential(
    design: Design, evidence: Evidence, plan: LookPlan | None, *, previous_p: float
) -> Look:
    """The rule of the mode at this moment."""
    if plan is None:
        return always_valid.look(
            evidence,
            tuning_n=design.tuning_units,
            alpha=design.alpha_used,
            previous_p=previous_p,
        )
    return group_sequential.look(evidence, plan, previous_p=previous_p)


def result(
    design: Design,
    seen: Seen,
    look: Look,
    metric: TestMetric,
    place: int,
    *,
    role: MetricRole,
) -> MetricResult:
    """A metric for reading."""
    variant = design.variants[place]
    interval = None if look.ci_lower is None or look.ci_upper is None else Interval(
        look.ci_lower, look.ci_upper)  # fmt: skip
    control, treatment = seen.averaged.control, seen.averaged.treatment
    lift = None
    if control and treatment and look.boundary and math.isfinite(look.boundary):
        lift = log_lift(
            control.value, control.se, treatment.value, treatment.se,
            upper=normal_upper, alpha=design.alpha_used,
        )  # fmt: skip
    is_hidden = design.mode == "fixed" and not look.is_decision_point
    se = seen.evidence.se
    verdict = judge(interval, min_effect=design.min_effect or 0.0, direction=metric.direction)
    return MetricResult(
        metric=metric.name,
        role=role,
        direction=metric.direction,
        unit=metric.unit,
        variant=variant.variant,
        version=variant.version,
        method="quantile" if metric.kind == "quantile" else "delta",
        mode=design.mode,
        alpha_used=design.alpha_used,
        level=1 - design.alpha_used,
        control=seen.arms[0],
        treatment=seen.arms[1],
        difference=_finite(seen.evidence.estimate),
        difference_ci=_limits(interval),
        se=_finite(se),
        statistic=None if is_hidden else _finite(look.z),
        p_value=None if is_hidden or look.z is None else look.p_value,
        lift=lift.value if lift else None,
        lift_ci=(lift.low, lift.high)
        if lift and lift.low is not None and lift.high is not None
        else None,
        lift_undefined=None if lift and lift.low is not None else "the control is too close to 0",
        design_effect=seen.design_effect,
        boundary=_finite(look.boundary),
        information=_finite(look.information),
        alpha_spent=look.alpha_spent,
        is_crossed=look.is_crossed,
        conditional_power=_conditional_power(design, look, metric),
        mde_at_n=None
        if se is None
        else design_drift(alpha=design.alpha_used, power=design.power) * se,
        min_effect=design.min_effect if role == "primary" else None,
        verdict=str(verdict),
        sentence=_sentence(metric, seen, interval),
        warnings=tuple(dict.fromkeys(look.warnings)),
    )


def guard(
    design: Design, seen: Seen, guardrail: Guardrail, plan: LookPlan | None
) -> tuple[bool | None, Interval | None]:
    """Whether a guardrail is kept (True), broken (False) or not known (None), and the bounds.

    Kept: the one-sided bound at 2.5 % stays within the margin. Broken: the bound at 1 % is beyond
    it. Both hold at every look at once.
    """
    averaged = seen.averaged
    relative = 1 + guardrail.bound if guardrail.kind == "relative" else 1.0
    contrast = averaged.contrast(relative)
    if contrast is None or averaged.treatment is None or seen.evidence.n == 0:
        return None, None
    value, se = contrast
    if guardrail.kind == "absolute":
        value -= guardrail.bound
    elif guardrail.kind == "limit":
        value, se = averaged.treatment.value - guardrail.bound, averaged.treatment.se
    few = min(arm.n_units for arm in seen.arms) < 100
    if few or not (math.isfinite(value) and math.isfinite(se)) or se <= 0:
        return None, None
    n = seen.evidence.n
    half = se * always_valid.one_sided_boundary(
        n, tuning_n=design.tuning_units, alpha=GUARDRAIL_ALPHA
    )
    if plan is not None and plan.boundary is not None and math.isfinite(plan.boundary):
        half = se * max(plan.boundary, normal_upper(GUARDRAIL_ALPHA))
    harm = se * always_valid.one_sided_boundary(n, tuning_n=design.tuning_units, alpha=0.01)
    bounds = orient(
        Interval(value - half, value + half), "up" if guardrail.sign == ">=" else "down"
    )
    worst = orient(Interval(value - harm, value + harm), "up" if guardrail.sign == ">=" else "down")
    if bounds.low > 0:
        return True, bounds
    return (False if worst.high < 0 else None), bounds


def _conditional_power(design: Design, look: Look, metric: TestMetric) -> float | None:
    if look.z is None or look.information is None or design.mode != "group-sequential":
        return None
    sign = 1 if metric.direction == "up" else -1
    return conditional_power(
        sign * look.z,
        look.information,
        z_final=normal_upper(design.alpha_used / 2),
        drift=design_drift(alpha=design.alpha_used, power=design.power),
    )


def _quantiles(observed: Observed, quantile: float, place: int) -> Averaged:
    pairs = []
    for histograms, row in zip(observed.histograms, observed.sums["avg_latency_ms"], strict=True):
        estimates = []
        for spot in (0, place):
            buckets = [Bucket(*bucket_edges(b), n) for b, n in histograms[spot]]
            found = quantile_of_histogram(buckets, quantile)
            effect = _clustering(buckets, Sums(*row[spot]))
            estimates.append(quantile_estimate(found, effect))
        pairs.append((estimates[0], estimates[1]))
    usable = [p for p in pairs if all(math.isfinite(e.se) for e in p)]
    return average_estimates(usable)


def _clustering(buckets: Sequence[Bucket], sums: Sums) -> float:
    """How many times users inflate the variance of the mean latency: a stand-in for quantiles."""
    units = moments(sums)
    n = sum(bucket.n for bucket in buckets)
    if units.n < 2 or n < 2 or not units.x.mean:
        return 1.0
    rate = units.y.mean / units.x.mean
    mean = rate / _MILLI
    variance = sum(b.n * ((b.lower + b.upper) / 2 - mean) ** 2 for b in buckets) / n
    if variance <= 0:
        return 1.0
    clustered = units.combined_variance(rate) / units.n / units.x.mean**2 / _MILLI**2
    return max(1.0, clustered / (variance / n))


def _scaled(averaged: Averaged, factor: float) -> Averaged:
    def scaled(estimate: Estimate | None) -> Estimate | None:
        if estimate is None:
            return None
        return Estimate(value=estimate.value * factor, se=estimate.se * factor, n=estimate.n)

    return Averaged(
        control=scaled(averaged.control),
        treatment=scaled(averaged.treatment),
        covariance=averaged.covariance * factor * factor,
        null_se=averaged.null_se,
        weights=averaged.weights,
        events=averaged.events,
        warnings=averaged.warnings,
    )


def _arm(
    design: Design,
    observed: Observed,
    averaged: Averaged,
    table: tuple[tuple[tuple[float, ...], ...], ...],
    side: int,
    spot: int,
) -> ArmResult:
    own = [Sums(*row[spot]) for row in table]
    known, rows = sum(s.k for s in own), sum(phase.rows[spot] for phase in observed.phases)
    estimate = (averaged.control, averaged.treatment)[side]
    return ArmResult(
        variant=design.variants[spot].variant,
        version=design.variants[spot].version,
        n_units=int(sum(s.n for s in own)),
        n_rows=int(known),
        value=_finite(estimate.value) if estimate else None,
        se=_finite(estimate.se) if estimate else None,
        missing_rate=1 - known / rows if rows else None,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _limits(interval: Interval | None) -> tuple[float, float] | None:
    if interval is None or not all(map(math.isfinite, interval)):
        return None
    return interval.low, interval.high


def _sentence(metric: TestMetric, seen: Seen, interval: Interval | None) -> str:
    control, treatment = (show(metric, arm.value) for arm in seen.arms)
    gap = show(metric, _finite(seen.evidence.estimate), signed=True)
    text = f"{metric.name} {control} → {treatment}, difference {gap}"
    limits = _limits(interval)
    if limits is None:
        return f"{text}, no interval yet"
    low, high = (show(metric, limit, signed=True) for limit in limits)
    return f"{text}, interval {low} to {high}"


def show(metric: TestMetric, value: float | None, *, signed: bool = False) -> str:
    """A value of a metric for people."""
    if value is None:
        return "unknown"
    sign = "+" if signed else ""
    if metric.unit == "share":
        return f"{value * 100:{sign}.2f}" + (" points" if signed else " %")
    return f"{value:{sign}.4g}" + (" ms" if metric.unit == "ms" else "")
