"""One metric of one treatment: averaged over the phases, judged by the rule of the mode."""

from __future__ import annotations

import math
from typing import NamedTuple

from mlreg.entities.analyses import ArmResult, LookState, MetricResult, MetricRole
from mlreg.entities.experiments import Design, TestMetric
from mlreg.evidence.observed import Observed, moments
from mlreg.evidence.quantiles import average_quantiles, quantile_in, scaled
from mlreg.stats import always_valid, group_sequential
from mlreg.stats.evidence import MIN_UNITS, Evidence
from mlreg.stats.futility import conditional_power, design_drift
from mlreg.stats.group_sequential import LookPlan
from mlreg.stats.lifts import UNDEFINED, Lift, log_lift
from mlreg.stats.looks import Look
from mlreg.stats.phases import Averaged, Spread, average_ratios
from mlreg.stats.power import ALWAYS_VALID_INFLATION
from mlreg.stats.quantiles import MIN_BEYOND
from mlreg.stats.ratios import design_effect
from mlreg.stats.results import Interval
from mlreg.stats.verdicts import judge
from mlreg.tallies import Sums

_MILLI = 1000.0


class Seen(NamedTuple):
    """A metric of one treatment against the control, before it is judged."""

    averaged: Averaged
    evidence: Evidence
    design_effect: float | None
    arms: tuple[ArmResult, ArmResult]


def see(design: Design, observed: Observed, metric: TestMetric, place: int) -> Seen:
    """The state of a metric for the treatment at a place of the design."""
    effect: float | None
    if metric.kind == "quantile":
        averaged, effect = average_quantiles(observed, metric, place)
        evidence = averaged.evidence(min_units=least_units(design), min_events=MIN_BEYOND)
    else:
        averaged, effect = ratios(observed, metric.name, place, is_share=metric.kind == "share")
        if metric.name == "avg_latency_ms":
            averaged = scaled(averaged, 1 / _MILLI)
        evidence = averaged.evidence(min_units=least_units(design))
    control = _arm(design, observed, metric, averaged, 0)
    treatment = _arm(design, observed, metric, averaged, place)
    return Seen(averaged, evidence, effect, (control, treatment))


def least_units(design: Design) -> int:
    """Units that each arm needs before the first test."""
    return max(MIN_UNITS, design.min_samples)


def ratios(
    observed: Observed, name: str, place: int, *, is_share: bool
) -> tuple[Averaged, float | None]:
    """A measure of both arms averaged over the phases, and the largest design effect of an arm."""
    table = observed.sums[name]
    pairs = [(moments(Sums(*row[0])), moments(Sums(*row[place]))) for row in table]
    spreads = observed.spreads.get(name)
    clustered = Spread(*spreads[place - 1]) if spreads else None
    effects = [design_effect(arm) for pair in pairs for arm in pair] if is_share else []
    known = [effect for effect in effects if effect is not None]
    averaged = average_ratios(pairs, is_share=is_share, clustered=clustered)
    return averaged, max(known, default=None)


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


def at_any_time(
    design: Design, observed: Observed, metric: TestMetric, place: int, *, role: MetricRole
) -> tuple[Seen, MetricResult]:
    """A metric that is shown beside the one that decides, by a rule that holds at every look."""
    seen = see(design, observed, metric, place)
    look = sequential(design, seen.evidence, None, previous_p=1.0)
    return seen, result(design, seen, look, metric, place, role=role)


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
    lift = _lift(seen, look)
    lift_limits = None if lift.low is None or lift.high is None else (lift.low, lift.high)
    is_hidden = design.mode == "fixed" and not look.is_decision_point
    p = None if is_hidden or look.z is None else look.p_value
    se, min_effect = seen.evidence.se, design.min_effect if role == "primary" else None
    verdict = judge(interval, min_effect=min_effect or 0.0, direction=metric.direction)
    to_find = design_drift(alpha=design.alpha_used, power=design.power) * inflation(design) ** 0.5
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
        diff=_finite(seen.evidence.estimate),
        diff_ci=_limits(interval),
        se=_finite(se),
        statistic=None if is_hidden else _finite(look.z),
        p_value=p,
        running_min_p=p,
        lift=lift.value,
        lift_ci=lift_limits,
        lift_undefined=_why_no_lift(seen) if lift_limits is None else None,
        design_effect=seen.design_effect,
        look=_state(design, look),
        is_crossed=look.is_crossed,
        conditional_power=_conditional_power(design, look, metric),
        mde_at_n=None if se is None else to_find * se,
        min_effect=min_effect,
        verdict=str(verdict),
        sentence=described(metric, seen, interval),
        warnings=tuple(dict.fromkeys(look.warnings)),
    )


def _state(design: Design, look: Look) -> LookState:
    t = _finite(look.information)
    return LookState(
        k=look.slot,
        of=None if t is None else design.slots,
        t=t,
        boundary=_finite(look.boundary),
        alpha_spent=look.alpha_spent,
        is_decision_point=look.is_decision_point,
    )


def _lift(seen: Seen, look: Look) -> Lift:
    """The relative difference, with an interval that holds whenever the difference's does."""
    control, treatment, boundary = seen.averaged.control, seen.averaged.treatment, look.boundary
    if control is None or treatment is None or boundary is None or not math.isfinite(boundary):
        return UNDEFINED
    arms = control.value, control.se, treatment.value, treatment.se
    return log_lift(*arms, covariance=seen.averaged.covariance, upper=lambda _: boundary)


def _why_no_lift(seen: Seen) -> str:
    control = seen.averaged.control
    if control is None or seen.evidence.z is None:
        return "there is no test yet"
    return "the control is too close to 0"


def _conditional_power(design: Design, look: Look, metric: TestMetric) -> float | None:
    if look.z is None or look.information is None or design.final_boundary is None:
        return None
    return conditional_power(
        metric.sign * look.z,
        look.information,
        z_final=design.final_boundary,
        drift=(design.mde or 0.0) * math.sqrt(design.planned_information or 0.0),
    )


def inflation(design: Design) -> float:
    """How many times larger the mode makes an experiment than one test at its end."""
    if design.mde is None or design.planned_information is None:
        return ALWAYS_VALID_INFLATION
    drift = design_drift(alpha=design.alpha_used, power=design.power)
    return design.planned_information * (design.mde / drift) ** 2


def _arm(
    design: Design,
    observed: Observed,
    metric: TestMetric,
    averaged: Averaged,
    spot: int,
) -> ArmResult:
    variant, phases = design.variants[spot], observed.phases
    rows = sum(phase.rows[spot] for phase in phases)
    table = observed.sums.get(metric.name)
    estimate = averaged.treatment if spot else averaged.control
    if table is None:
        units, known = sum(phase.units[spot] for phase in phases), rows
    else:
        own = [Sums(*row[spot]) for row in table]
        units, known = int(sum(s.n for s in own)), int(sum(s.k for s in own))
    if estimate is not None:
        units = estimate.n
    return ArmResult(
        variant=variant.variant,
        version=variant.version,
        n_units=units,
        n_rows=known,
        value=_finite(estimate.value) if estimate else _alone(observed, metric, spot),
        se=_finite(estimate.se) if estimate else None,
        missing_rate=1 - known / rows if rows else None,
    )


def _alone(observed: Observed, metric: TestMetric, spot: int) -> float | None:
    """An arm's value where the arms cannot be compared, as of the newest phase that has one."""
    values = [
        phase_values(observed, metric, number)[spot] for number in range(len(observed.phases))
    ]
    return next((value for value in reversed(values) if value is not None), None)


def phase_values(observed: Observed, metric: TestMetric, number: int) -> tuple[float | None, ...]:
    """The metric of each arm in one phase, without its uncertainty."""
    if metric.kind == "quantile":
        histograms = observed.histograms[number]
        return tuple(quantile_in(histogram, metric.quantile or 0.5) for histogram in histograms)
    scale = _MILLI if metric.name == "avg_latency_ms" else 1.0
    arms = [Sums(*arm) for arm in observed.sums[metric.name][number]]
    return tuple(arm.y / arm.k / scale if arm.k else None for arm in arms)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _limits(interval: Interval | None) -> tuple[float, float] | None:
    if interval is None or not all(map(math.isfinite, interval)):
        return None
    return interval.low, interval.high


def described(metric: TestMetric, seen: Seen, interval: Interval | None) -> str:
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
