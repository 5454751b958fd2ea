"""Guardrails: whether a treatment keeps what it must not break, shown and not just unrefuted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest

from mlreg.entities.analyses import MetricResult
from mlreg.entities.experiments import Design, Guardrail, TestMetric
from mlreg.errors import InvalidInput
from mlreg.evidence.grammar import parse
from mlreg.evidence.looks import Stage, Trial
from mlreg.evidence.results import at_any_time, described, show
from mlreg.evidence.seen import Seen, Table
from mlreg.names import safe
from mlreg.stats import always_valid
from mlreg.stats.distributions import student_as_normal
from mlreg.stats.estimates import Estimate
from mlreg.stats.evidence import MIN_UNITS
from mlreg.stats.looks import reach
from mlreg.stats.noninferiority import ALPHA as KEPT_ALPHA
from mlreg.stats.noninferiority import restricted_rates
from mlreg.stats.phases import Averaged, Contrast
from mlreg.stats.results import Interval

HARM_ALPHA = 0.01

_REFUSED = {
    **dict.fromkeys(("<", ">"), "a margin is <= or >="),
    **dict.fromkeys(("within", "outside"), "a margin has one side: like <= +10%"),
    **dict.fromkeys(
        ("previous", "yesterday", "last-week", "training"),
        "a treatment is compared with the control: like <= baseline + 10%",
    ),
    "over": "a guardrail is about the whole of the test",
    "min": "each arm needs --min-samples before anything is tested",
    "sure": "a guardrail is always kept by evidence that is sure",
    "for": "a guardrail that is seen to break stays broken",
}
_WORDS = {True: "kept", False: "broken", None: "not shown"}


def parse_guardrail(text: str, metric_of: Callable[[str], TestMetric]) -> Guardrail:
    """Read `p95_latency_ms <= +10%`, `error_rate <= baseline + 1pt` or `avg_latency_ms <= 250`.

    The baseline is the control; without it the bound limits the treatment's own value.

    Raises:
        InvalidInput: It is none of these, or it would forbid an improvement.
    """
    found = parse(text, lookup=metric_of, is_short=True, refused=_REFUSED, what="guardrail")
    metric, sign, bound = metric_of(found.metric), found.sign, found.amount
    if (sign == "<=") is not (metric.direction == "down"):
        word = "lower" if metric.direction == "down" else "higher"
        name = safe(found.metric)
        raise InvalidInput(f"{safe(text)} guards the wrong side: {name} is better when {word}")
    if found.kind != "limit" and (bound <= 0 if sign == "<=" else bound >= 0):
        raise InvalidInput(
            f"{safe(text)} leaves no margin, and no sample could ever keep it",
            hint="write the loss that can be borne, like <= +10% or >= -1%",
        )
    if found.kind == "limit" and metric.unit == "share" and not 0 < bound < 1:
        raise InvalidInput(
            f"{safe(text)} can never be broken, or never be kept",
            hint="a share lies between 0 and 1: error_rate <= 0.02, or <= +1% of the control's",
        )
    return Guardrail(
        text=" ".join(text.split()),
        metric=metric,
        sign="<=" if sign == "<=" else ">=",
        kind=found.kind,
        bound=bound,
    )


def guardrails(design: Design, table: Table, stage: Stage) -> tuple[MetricResult, ...]:
    """Each guardrail for each treatment."""
    metrics = [guardrail.metric for guardrail in design.guardrails]
    shown = at_any_time(design, table, metrics, role="guardrail")
    pairs = [
        (guard, seen, trial)
        for guard in design.guardrails
        for seen, trial in zip(table.metrics[guard.metric.name], stage.trials, strict=True)
    ]
    before = stage.last.kept[: len(pairs)] if stage.last is not None else ()
    return tuple(
        _guarded(design, guard, seen, trial, earlier=earlier, shown=found)
        for (guard, seen, trial), found, earlier in zip_longest(pairs, shown, before)
    )


def _guarded(
    design: Design,
    guardrail: Guardrail,
    seen: Seen,
    trial: Trial,
    *,
    earlier: bool | None,
    shown: MetricResult,
) -> MetricResult:
    """A guardrail of one treatment, whose last answer was `earlier`."""
    boundary, n, tuning = trial.margin, seen.evidence.n, design.tuning_units
    harm = always_valid.one_sided_boundary(n, tuning_n=tuning, alpha=HARM_ALPHA)
    if boundary is None:
        boundary = always_valid.one_sided_boundary(n, tuning_n=tuning, alpha=KEPT_ALPHA)
    kept = _is_kept(guardrail, seen, trial, earlier=earlier, boundary=boundary, harm=harm)
    if shown.diff is not None and shown.se and math.isfinite(boundary):
        half = reach(boundary, seen.evidence.df) * shown.se
        interval = Interval(shown.diff - half, shown.diff + half)
        shown = replace(
            shown,
            diff_ci=(interval.low, interval.high),
            level=1 - 2 * KEPT_ALPHA,
            look=replace(shown.look, boundary=boundary),
            sentence=described(guardrail.metric, seen, interval),
        )
    return replace(
        shown,
        margin=guardrail.text,
        passed=kept,
        sentence=f"{guardrail.text}: {_WORDS[kept]} ({shown.sentence}{_limit(guardrail, seen)})",
    )


def _limit(guardrail: Guardrail, seen: Seen) -> str:
    """What the margin comes to beside the control's value, where it says no number itself."""
    control = seen.arms[0].value
    if control is None or guardrail.kind == "limit":
        return ""
    return f", limit {show(guardrail.metric, limit_beside(guardrail, control))}"


def limit_beside(guardrail: Guardrail, control: float) -> float:
    """The worst value of a treatment that keeps a margin beside a control."""
    if guardrail.kind == "limit":
        return guardrail.bound
    part = guardrail.bound * control if guardrail.kind == "relative" else guardrail.bound
    return control + part


def _is_kept(
    guardrail: Guardrail,
    seen: Seen,
    trial: Trial,
    *,
    earlier: bool | None,
    boundary: float,
    harm: float,
) -> bool | None:
    """Whether a guardrail is kept (True), broken (False) or not known (None).

    Kept: the treatment is on the right side of the margin at a one-sided 2.5 %. Broken: on the
    wrong side at 1 %; a recorded break stands. Both hold at every look at once. With a plan of
    looks the first is asked only at those that count; between them, and after the last of all, the
    last one's answer stands until a break is seen.
    """
    if earlier is False:
        return False
    z = _distance(seen, guardrail)
    if z is None or min(arm.n_units for arm in seen.arms) < MIN_UNITS:
        return earlier
    if -z >= harm:
        return False
    if not trial.is_decision_point:
        return earlier
    is_shown = z >= boundary
    if trial.plan is None:  # shown at one moment is shown for good
        return earlier or is_shown or None
    return is_shown or None


def _distance(seen: Seen, guardrail: Guardrail) -> float | None:
    """Standard errors between the treatment and the margin, above 0 on the right side of it.

    The standard error is the one at the margin, as in Farrington & Manning's test: an arm that has
    not met its rare events, or its outliers, would else look surer than it is. It is never smaller
    than that of the interval that is shown, so that the two cannot contradict each other.
    """
    averaged = seen.averaged
    found = (_share_gap if guardrail.metric.kind == "share" else _gap)(averaged, guardrail)
    if found is None:
        return None
    shown = (seen.evidence.se or 0.0) if guardrail.kind != "limit" else 0.0
    se = max(found.se, shown)
    if not (math.isfinite(found.value) and math.isfinite(se) and se > 0):
        return None
    t = (found.value if guardrail.sign == ">=" else -found.value) / se
    return t if averaged.df is None else student_as_normal(t, averaged.df)


def _gap(averaged: Averaged, guardrail: Guardrail) -> Contrast | None:
    """By how much a mean or a quantile of the treatment exceeds the margin."""
    treatment = averaged.treatment
    if treatment is None:
        return None
    if guardrail.kind == "limit":
        return Contrast(treatment.value - guardrail.bound, treatment.se * averaged.doubt)
    at_margin = averaged.contrast(1 + guardrail.bound if guardrail.kind == "relative" else 1.0)
    if at_margin is None:
        return None
    tolerated = guardrail.bound if guardrail.kind == "absolute" else 0.0
    return Contrast(at_margin.value - tolerated, at_margin.se * averaged.doubt)


def _share_gap(averaged: Averaged, guardrail: Guardrail) -> Contrast | None:
    """By how much a share exceeds the margin, with the error of the rates that this implies."""
    control, treatment = averaged.control, averaged.treatment
    if control is None or treatment is None:
        return None
    n_c, n_t = _independent(control, treatment)
    return rate_gap(guardrail, (control.value, n_c), (treatment.value, n_t))


def rate_gap(
    guardrail: Guardrail, control: tuple[float, float], treatment: tuple[float, float]
) -> Contrast:
    """By how much a rate exceeds the margin, and the error of that if it lay there.

    Args:
        guardrail: Of a share.
        control: Its rate, and how many independent predictions know it as well.
        treatment: The same of the treatment.
    """
    (rate_c, n_c), (rate_t, n_t), bound = control, treatment, guardrail.bound
    if guardrail.kind == "limit":
        return Contrast(rate_t - bound, math.sqrt(_variance(bound, n_t)))
    if guardrail.kind == "absolute":
        at_c, at_t = restricted_rates(rate_c * n_c, n_c, rate_t * n_t, n_t, bound)
        return Contrast(
            rate_t - rate_c - bound, math.sqrt(_variance(at_c, n_c) + _variance(at_t, n_t))
        )
    factor = 1 + bound
    base = min(1.0, (rate_c * n_c + rate_t * n_t) / (n_c + factor * n_t))
    # Where nothing has happened yet there is nothing to take a part of: the error is then 0.
    variance = _variance(min(1.0, factor * base), n_t) + factor**2 * _variance(base, n_c)
    return Contrast(rate_t - factor * rate_c, math.sqrt(variance))


def _variance(rate: float, n: float) -> float:
    return rate * (1 - rate) / n


def _independent(*arms: Estimate) -> tuple[float, ...]:
    """How many independent predictions would know each arm's rate as well.

    Both are held to the arm whose units cluster the most: the other one may not have met its users
    who fail often. Of an arm without any event nothing is known; each unit then counts as one.
    """
    parts = []
    for arm in arms:
        variance = arm.value * (1 - arm.value)
        is_known = variance > 0 and arm.se > 0
        parts.append(variance / arm.se**2 / arm.n if is_known else 1.0)
    return tuple(arm.n * min(parts) for arm in arms)
