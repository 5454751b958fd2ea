"""Adapters for sample sizes, families of tests, sample ratios and pairs."""

from collections.abc import Callable

from mlreg.stats import multiplicity, paired, power, srm
from tests.stats.adapters.common import ADAPTERS, Inputs, Report, adapts


@adapts("sample_size")
def sample_size(inputs: Inputs) -> Report:
    size = planned_size(inputs)
    return {key: size for key in ("n_per_arm", "n_control", "n_first_arm")}


def planned_size(inputs: Inputs) -> float:
    design = {"alpha": inputs["alpha"], "power": inputs["power"], "ratio": inputs.get("ratio", 1)}
    design["sides"] = inputs.get("sides", 2)
    if inputs["metric"] == "mean":
        effect = inputs.get("delta", inputs.get("effect_size"))
        return power.mean_sample_size(effect, inputs.get("sd", 1), **design).exact_control
    pair = inputs["p1"], inputs["p2"]
    if "one-tail" in inputs.get(
        "formula", ""
    ):  # the first arm of this peer is the one with the higher rate
        pair = pair[::-1]
    return power.proportion_sample_size(*pair, **design).exact_control


@adapts("power")
def power_(inputs: Inputs) -> Report:
    n, alpha = inputs["n_per_arm"], inputs["alpha"]
    if inputs["metric"] == "mean":
        return {"power": power.mean_power(inputs["delta"], inputs["sd"], n, alpha=alpha)}
    return {"power": power.proportion_power(inputs["p1"], inputs["p2"], n, alpha=alpha)}


@adapts("mde")
def mde(inputs: Inputs) -> Report:
    n, design = inputs["n_per_arm"], {"alpha": inputs["alpha"], "power": inputs["power"]}
    if inputs["metric"] == "mean":
        return {"mde_abs": power.mean_mde(inputs["sd"], n, **design)}
    direction = inputs.get("direction", "up")
    return {"mde_abs": power.proportion_mde(inputs["p1"], n, direction=direction, **design)}


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


@adapts("srm")
def sample_ratio(inputs: Inputs) -> Report:
    epoch = srm.Epoch(tuple(inputs["observed"]), tuple(inputs["weights"]))
    method = {"chi2": "chi2", "exact_binomial": "exact"}[inputs["method"]]
    result = srm.sample_ratio(epoch, method=method)
    return {
        "chi2": result.statistic,
        "p_value": result.p_value,
        "srm_at_0_001": result.is_mismatch,
    }


@adapts("srm_sequential")
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


@adapts("mcnemar")
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
