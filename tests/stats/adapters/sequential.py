"""Adapters for designs with several looks."""

import math
from collections.abc import Callable
from typing import Any

from mlreg.stats import always_valid, futility, group_sequential, lifts, random_walk, roots
from mlreg.stats.distributions import normal_upper
from tests.stats.adapters.common import Inputs, Report, adapts, interval, mean_estimates, rates


def obf_report(inputs: Inputs, spending: group_sequential.Spending) -> Report:
    result = group_sequential.boundaries(
        inputs["information_fractions"],
        alpha=inputs["alpha"],
        sides=inputs.get("sides", 2),
        spending=spending,
    )
    # Two peers compute the same boundaries, and agree to a thousandth.
    return {key: result.z for key in ("z_upper", "z_upper_ldbounds")} | {
        "cumulative_alpha": result.alpha_spent
    }


@adapts("obf_boundary")
def obf_boundary(inputs: Inputs) -> Report:
    return obf_report(inputs, group_sequential.obrien_fleming_spending)


# The engine offers one spending function by name; these two go in through the open parameter.
@adapts("pocock_spending_boundary")
def pocock_spending_boundary(inputs: Inputs) -> Report:
    return obf_report(inputs, lambda t, alpha: alpha * math.log(1 + (math.e - 1) * t))


@adapts("power_spending_boundary")
def power_spending_boundary(inputs: Inputs) -> Report:
    return obf_report(inputs, lambda t, alpha: alpha * t * t)


@adapts("classic_group_sequential_constants")
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


@adapts("naive_peeking_fpr")
def naive_peeking_fpr(inputs: Inputs) -> Report:
    fractions = group_sequential.equal_looks(inputs["K"])
    z = [normal_upper(inputs["alpha"] / 2)] * len(fractions)
    return {"false_positive_rate": crossed(fractions, z)}


@adapts("gs_inflation")
def gs_inflation(inputs: Inputs) -> Report:
    design = {key: inputs[key] for key in ("alpha", "power", "sides") if key in inputs}
    result = group_sequential.inflation(group_sequential.equal_looks(inputs["K"]), **design)
    return {
        "inflation_factor": result.factor,
        "expected_n_ratio_h1": result.expected_h1,
        "expected_n_ratio_h0": result.expected_h0,
    }


@adapts("conditional_power")
def conditional_power(inputs: Inputs) -> Report:
    reached = futility.conditional_power(
        inputs["z_now"],
        inputs["information_fraction"],
        z_final=inputs["z_crit_final"],
        drift=inputs["drift_at_full_information"],
    )
    return {"conditional_power": reached}


@adapts("acs_unit_margin")
def acs_unit_margin(inputs: Inputs) -> Report:
    n, alpha = inputs["n"], inputs["alpha"]
    tuning_n = always_valid.rho_squared(1, alpha) / inputs["rho2"]
    return {"margin": always_valid.boundary(n, tuning_n=tuning_n, alpha=alpha) / math.sqrt(n)}


@adapts("sequential_z_boundary")
def sequential_z_boundary(inputs: Inputs) -> Report:
    tuning_n, alpha = inputs["tuning_n"], inputs["alpha"]
    return {
        "z_boundary": always_valid.boundary(inputs["total_n"], tuning_n=tuning_n, alpha=alpha),
        "rho": math.sqrt(always_valid.rho_squared(tuning_n, alpha)),
    }


@adapts("sequential_ci")
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


@adapts("sequential_ci_one_sided")
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
