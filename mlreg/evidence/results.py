"""One metric of one treatment for reading: limits, lift, prospects, and a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from mlreg.entities.analyses import LookState, MetricResult, MetricRole
from mlreg.entities.experiments import Design, TestMetric
from mlreg.entities.looks import Limits
from mlreg.evidence.looks import Trial
from mlreg.evidence.seen import Seen, Table
from mlreg.metrics import coverage_of, is_fed_back
from mlreg.stats import always_valid
from mlreg.stats.futility import conditional_power, design_drift
from mlreg.stats.lifts import UNDEFINED, Lift, log_lift
from mlreg.stats.looks import Look, limits_at, reach
from mlreg.stats.multiplicity import benjamini_hochberg
from mlreg.stats.power import ALWAYS_VALID_INFLATION
from mlreg.stats.results import Interval, finite
from mlreg.stats.verdicts import judge


class _Shown(NamedTuple):
    """What may be told of a look.

    Attributes:
        limits: The interval.
        reach: The boundary of what is known now, for the relative difference.
        is_readable: Whether the p-value is.
        of_look: The earlier look that the interval is of; None if it is of this one.
    """

    limits: Limits | None
    reach: float | None
    is_readable: bool = True
    of_look: int | None = None


def primary(design: Design, seen: Seen, trial: Trial) -> MetricResult:
    """The metric that decides, as the rule of the mode sees it."""
    shown = _Shown(trial.limits, trial.reach, trial.is_readable, trial.is_shown_of)
    result = _result(design, seen, trial.look, design.metric, role="primary", shown=shown)
    return replace(result, tipping_point=_tipping_point(design.metric, result))


def _tipping_point(metric: TestMetric, result: MetricResult) -> float | None:
    """What would have to be true of missing labels to undo a gain (Liublinska & Rubin 2014)."""
    missing, limits = result.treatment.missing_rate, result.diff_ci
    if not missing or limits is None or not is_fed_back(coverage_of(metric.name) or ""):
        return None
    surely = limits[0] if metric.sign > 0 else -limits[1]
    point = surely / missing
    return point if point > 0 and (metric.unit != "share" or point <= 1) else None


def secondary(design: Design, table: Table) -> tuple[MetricResult, ...]:
    """The metrics that are only shown, adjusted for how many they are."""
    found = at_any_time(design, table, design.secondary, role="secondary")
    if not found:
        return ()
    adjusted = benjamini_hochberg([r.p_value for r in found], alpha=design.alpha)
    return tuple(
        replace(r, p_adjusted=p, adjustment=adjusted.method)
        for r, p in zip(found, adjusted.p_values, strict=True)
    )


def at_any_time(
    design: Design, table: Table, metrics: Iterable[TestMetric], *, role: MetricRole
) -> list[MetricResult]:
    """Metrics that are shown beside the one that decides, each for each treatment.

    They are judged by a rule that holds at every look.
    """
    alpha, tuning = design.alpha_used, design.tuning_units
    found = []
    for metric in metrics:
        for seen in table.metrics[metric.name]:
            look = always_valid.look(seen.evidence, tuning_n=tuning, alpha=alpha)
            limits = limits_at(seen.evidence, look.boundary)
            shown = _Shown(_limits(limits), look.boundary)
            found.append(_result(design, seen, look, metric, role=role, shown=shown))
    return found


def _result(
    design: Design, seen: Seen, look: Look, metric: TestMetric, *, role: MetricRole, shown: _Shown
) -> MetricResult:
    control, treatment = seen.arms
    interval = Interval(*shown.limits) if shown.limits else None
    sentence = described(metric, seen, interval, of_look=shown.of_look)
    no_lift = _why_no_lift(seen)
    is_hidden = design.mode == "fixed" and not look.is_decision_point
    p = None if is_hidden or look.z is None or not shown.is_readable else look.p_value
    min_effect = design.min_effect if role == "primary" else None
    prospects, lift = _prospects(design, seen, look, metric), _lift(seen, shown.reach)
    lift_limits = None if lift.low is None or lift.high is None else (lift.low, lift.high)
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
        diff_ci=shown.limits,
        se=finite(seen.evidence.se),
        statistic=None if is_hidden else finite(look.z),
        p_value=p,
        running_min_p=p,
        lift=lift.value,
        lift_ci=lift_limits,
        lift_undefined=no_lift if lift_limits is None else None,
        design_effect=seen.design_effect,
        look=_state(design, look),
        is_crossed=look.is_crossed,
        conditional_power=prospects.power,
        mde_at_n=prospects.mde,
        min_effect=min_effect,
        verdict=str(verdict),
        sentence=sentence,
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


def _lift(seen: Seen, boundary: float | None) -> Lift:
    """The relative difference, with an interval that holds whenever the difference's does."""
    control, treatment = seen.averaged.control, seen.averaged.treatment
    if control is None or treatment is None or boundary is None or not math.isfinite(boundary):
        return UNDEFINED
    arms, df = (control.value, control.se, treatment.value, treatment.se), seen.evidence.df
    return log_lift(*arms, covariance=seen.averaged.covariance, upper=lambda _: reach(boundary, df))


def _why_no_lift(seen: Seen) -> str:
    if seen.averaged.control is None or seen.evidence.z is None:
        return "there is no test yet"
    return "the control is too close to 0"


class _Prospects(NamedTuple):
    """The chance that the test still ends with a win, and what the present size could find."""

    power: float | None
    mde: float | None


def _prospects(design: Design, seen: Seen, look: Look, metric: TestMetric) -> _Prospects:
    planned, se = design.planned_information, seen.evidence.se
    drift, power, found = design_drift(alpha=design.alpha_used, power=design.power), None, None
    if look.z is not None and look.information is not None and design.final_boundary is not None:
        power = conditional_power(
            metric.sign * look.z,
            look.information,
            z_final=design.final_boundary,
            drift=(design.mde or 0.0) * math.sqrt(planned or 0.0),
        )
    if se is not None:
        inflation = ALWAYS_VALID_INFLATION  # how many times larger than one test at its end
        if design.mde is not None and planned is not None:
            inflation = planned / design.oversize * (design.mde / drift) ** 2
        found = drift * inflation**0.5 * se
    return _Prospects(power, found)


# --- in words -----------------------------------------------------------------------------------


def described(
    metric: TestMetric, seen: Seen, interval: Interval | None, *, of_look: int | None = None
) -> str:
    """Both arms, the difference and its interval, which may be that of an earlier look."""
    control, treatment = (show(metric, arm.value) for arm in seen.arms)
    gap = show(metric, finite(seen.evidence.estimate), signed=True)
    text = f"{metric.name} {control} → {treatment}, difference {gap}"
    limits = _limits(interval)
    if limits is None:
        return f"{text}, too little data for an interval"
    low, high = (show(metric, limit, signed=True) for limit in limits)
    of_that = "" if of_look is None else f" of look {of_look}"
    return f"{text}, interval{of_that} {low} to {high}"


def _limits(interval: Interval | None) -> tuple[float, float] | None:
    if interval is None or not all(map(math.isfinite, interval)):
        return None
    return interval.low, interval.high


def show(metric: TestMetric, value: float | None, *, signed: bool = False) -> str:
    """A value of a metric for people."""
    if value is None:
        return "unknown"
    sign = "+" if signed else ""
    if metric.unit == "share":
        return f"{value * 100:{sign}.2f}" + (" points" if signed else " %")
    return f"{value:{sign}.4g}" + (" ms" if metric.unit == "ms" else "")
