"""Reports on what is fed back: predictions whose feedback may still come say nothing of a version.

The younger ones have been told of by those alone whose feedback is quick, and wrong answers of one
version may be told of late.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

from mlreg.clock import HOUR, SECOND
from mlreg.services.together import ran_together, splits
from mlreg.services.windows import Window, cells_of

# Of the answers: the rest cannot turn much round.
COMPLETE = 0.98

if TYPE_CHECKING:
    from mlreg.entities.versions import Version
    from mlreg.evidence.together import Together
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction
    from mlreg.tallies import Tally


def with_due(
    tx: Transaction,
    model: ModelRow,
    together: Mapping[str, Together],
    seen: Sequence[Version],
    base: Version,
    window: Window,
    revisions: Container[int],
    now: int,
) -> dict[str, Together]:
    """Sides with what they are by feedback that has come; as they are if it comes at once.

    What comes within the hour is taken as coming at once: summaries know no less.
    """
    usual = _usual(tx, together, seen, window, now=now)
    until = (now - usual) // HOUR * HOUR
    if usual < HOUR or until >= window.until:
        return dict(together)
    due: dict[str, Together] = {}
    if window.since < until:
        aged = window._replace(until=until)
        cells = cells_of(tx, {version.key for version in seen}, aged, now=now)
        old = [split for split in splits(tx, model, cells) if split.number in revisions]
        due = ran_together(tx, model, old, seen, base, aged)
    return {
        name: side._replace(due=due.get(name, type(side)(())), due_after=usual / SECOND)
        for name, side in together.items()
    }


def _is_complete(arm: Tally) -> bool:
    """Whether hardly a label is still to come, however young the predictions are."""
    return not arm.values and arm.labelled >= COMPLETE * (arm.requests - arm.errors)


def _usual(
    tx: Transaction,
    together: Mapping[str, Together],
    seen: Sequence[Version],
    window: Window,
    *,
    now: int,
) -> int:
    """Microseconds that feedback takes, as the oldest predictions of the window show; 0: none."""
    arms = [arm for side in together.values() for arm in side.arms]
    if not any(arm.labelled or arm.values for arm in arms) or all(map(_is_complete, arms)):
        return 0
    from mlreg.stats.delays import rounded_up, usual_delay

    keys = [version.key for version in seen]
    first = tx.predictions.first_id(window.since)
    told = tx.feedback.delays(keys, first=first, until=window.until)
    usual = usual_delay((now - at, None if came is None else came - at) for at, came in told)
    return rounded_up(usual or 0)
