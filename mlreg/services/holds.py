"""Who holds a model's traffic: nobody else changes it meanwhile, but by a rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlreg.entities.traffic import Hold
from mlreg.errors import Conflict
from mlreg.names import safe

if TYPE_CHECKING:
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction


def check_free(tx: Transaction, model: ModelRow) -> None:
    """Nothing, if a model's traffic is anybody's to change.

    Raises:
        Conflict: It is held.
    """
    hold = tx.traffic.hold(model.key)
    if hold is not None:
        raise Conflict(
            f"the {hold.kind} {safe(hold.id)} holds the traffic of {safe(model.name)}",
            hint=f"end it first: {ending(hold)}; a rollback is always possible, and stops it",
        )


def ending(hold: Hold) -> str:
    """The command that ends a holder."""
    verb = "abtest stop" if hold.kind == "experiment" else "rollout abort"
    return f"mlreg {verb} {safe(hold.id)}"
