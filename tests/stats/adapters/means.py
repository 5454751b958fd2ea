"""Adapters for means, ratios, covariates and quantiles."""

from mlreg.stats import always_valid, covariates, means, proportions, quantiles, ratios
from mlreg.stats.distributions import normal_tail, normal_upper
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.moments import Moments
from tests.stats.adapters.common import Inputs, Report, adapts, alpha_of, arms, delta_lift, interval


@adapts("welch_t")
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


@adapts("welch_t_degenerate")
def welch_t_degenerate(inputs: Inputs) -> Report:
    result = means.compare_means(*arms(inputs))
    assert result.p_value is None, "a test without variation has no p-value"
    return {"significant": result.is_significant, "has_error_or_warning": bool(result.warnings)}


@adapts("paired_t")
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


@adapts("delta_ratio")
def delta_ratio(inputs: Inputs) -> Report:
    control, treatment = (
        JointMoments.from_values(inputs[side]["numerator"], inputs[side]["denominator"])
        for side in ("control", "treatment")
    )
    return ratio_report(control, treatment, inputs)


@adapts("delta_ratio_sufficient")
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
    upper, z = normal_upper(alpha / 2), result.difference / result.se
    low, high = result.difference - upper * result.se, result.difference + upper * result.se
    report |= {"p_value_z": 2 * normal_tail(abs(z)), "low_z": low, "high_z": high}
    report |= rows_alone(control, treatment)
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


def rows_alone(control: JointMoments, treatment: JointMoments) -> Report:
    """What a test says that takes each row for a unit of its own."""
    table = [round(arm.n * part.mean) for arm in (control, treatment) for part in (arm.y, arm.x)]
    return {
        "naive_iid_se_for_contrast": proportions.unpooled_se(*table),
        "naive_per_request_p_for_contrast": proportions.z_test(*table).p_value,
    }


@adapts("cuped")
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


@adapts("quantile_ci")
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


@adapts("quantile_diff")
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


@adapts("quantile_cluster_se")
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
