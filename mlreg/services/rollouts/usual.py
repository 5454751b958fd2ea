"""What a rollout checks where nothing is said."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlreg.clock import DAY
from mlreg.entities.predictions import LIVE
from mlreg.services.windows import FOREVER, Window, cells_of
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.rollouts import Kind
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_ERRORS = "error_rate <= baseline + 2pt sure"
_ACCURACY = "accuracy >= baseline - 3pt sure"
# Labels of the last day: with fewer the check would hold each step back until it is aborted.
_ENOUGH_LABELS = 100
_LEAST_BOUND = 0.05
# Of latency: a model that takes next to no time may take twice as long.
_PART, _LEAST_MS = 0.25, 50


def last_day(tx: Transaction, model: ModelRow, now: int) -> Tally:
    """What the versions in force answered in the last day."""
    serving = {arm.version_key for arm in tx.traffic.current(model).live}
    tally = Tally()
    for cell, found in cells_of(tx, serving, Window(now - DAY, FOREVER), now=now).items():
        if cell.role == LIVE:
            tally.merge(found)
    return tally


def usual_checks(tally: Tally, strategy: Kind) -> tuple[str, ...]:
    """The checks of a rollout that names none.

    Against what answers beside it: errors, latency, and accuracy if labels come within a day. And
    the error rate against twice that of the last day: it also holds where nothing answers beside.

    Args:
        tally: Of the last day.
        strategy: How the version gets its traffic.
    """
    past = tally.errors / tally.requests if tally.requests else 0.0
    bound = max(_LEAST_BOUND, math.ceil(100 * (2 * past + 0.02)) / 100)
    limit = [f"error_rate <= {bound * 100:.0f}% sure"] if bound < 1 else []
    if strategy in ("blue-green", "replace"):
        return tuple(limit)
    slack = max(_LEAST_MS, round(_PART * (tally.latency_quantile_ms(0.95) or 0)))
    latency = f"p95_latency_ms <= baseline + {slack}ms sure"
    labels = [_ACCURACY] if tally.judged >= _ENOUGH_LABELS else []
    return (*limit, _ERRORS, latency, *labels)
