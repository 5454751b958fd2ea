"""Every case of the reference file, computed elsewhere or published, against the engine.

One adapter per kind translates a case's inputs into public calls and names the results as the case
does. Only keys that an adapter reports are compared; it must report at least one.
"""

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlreg.stats import (
    always_valid,
    covariates,
    exact,
    futility,
    group_sequential,
    lifts,
    means,
    multiplicity,
    noninferiority,
    paired,
    power,
    proportions,
    quantiles,
    random_walk,
    ratios,
    roots,
    srm,
)
from mlreg.stats.distributions import normal_upper
from mlreg.stats.estimates import Estimate, reference, welch_df
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.moments import Moments

DEFAULT = Path(__file__).parents[1] / "data" / "stats_cases.json"
CASES = json.loads(Path(os.environ.get("MLREG_STATS_CASES", DEFAULT)).read_text("utf-8"))["cases"]

NOT_BUILT = {
    "dunnett": "several treatments are handled by alpha / m, which needs no common variance",
    "hochberg": "Holm holds under any dependence; Hochberg's gain does not pay for a second rule",
    "agresti_caffo": "Newcombe's interval does the same job and never leaves [-1, 1]",
}
"""What the engine leaves out on purpose, by kind or by method, with the reason."""

Inputs = Mapping[str, Any]
Report = dict[str, Any]
Adapter = Callable[[Inputs], Report]
ADAPTERS: dict[str, Adapter] = {}


def adapter(function: Adapter) -> Adapter:
    ADAPTERS[function.__name__] = function
    return function


def left_out(case: Mapping[str, Any]) -> bool:
    return case["kind"] in NOT_BUILT or case["inputs"].get("method") in NOT_BUILT


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in CASES if not left_out(case)]
)
def test_the_engine_agrees_with_the_reference(case):
    reported = ADAPTERS[case["kind"]](case["inputs"])
    compared = [key for key in case["expected"] if key in reported]
    assert compared, f"the adapter of {case['kind']} reports none of {list(case['expected'])}"
    for key in compared:
        assert_close(key, reported[key], case["expected"][key], case["tolerance"])


def test_only_the_listed_methods_are_left_out():
    skipped = {case["inputs"].get("method", case["kind"]) for case in CASES if left_out(case)}
    assert skipped <= set(NOT_BUILT)


def assert_close(key: str, got: Any, expected: Any, tolerance: Inputs) -> None:
    if isinstance(expected, list):
        assert len(got) == len(expected), key
        for one, other in zip(got, expected, strict=True):
            assert_close(key, one, other, tolerance)
    elif expected is None:
        return
    elif isinstance(expected, bool):
        assert got is expected, f"{key}: {got} instead of {expected}"
    elif isinstance(expected, str):
        limit = tolerance.get("compare_only_if_expected_z_below", math.inf)
        assert got == float(expected) or abs(got) > limit, f"{key}: {got} instead of {expected}"
    elif abs(expected) < tolerance.get("compare_only_if_expected_z_below", math.inf):
        allowed = tolerance["abs"] + tolerance["rel"] * abs(expected)
        assert got is not None, f"{key}: undefined instead of {expected}"
        assert abs(got - expected) <= allowed, f"{key}: {got!r} instead of {expected!r}"


def counts(inputs: Inputs) -> tuple[int, int, int, int]:
    return inputs["successes_c"], inputs["n_c"], inputs["successes_t"], inputs["n_t"]


def alpha_of(inputs: Inputs) -> float:
    return float(inputs["alpha"]) if "alpha" in inputs else 1 - float(inputs.get("level", 0.95))


def arm(inputs: Inputs, side: str) -> Moments:
    suffix = f"_{side[0]}"
    if side in inputs:
        return Moments.from_values(inputs[side])
    n = inputs[f"n{suffix}"]
    if f"sum{suffix}" in inputs:
        return Moments.from_sums(n, inputs[f"sum{suffix}"], inputs[f"sum_sq{suffix}"])
    return Moments(n=n, mean=inputs[f"mean{suffix}"], variance=inputs[f"sd{suffix}"] ** 2)


def arms(inputs: Inputs) -> tuple[Moments, Moments]:
    return arm(inputs, "control"), arm(inputs, "treatment")


def rates(inputs: Inputs) -> tuple[Estimate, Estimate]:
    """Both rates with their binomial standard errors."""
    c, n_c, t, n_t = counts(inputs)
    return rate(c, n_c), rate(t, n_t)


def rate(successes: int, n: int) -> Estimate:
    p = successes / n
    return Estimate(value=p, se=math.sqrt(p * (1 - p) / n), n=n)


def interval(pair: Any, low: str = "low", high: str = "high") -> Report:
    return {low: None, high: None} if pair is None else {low: pair[0], high: pair[1]}


# --- proportions -------------------------------------------------------------------------------


@adapter
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


@adapter
def two_proportion_degenerate(inputs: Inputs) -> Report:
    result = proportions.compare_proportions(*counts(inputs))
    return {
        "p_value": result.p_value,
        "significant": result.is_significant,
        "has_error_or_warning": bool(result.warnings),
    }


@adapter
def exact_2x2(inputs: Inputs) -> Report:
    options = {key: inputs[key] for key in ("method", "alternative") if key in inputs}
    return {"p_value": exact.exact_p_value(*counts(inputs), **options)}


@adapter
def wilson(inputs: Inputs) -> Report:
    return interval(proportions.wilson(inputs["successes"], inputs["n"], inputs["level"]))


@adapter
def clopper_pearson(inputs: Inputs) -> Report:
    return interval(proportions.clopper_pearson(inputs["successes"], inputs["n"], inputs["level"]))


@adapter
def diff_ci(inputs: Inputs) -> Report:
    table, alpha = counts(inputs), alpha_of(inputs)
    method = inputs["method"]
    if method == "newcombe_hybrid_score":
        return interval(proportions.newcombe(*table, alpha=alpha))
    if method == "wald":
        result = proportions.z_test(*table, pooled=False, alpha=alpha)
        return {"low": result.ci_lower, "high": result.ci_upper}
    is_corrected = {"miettinen_nurminen_score": True, "mee_farrington_manning_score": False}[method]
    return interval(noninferiority.score_interval(*table, alpha=alpha, is_corrected=is_corrected))


@adapter
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


def mean_estimates(inputs: Inputs) -> tuple[Estimate, Estimate]:
    control, treatment = arms(inputs)
    return means.mean_estimate(control), means.mean_estimate(treatment)


def delta_lift(control: Estimate, treatment: Estimate, alpha: float) -> Report:
    pair = control.value, control.se, treatment.value, treatment.se
    tail, upper = reference(welch_df(control, treatment))
    lift = lifts.delta_lift(*pair, upper=upper, alpha=alpha)
    assert lift.value is not None
    return {
        "rel_diff": lift.value,
        "rel_low": lift.low,
        "rel_high": lift.high,
        "p_value": 2 * tail(abs(lift.value) / lifts.delta_lift_se(*pair)),
    }


@adapter
def non_inferiority(inputs: Inputs) -> Report:
    result = noninferiority.proportion_non_inferiority(
        *counts(inputs),
        margin=abs(inputs["margin"]),
        direction="up" if inputs["direction"] == "higher_is_better" else "down",
        alpha=inputs["alpha"],
    )
    return {
        "z": result.statistic,
        "p_value": result.p_value,
        "non_inferior": result.is_non_inferior,
    }


# --- means, ratios, covariates -----------------------------------------------------------------


@adapter
def welch_t(inputs: Inputs) -> Report:
    result = means.compare_means(
        *arms(inputs), alpha=alpha_of(inputs), alternative=inputs.get("alternative", "two-sided")
    )
    return {
        "t": result.statistic,
        "df": result.df,
        "p_value": result.p_value,
        "diff": result.difference,
        "low": result.ci_lower,
        "high": result.ci_upper,
    }


@adapter
def welch_t_degenerate(inputs: Inputs) -> Report:
    result = means.compare_means(*arms(inputs))
    assert result.p_value is None, "a test without variation has no p-value"
    return {"significant": result.is_significant, "has_error_or_warning": bool(result.warnings)}


@adapter
def paired_t(inputs: Inputs) -> Report:
    pairs = zip(inputs["control"], inputs["treatment"], strict=True)
    differences = Moments.from_values(treatment - control for control, treatment in pairs)
    result = means.paired_t(differences, alpha=alpha_of(inputs))
    return {
        "t": result.statistic,
        "df": result.df,
        "p_value": result.p_value,
        "diff": result.difference,
        "low": result.ci_lower,
        "high": result.ci_upper,
    }


@adapter
def equivalence_tost(inputs: Inputs) -> Report:
    assert inputs.get("usevar", "unequal") == "unequal"
    return {"p_value": means.equivalence(*arms(inputs), low=inputs["low"], high=inputs["high"])}


@adapter
def delta_ratio(inputs: Inputs) -> Report:
    control, treatment = (
        JointMoments.from_values(inputs[side]["numerator"], inputs[side]["denominator"])
        for side in ("control", "treatment")
    )
    return ratio_report(control, treatment, inputs)


@adapter
def delta_ratio_sufficient(inputs: Inputs) -> Report:
    names = ("n_units", "sum_num", "sum_den", "sum_num_sq", "sum_den_sq", "sum_num_den")
    control, treatment = (
        JointMoments.from_sums(*(inputs[side][name] for name in names))
        for side in ("control", "treatment")
    )
    return ratio_report(control, treatment, inputs)


def ratio_report(control: JointMoments, treatment: JointMoments, inputs: Inputs) -> Report:
    alpha = alpha_of(inputs)
    result = ratios.compare_ratios(control, treatment, alpha=alpha)
    assert result.difference is not None
    assert result.se is not None
    report = {
        "ratio_c": result.control,
        "ratio_t": result.treatment,
        "diff": result.difference,
        "se": result.se,
        "t": result.statistic,
        "p_value_t": result.p_value,
        "low_t": result.ci_lower,
        "high_t": result.ci_upper,
    }
    lift = delta_lift(ratios.ratio_estimate(control), ratios.ratio_estimate(treatment), alpha)
    report |= {
        "rel_diff": lift["rel_diff"],
        **{f"{key}_t": lift[key] for key in ("rel_low", "rel_high")},
    }
    if "tuning_n" in inputs:
        tuning = {"tuning_n": inputs["tuning_n"], "alpha": alpha}
        n = control.n + treatment.n
        limits = always_valid.confidence_sequence(result.difference, result.se, n, **tuning)
        report |= interval(limits, "sequential_low", "sequential_high")
        report["sequential_p"] = always_valid.p_value(result.difference / result.se, n, **tuning)
    return report


@adapter
def cuped(inputs: Inputs) -> Report:
    control, treatment = (
        JointMoments.from_values(inputs[side]["y"], inputs[side]["x"])
        for side in ("control", "treatment")
    )
    adjusted = covariates.compare_adjusted(control, treatment, alpha=alpha_of(inputs))
    plain = means.compare_means(control.y, treatment.y, alpha=alpha_of(inputs))
    return {
        "diff": adjusted.difference,
        "se": adjusted.se,
        "p_value": adjusted.p_value,
        "low": adjusted.ci_lower,
        "high": adjusted.ci_upper,
        "unadjusted_diff": plain.difference,
        "unadjusted_se": plain.se,
        "unadjusted_p": plain.p_value,
    }


# --- quantiles ---------------------------------------------------------------------------------


@adapter
def quantile_ci(inputs: Inputs) -> Report:
    result = quantiles.quantile_of_values(
        inputs["values"], inputs["quantile"], level=inputs["level"]
    )
    for limit in (result.low, result.high):
        assert limit is not None or result.warnings, "a missing limit needs a warning"
    return {"estimate_linear_type7": result.value, "low": result.low, "high": result.high}


def quantile_arm(inputs: Inputs, quantile: float) -> quantiles.QuantileEstimate:
    return quantiles.QuantileEstimate(
        quantile=quantile,
        n=inputs["n"],
        value=inputs["estimate"],
        low=inputs["low95"],
        high=inputs["high95"],
        level=0.95,
    )


@adapter
def quantile_diff(inputs: Inputs) -> Report:
    control, treatment = (
        quantile_arm(inputs[side], inputs["quantile"]) for side in ("control", "treatment")
    )
    result = quantiles.compare_quantiles(control, treatment, alpha=alpha_of(inputs))
    return {
        "diff": result.difference,
        "se": result.se,
        "p_value": result.p_value,
        "low": result.ci_lower,
        "high": result.ci_upper,
    }


@adapter
def quantile_cluster_se(inputs: Inputs) -> Report:
    renamed = {"low95": inputs["low95_iid"], "high95": inputs["high95_iid"]}
    arm = quantile_arm({**inputs, **renamed}, inputs["quantile"])
    names = (
        "indicator_sum",
        "count_sum",
        "indicator_sum_sq",
        "count_sum_sq",
        "indicator_count_product",
    )
    users = JointMoments.from_sums(inputs["n_clusters"], *(inputs[name] for name in names))
    effect = ratios.design_effect(users)
    assert effect is not None
    return {"se_iid": arm.se, "se_cluster": quantiles.quantile_estimate(arm, effect).se}


# --- planning ----------------------------------------------------------------------------------


@adapter
def sample_size(inputs: Inputs) -> Report:
    size = planned_size(inputs)
    return {key: size for key in ("n_per_arm", "n_control", "n_first_arm")}


def planned_size(inputs: Inputs) -> float:
    design = {"alpha": inputs["alpha"], "power": inputs["power"], "ratio": inputs.get("ratio", 1)}
    if "margin" in inputs:
        return power.proportion_non_inferiority_size(
            inputs["p1"], inputs["p2"], margin=abs(inputs["margin"]), **design
        ).exact_control
    design["sides"] = inputs.get("sides", 2)
    if inputs["metric"] == "mean":
        effect = inputs.get("delta", inputs.get("effect_size"))
        return power.mean_sample_size(effect, inputs.get("sd", 1), **design).exact_control
    pair = inputs["p1"], inputs["p2"]
    if (
        "one-tail" in inputs["formula"]
    ):  # the first arm of this peer is the one with the higher rate
        pair = pair[::-1]
    return power.proportion_sample_size(*pair, **design).exact_control


@adapter
def power_(inputs: Inputs) -> Report:
    n, alpha = inputs["n_per_arm"], inputs["alpha"]
    if inputs["metric"] == "mean":
        return {"power": power.mean_power(inputs["delta"], inputs["sd"], n, alpha=alpha)}
    return {"power": power.proportion_power(inputs["p1"], inputs["p2"], n, alpha=alpha)}


ADAPTERS["power"] = ADAPTERS.pop("power_")  # `power` itself is the module


@adapter
def mde(inputs: Inputs) -> Report:
    n, design = inputs["n_per_arm"], {"alpha": inputs["alpha"], "power": inputs["power"]}
    if inputs["metric"] == "mean":
        return {"mde_abs": power.mean_mde(inputs["sd"], n, **design)}
    direction = inputs.get("direction", "up")
    return {"mde_abs": power.proportion_mde(inputs["p1"], n, direction=direction, **design)}


# --- several tests, sample ratio, pairs --------------------------------------------------------


def adjusted(method: Callable[..., multiplicity.Adjusted], inputs: Inputs) -> Report:
    result = method(inputs["p_values"], alpha=inputs.get("alpha", 0.05))
    return {"adjusted": list(result.p_values), "reject": list(result.rejected)}


for kind, method in {
    "bonferroni": multiplicity.bonferroni,
    "holm": multiplicity.holm,
    "bh": multiplicity.benjamini_hochberg,
    "by": multiplicity.benjamini_yekutieli,
}.items():
    ADAPTERS[kind] = lambda inputs, method=method: adjusted(method, inputs)  # type: ignore[misc]


@adapter
def sample_ratio(inputs: Inputs) -> Report:
    epoch = srm.Epoch(tuple(inputs["observed"]), tuple(inputs["weights"]))
    method = {"chi2": "chi2", "exact_binomial": "exact"}[inputs["method"]]
    result = srm.sample_ratio(epoch, method=method)
    return {
        "chi2": result.statistic,
        "p_value": result.p_value,
        "srm_at_0_001": result.is_mismatch,
    }


ADAPTERS["srm"] = ADAPTERS.pop("sample_ratio")  # `srm` itself is the module


@adapter
def srm_sequential(inputs: Inputs) -> Report:
    weights, k = tuple(inputs["weights"]), inputs["dirichlet_concentration"]
    if "cumulative_counts" in inputs:
        epoch = srm.Epoch(tuple(inputs["cumulative_counts"]), weights)
        result = srm.sequential_sample_ratio(epoch, concentration=k)
        return {"p_value": result.p_value, "log_bayes_factor": result.statistic}
    so_far, p, seen = [0] * len(weights), 1.0, []
    for day in inputs["daily_counts"]:
        so_far = [total + new for total, new in zip(so_far, day, strict=True)]
        epoch = srm.Epoch(tuple(so_far), weights)
        p = srm.sequential_sample_ratio(epoch, concentration=k, previous_p=p).p_value
        seen.append(p)
    return {"running_min_p": seen}


@adapter
def mcnemar(inputs: Inputs) -> Report:
    n = sum(inputs[key] for key in ("both_correct", "only_control", "only_treatment", "neither"))
    result = paired.mcnemar(inputs["only_control"], inputs["only_treatment"], n)
    return {
        "exact_p": result.exact_p,
        "mid_p": result.mid_p,
        "midp_p": result.mid_p,
        "chi2": result.chi2,
        "chi2_p": result.chi2_p,
        "chi2_cc_p": result.chi2_corrected_p,
    }


# --- sequential --------------------------------------------------------------------------------


def obf_report(inputs: Inputs, spending: group_sequential.Spending) -> Report:
    result = group_sequential.boundaries(
        inputs["information_fractions"],
        alpha=inputs["alpha"],
        sides=inputs.get("sides", 2),
        spending=spending,
    )
    return {"z_upper": result.z, "cumulative_alpha": result.alpha_spent}


@adapter
def obf_boundary(inputs: Inputs) -> Report:
    return obf_report(inputs, group_sequential.obrien_fleming_spending)


# The engine offers one spending function by name; these two go in through the open parameter.
@adapter
def pocock_spending_boundary(inputs: Inputs) -> Report:
    return obf_report(inputs, lambda t, alpha: alpha * math.log(1 + (math.e - 1) * t))


@adapter
def power_spending_boundary(inputs: Inputs) -> Report:
    return obf_report(inputs, lambda t, alpha: alpha * t * t)


@adapter
def classic_group_sequential_constants(inputs: Inputs) -> Report:
    looks, sides = inputs["K"], inputs.get("sides", 2)
    fractions = group_sequential.equal_looks(looks)

    def constant(shape: Callable[[float], float]) -> list[float]:
        def excess(c: float) -> float:
            z = [c * shape(t) for t in fractions]
            return crossed(fractions, z, sides) - inputs["alpha"]

        c = roots.bisect(excess, 0.5, 6, tolerance=1e-8, is_rising=False)
        return [c * shape(t) for t in fractions]

    obf = constant(lambda t: t**-0.5)
    return {"obf_z": obf, "obf_final_z": obf[-1], "pocock_z": constant(lambda t: 1.0)[0]}


def crossed(fractions: Any, z: Any, sides: int = 2) -> float:
    above, below = random_walk.crossing_probabilities(fractions, z, sides=sides)
    return sum(above) + sum(below)


@adapter
def naive_peeking_fpr(inputs: Inputs) -> Report:
    fractions = group_sequential.equal_looks(inputs["K"])
    z = [normal_upper(inputs["alpha"] / 2)] * len(fractions)
    return {"false_positive_rate": crossed(fractions, z)}


@adapter
def gs_inflation(inputs: Inputs) -> Report:
    design = {key: inputs[key] for key in ("alpha", "power", "sides") if key in inputs}
    result = group_sequential.inflation(group_sequential.equal_looks(inputs["K"]), **design)
    return {
        "inflation_factor": result.factor,
        "expected_n_ratio_h1": result.expected_h1,
        "expected_n_ratio_h0": result.expected_h0,
    }


@adapter
def conditional_power(inputs: Inputs) -> Report:
    reached = futility.conditional_power(
        inputs["z_now"],
        inputs["information_fraction"],
        z_final=inputs["z_crit_final"],
        drift=inputs["drift_at_full_information"],
    )
    return {"conditional_power": reached}


@adapter
def acs_unit_margin(inputs: Inputs) -> Report:
    n, alpha = inputs["n"], inputs["alpha"]
    tuning_n = always_valid.rho_squared(1, alpha) / inputs["rho2"]
    return {"margin": always_valid.boundary(n, tuning_n=tuning_n, alpha=alpha) / math.sqrt(n)}


@adapter
def sequential_z_boundary(inputs: Inputs) -> Report:
    tuning_n, alpha = inputs["tuning_n"], inputs["alpha"]
    return {
        "z_boundary": always_valid.boundary(inputs["total_n"], tuning_n=tuning_n, alpha=alpha),
        "rho": math.sqrt(always_valid.rho_squared(tuning_n, alpha)),
    }


@adapter
def sequential_ci(inputs: Inputs) -> Report:
    tuning = {"tuning_n": inputs["tuning_n"], "alpha": inputs["alpha"]}
    control, treatment = (
        rates(inputs) if inputs["metric"] == "proportion" else mean_estimates(inputs)
    )
    rho = math.sqrt(always_valid.rho_squared(**tuning))
    n = control.n + treatment.n
    if inputs["scale"].startswith("relative"):
        pair = control.value, control.se, treatment.value, treatment.se
        estimate, se = treatment.value / control.value - 1, lifts.delta_lift_se(*pair)
        prefix = "rel_"
    else:
        estimate, se = treatment.value - control.value, math.hypot(control.se, treatment.se)
        prefix = ""
    limits = always_valid.confidence_sequence(estimate, se, n, **tuning)
    return {
        "diff" if not prefix else "rel_diff": estimate,
        f"{prefix}se": se,
        **interval(limits, f"{prefix}low", f"{prefix}high"),
        "p_value": always_valid.p_value(estimate / se, n, **tuning),
        "rho": rho,
    }


@adapter
def sequential_ci_one_sided(inputs: Inputs) -> Report:
    control, treatment = rates(inputs)
    bounds = always_valid.one_sided_bounds(
        treatment.value - control.value,
        math.hypot(control.se, treatment.se),
        control.n + treatment.n,
        tuning_n=inputs["tuning_n"],
        alpha=inputs["alpha"],
    )
    return interval(bounds, "lower_bound", "upper_bound")
