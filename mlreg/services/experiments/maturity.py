"""The age at which predictions are compared by their labels, and which ones have reached it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlreg.evidence.observed import AT_ONCE
from mlreg.metrics import is_fed_back

if TYPE_CHECKING:
    from mlreg.evidence.observed import Observed
    from mlreg.store.store import Transaction
    from mlreg.store.unit_columns import Wanted

# So many labels tell how long labels take: a look with as many fixes the window.
ENOUGH = 100


def settle(tx: Transaction, experiment: int, what: Wanted, at: int) -> None:
    """Count labels at the age that labels are seen to take by now; call it in a write."""
    labels = tx.experiments.folds.labels
    if what.fed_back and not labels.is_fixed(experiment, what):
        labels.set_window(experiment, what, seen_window(tx, experiment, what, at))


def fix(tx: Transaction, experiment: int, observed: Observed) -> None:
    """Keep the age after a look that rests on it."""
    known = [
        sum(arm[1] for phase in observed.sums[name] for arm in phase)
        for name in observed.sums
        if is_fed_back(name)
    ]
    if known and min(known) >= ENOUGH:
        tx.experiments.folds.labels.fix_window(experiment)


def window_now(tx: Transaction, experiment: int, what: Wanted, at: int) -> int | None:
    """The age in microseconds at which labels count by now; None: nobody knows yet."""
    labels = tx.experiments.folds.labels
    if labels.is_fixed(experiment, what):
        return labels.window(experiment, what)
    return seen_window(tx, experiment, what, at)


def seen_window(tx: Transaction, experiment: int, what: Wanted, at: int) -> int | None:
    """How long labels are seen to take, of all arms together: of several kinds the slowest."""
    delays = [tx.experiments.folds.labels.delays(experiment, name) for name in what.fed_back]
    if not any(told is not None for kind in delays for _, told in kind):
        return None
    from mlreg.stats.delays import rounded_up, usual_delay

    usual = [
        usual_delay((at - asked, None if told is None else told - asked) for asked, told in kind)
        for kind in delays
    ]
    return rounded_up(max(delay for delay in usual if delay is not None))


def ripe(tx: Transaction, window: int | None, at: int) -> int | None:
    """The newest id of an age, or None: nobody knows the age."""
    if window is None:
        return None
    if window <= AT_ONCE:
        return tx.predictions.last_id()
    return tx.predictions.last_older(at - window)
