"""Which way the feedback values of a model are better: said by people, kept with the model."""

from __future__ import annotations

from collections.abc import Mapping

from mlreg.entities.traffic import Change
from mlreg.errors import InvalidInput
from mlreg.metrics import Better
from mlreg.names import check_key, check_text, safe
from mlreg.services.context import Context


def direct(
    context: Context, name: str | None, wanted: Mapping[str, Better | None], change: Change
) -> None:
    """Keep the directions, and tell of them in the audit trail if that changes anything."""
    for value, better in wanted.items():
        check_key(value, "feedback value")
        if better not in ("up", "down", None):
            raise InvalidInput(
                f"the feedback value {value} is better `up` or `down`, not {safe(str(better))}",
                hint=f"--value-better {value}=up, or {value}=none to forget it",
            )
    with context.store.write() as tx:
        model = context.model(tx, name)
        before = tx.models.directions(model.key)
        for value, better in wanted.items():
            tx.models.direct(model.key, value, better)
        after = tx.models.directions(model.key)
        if after != before:
            tx.events.append(
                action="edit",
                object=model.name,
                actor=context.actor_of(change),
                at=context.clock(),
                model_key=model.key,
                model=model.name,
                reason=check_text(change.reason, "reason"),
                before={"value_better": before},
                after={"value_better": after},
            )
