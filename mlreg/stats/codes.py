"""Stable warning codes of the results; `docs/statistics.md` explains them to readers."""

from typing import Final

EMPTY_ARM: Final = "empty_arm"
"""An arm has no observations; nothing can be compared."""

TOO_FEW: Final = "too_few"
"""An arm has fewer than two observations, so it has no variance."""

DEGENERATE: Final = "degenerate"
"""No variation in either arm; a test would divide by zero."""

NOT_FINITE: Final = "not_finite"
"""NaN or infinity in the data or in what was computed from it."""

LOW_COUNTS: Final = "low_counts"
"""Too few units, successes or failures for the large-sample method."""

LIFT_UNDEFINED: Final = "lift_undefined"
"""The relative change has no meaning or no interval, mostly because the control is near zero."""

SMALL_USERS: Final = "small_users"
"""Fewer units of randomisation per arm than the delta method needs."""

BY_USER: Final = "by_user"
"""Users were split and could not be counted here; a test on their requests would be too sure."""

THIN_TAIL: Final = "thin_tail"
"""Too few observations beyond the quantile for a limit or for the normal approximation."""

SRM: Final = "srm"
"""The arms' sizes do not agree with the intended split."""

COVERAGE: Final = "coverage"
"""Labels came for a larger share of one arm's predictions than of another's."""

WEIGHTS_CHANGED: Final = "weights_changed"
"""The split was changed on the way; arms are compared within each phase."""

ZERO_WEIGHT_TRAFFIC: Final = "zero_weight_traffic"
"""An arm without any weight received units."""

EARLY_STOP_BIAS: Final = "early_stop_bias"
"""The experiment stopped at a boundary, so its estimate is biased away from zero."""

NOT_FINAL: Final = "not_final"
"""An interim look, or a look that is not a decision point."""

REVERSED: Final = "reversed"
"""A treatment that crossed the boundary is now on the other side of zero, interval and all."""
