"""What the adapters share: the registry of adapters, and the reading of a case's inputs."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from mlreg.stats import lifts, means
from mlreg.stats.estimates import Estimate, reference, welch_df
from mlreg.stats.moments import Moments

Inputs = Mapping[str, Any]
Report = dict[str, Any]
Adapter = Callable[[Inputs], Report]
ADAPTERS: dict[str, Adapter] = {}


def adapts(kind: str) -> Callable[[Adapter], Adapter]:
    """Register the decorated function for one kind of case."""

    def register(function: Adapter) -> Adapter:
        ADAPTERS[kind] = function
        return function

    return register


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
