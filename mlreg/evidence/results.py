"""One metric of one treatment for reading: limits, lift, prospects, and a sentence."""

from __future__ import annotations

import math
from dataclasses import replace

from mlreg.entities.analyses import LookState, MetricResult, MetricRole
from mlreg.entities.experiments import Design, TestMetric
from mlreg.evidence.looks import at_any_time
from mlreg.evidence.seen import Seen, Table, finite
from mlreg.stats.futility import conditional_power, design_drift
from mlreg.stats.lifts import UNDEFINED, Lift, log_lift
from mlreg.stats.looks import Look
from mlreg.stats.multiplicity import benjamini_hochberg
from mlreg.stats.power import ALWAYS_VALID_INFLATION
from mlreg.stats.results import Interval
from mlreg.stats.verdicts import judge


def secondary(design: Design, table: Table) -> tuple[MetricResult, ...]:
    """The metrics that are only shown, adjusted for how many they are."""
    found = [
        result(design, seen, at_any_time(design, seen.evidence), metric, role="secondary")
        for metric in design.secondary
        for seen in table.metrics[metric.name]
    ]
    if not found:
        return ()
    adjusted = benjamini_hochberg([r.p_value for r in found], alpha=design.alpha)
    return tuple(
        replace(r, p_adjusted=p, adjustment=adjusted.method)
        for r, p in zip(found, adjusted.p_values, strict=True)
    )


def result(
    design: Design, seen: Seen, look: Look, metric: TestMetric, *, role: MetricRole
) -> MetricResult:
    """A metric of a treatment."""
    control, treatment = seen.arms
    interval = None if look.ci_lower is None or look.ci_upper is None else Interval(
        look.ci_lower, look.ci_upper)  # fmt: skip
    lift = _lift(seen, look)
    lift_limits = None if lift.low is None or lift.high is None else (lift.low, lift.high)
    is_hidden = design.mode == "fixed" and not look.is_decision_point
    p = None if is_hidden or look.z is None else look.p_value
    se, min_effect = seen.evidence.se, design.min_effect if role == "primary" else None
    verdict = judge(interval, min_effect=min_effect or 0.0, direction=metric.direction)
    return MetricResult(
        metric=metric.name,
        role=role,
        direction=metric.direction,
        unit=metric.unit,
        variant=treatment.variant,
        version=treatment.version,
        method="quantile" if metric.kind == "quantile" else "delta",
        mode=design.mode,
        alpha_used=design.alpha_used,
        level=1 - design.alpha_used,
        control=control,
        treatment=treatment,
        diff=finite(seen.evidence.estimate),
        diff_ci=_limits(interval),
        se=finite(se),
        statistic=None if is_hidden else finite(look.z),
        p_value=p,
        running_min_p=p,
        lift=lift.value,
        lift_ci=lift_limits,
        lift_undefined=_why_no_lift(seen) if lift_limits is None else None,
        design_effect=seen.design_effect,
        look=_state(design, look),
        is_crossed=look.is_crossed,
        conditional_power=_conditional_power(design, look, metric),
        mde_at_n=None if se is None else _to_find(design) * se,
        min_effect=min_effect,
        verdict=str(verdict),
        sentence=described(metric, seen, interval),
        warnings=tuple(dict.fromkeys(look.warnings)),
    )


def _state(design: Design, look: Look) -> LookState:
    t = finite(look.information)
    return LookState(
        k=look.slot,
        of=None if t is None else design.slots,
        t=t,
        boundary=finite(look.boundary),
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
    if seen.averaged.control is None or seen.evidence.z is None:
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


def _to_find(design: Design) -> float:
    """Standard errors that the difference has which an experiment of this mode can find."""
    drift = design_drift(alpha=design.alpha_used, power=design.power)
    inflation = ALWAYS_VALID_INFLATION  # how many times larger than one test at its end
    if design.mde is not None and design.planned_information is not None:
        inflation = design.planned_information * (design.mde / drift) ** 2
    return float(drift * inflation**0.5)


# --- in words -----------------------------------------------------------------------------------


def described(metric: TestMetric, seen: Seen, interval: Interval | None) -> str:
    """Both arms, the difference and its interval."""
    control, treatment = (_show(metric, arm.value) for arm in seen.arms)
    gap = _show(metric, finite(seen.evidence.estimate), signed=True)
    text = f"{metric.name} {control} → {treatment}, difference {gap}"
    limits = _limits(interval)
    if limits is None:
        return f"{text}, no interval yet"
    low, high = (_show(metric, limit, signed=True) for limit in limits)
    return f"{text}, interval {low} to {high}"


def _limits(interval: Interval | None) -> tuple[float, float] | None:
    if interval is None or not all(map(math.isfinite, interval)):
        return None
    return interval.low, interval.high


def _show(metric: TestMetric, value: float | None, *, signed: bool = False) -> str:
    """A value of a metric for people."""
    if value is None:
        return "unknown"
    sign = "+" if signed else ""
    if metric.unit == "share":
        return f"{value * 100:{sign}.2f}" + (" points" if signed else " %")
    return f"{value:{sign}.4g}" + (" ms" if metric.unit == "ms" else "")
