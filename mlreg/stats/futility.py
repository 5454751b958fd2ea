"""When to give up: the chance that a running experiment still ends with a win."""

import math

from mlreg.stats.checks import check_fraction
from mlreg.stats.distributions import normal_tail, normal_upper

MIN_INFORMATION = 0.5
MIN_POWER = 0.10


def design_drift(*, alpha: float = 0.05, power: float = 0.8) -> float:
    """Expected z at full information when the planned effect is true: z_{alpha/2} + z_{1-power}."""
    check_fraction("alpha", alpha)
    check_fraction("power", power)
    return normal_upper(alpha / 2) + normal_upper(1 - power)


def conditional_power(z: float, information: float, *, z_final: float, drift: float) -> float:
    """Probability to end above the upper boundary, given the data so far.

    Lan, Simon & Halperin (1982): Phi((z sqrt(t) + drift (1 - t) - z_final) / sqrt(1 - t)). It takes
    the planned effect for true, not the observed one, which would only repeat what z already says.

    Args:
        z: Statistic now, oriented so that a win is positive.
        information: Fraction of the planned information, 0 to 1.
        z_final: Critical value of the last look.
        drift: Expected z at full information, from `design_drift`.

    Returns:
        A probability; at full information 1 or 0.

    Raises:
        ValueError: When information is negative or NaN.
    """
    if not information >= 0:
        raise ValueError(f"information must be 0 or more, got {information!r}")
    if information >= 1:
        return 1.0 if z >= z_final else 0.0
    expected = z * math.sqrt(information) + drift * (1 - information)
    return normal_tail((z_final - expected) / math.sqrt(1 - information))
