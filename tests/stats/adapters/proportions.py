"""Adapters for rates: intervals, tests, lifts and non-inferiority."""

import math

from mlreg.stats import codes, exact, lifts, noninferiority, proportions
from mlreg.stats.distributions import normal_tail
from tests.stats.adapters.common import (
    Inputs,
    Report,
    adapts,
    alpha_of,
    counts,
    delta_lift,
    interval,
    mean_estimates,
    rates,
)


@adapts("two_proportion_z")
def two_proportion_z(inputs: Inputs) -> Report:
    result = proportions.z_test(
        *counts(inputs),
        pooled=inputs.get("pooled", True),
        correction=inputs.get("correction", False),
        alternative=inputs.get("alternative", "two-sided"),
        alpha=alpha_of(inputs),
    )
    return {
        "z": result.statistic,
        "p_value": result.p_value,
        "diff": result.difference,
        "rel_diff": result.lift,
        "wald_low": result.ci_lower,
        "wald_high": result.ci_upper,
        "rel_low": result.lift_ci_lower,
        "rel_high": result.lift_ci_upper,
    }


@adapts("two_proportion_degenerate")
def two_proportion_degenerate(inputs: Inputs) -> Report:
    result = proportions.compare_proportions(*counts(inputs))
    return {
        "p_value": result.p_value,
        "significant": result.is_significant,
        "has_error_or_warning": bool(result.warnings),
    }


@adapts("exact_2x2")
def exact_2x2(inputs: Inputs) -> Report:
    options = {key: inputs[key] for key in ("method", "alternative") if key in inputs}
    return {"p_value": exact.exact_p_value(*counts(inputs), **options)}


@adapts("wilson")
def wilson(inputs: Inputs) -> Report:
    return interval(proportions.wilson(inputs["successes"], inputs["n"], inputs["level"]))


@adapts("clopper_pearson")
def clopper_pearson(inputs: Inputs) -> Report:
    return interval(proportions.clopper_pearson(inputs["successes"], inputs["n"], inputs["level"]))


@adapts("diff_ci")
def diff_ci(inputs: Inputs) -> Report:
    table, alpha = counts(inputs), alpha_of(inputs)
    method = inputs["method"]
    if method == "newcombe_hybrid_score":
        return interval(proportions.newcombe(*table, alpha=alpha))
    assert method == "wald"
    result = proportions.z_test(*table, pooled=False, alpha=alpha)
    # Without variation Wald's interval is a point; the engine warns and shows none.
    point = (result.difference,) * 2 if codes.DEGENERATE in result.warnings else None
    return interval(point or (result.ci_lower, result.ci_upper))


@adapts("relative_ci")
def relative_ci(inputs: Inputs) -> Report:
    alpha = alpha_of(inputs)
    if "Katz" in inputs["method"]:
        lift = lifts.katz_lift(*counts(inputs), alpha=alpha)
        return {
            "rel_diff": lift.value,
            **interval(lift[1:], "rel_low", "rel_high"),
            "ratio_low": None if lift.low is None else lift.low + 1,
            "ratio_high": None if lift.high is None else lift.high + 1,
        }
    assert "delta method lift, Welch t" in inputs["method"]
    return delta_lift(
        *(rates(inputs) if "successes_c" in inputs else mean_estimates(inputs)), alpha
    )


@adapts("non_inferiority")
def non_inferiority(inputs: Inputs) -> Report:
    c, n_c, t, n_t = counts(inputs)
    sign = 1 if inputs["direction"] == "higher_is_better" else -1
    margin = -sign * abs(inputs["margin"])
    rates = noninferiority.restricted_rates(c, n_c, t, n_t, margin)
    variance = sum(rate * (1 - rate) / n for rate, n in zip(rates, (n_c, n_t), strict=True))
    z = sign * (t / n_t - c / n_c - margin) / math.sqrt(variance)
    p = normal_tail(z)
    return {"z": z, "p_value": p, "non_inferior": p <= inputs["alpha"]}
