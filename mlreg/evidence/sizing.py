"""How large an experiment has to be: the information that completes it, and units if known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlreg.entities.experiments import SLOTS, Mode, TestMetric
from mlreg.entities.traffic import WHOLE
from mlreg.errors import InvalidInput


class Size(NamedTuple):
    """A planned size.

    Attributes:
        information: 1 / se² of the difference that the mode and the power ask for.
        units: Of all arms, if each user makes one request; None where the spread is not known.
        tuning: Units of a balanced test with as much information as one comparison of this.
        final_boundary: The |z| of the last of the planned looks.
    """

    information: float | None = None
    units: int | None = None
    tuning: int | None = None
    final_boundary: float | None = None


def plan_size(
    metric: TestMetric,
    baseline: float | None,
    sd: float | None,
    mde: float | None,
    *,
    mode: Mode,
    weights: Sequence[int],
    alpha: float,
    power: float,
    is_given: bool = True,
) -> Size:
    """The size that finds `mde`; nothing is planned without one.

    Args:
        metric: What decides.
        baseline: The control's rate or mean; None if not known.
        sd: Standard deviation of a request's value; None if not known. A share needs none.
        mde: The difference to find, in the metric's unit.
        mode: How it will be looked at, which costs units.
        weights: Of the arms, the control first.
        alpha: Two-sided level of one comparison.
        power: Chance to find the difference.
        is_given: Whether the baseline was asked for; one from the log that does not fit is no
            mistake of anybody, and plans no units.

    Raises:
        InvalidInput: A given baseline and the difference leave the range of a share.
    """
    if mde is None:
        return Size()
    from mlreg.stats.futility import design_drift
    from mlreg.stats.power import proportion_sample_size

    factor, final_boundary = _looks(mode, alpha, power)
    ratio = min(weights[1:]) / weights[0]
    drift = design_drift(alpha=alpha, power=power)
    control = None
    if metric.kind == "share" and baseline is not None:
        rates = baseline, baseline + metric.sign * mde
        if all(0 < rate < 1 for rate in rates):
            size = proportion_sample_size(*rates, alpha=alpha, power=power, ratio=ratio)
            control = size.exact_control
        elif is_given:
            raise InvalidInput(
                f"a baseline of {baseline:g} and an mde of {mde:g} leave the range of a share",
                hint="the mde is absolute: 0.02 is two points; 2% is a part of the baseline",
            )
    elif metric.kind == "mean" and sd:
        control = (drift * sd / mde) ** 2 * (1 + 1 / ratio)
    planned = Size(information=factor * (drift / mde) ** 2, final_boundary=final_boundary)
    if control is None:
        return planned
    return planned._replace(
        units=math.ceil(control * factor * WHOLE / weights[0]),
        tuning=math.ceil(4 * control * factor * ratio / (1 + ratio)),
    )


def _looks(mode: Mode, alpha: float, power: float) -> tuple[float, float | None]:
    """How many times larger than one test at the end, and the boundary of the last look."""
    from mlreg.stats.group_sequential import boundaries, equal_looks, inflation
    from mlreg.stats.power import ALWAYS_VALID_INFLATION

    if mode == "always-valid":
        return ALWAYS_VALID_INFLATION, None
    times = equal_looks(SLOTS if mode == "group-sequential" else 1)
    return inflation(times, alpha=alpha, power=power).factor, boundaries(times, alpha=alpha).z[-1]
