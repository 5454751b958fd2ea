"""How much of the planned information has arrived, told by what is there and not by luck."""

from __future__ import annotations

import math

from mlreg.entities.experiments import Design
from mlreg.evidence.seen import Seen

_UPPER = 2.326  # standard errors


def information(design: Design, seen: Seen) -> float:
    """Part of the planned information that has arrived of a treatment; 0 before it can be tested.

    It is 1 / se² over that of the plan. Where the plan says how many units that takes, it is no
    more than the part of them that has come. Where it does not, what varies is taken to be as
    large as a few rare values allow: at its upper 99 % limit.
    """
    if not design.planned_information or seen.evidence.z is None:
        return 0.0
    se = seen.averaged.null_se or seen.evidence.se or math.inf
    arrived = 1 / (se * se) / design.planned_information
    if design.planned_units is None:
        return arrived / (1 + _UPPER * seen.averaged.variance_error)
    control, treatment = (arm.n_rows for arm in seen.arms)
    return min(arrived, 4 * control * treatment / (control + treatment) / design.tuning_units)
