"""Hooks and deliveries as they are handed out."""

from __future__ import annotations

from collections.abc import Mapping

from mlreg.clock import from_micros
from mlreg.entities.audit import Event, type_of
from mlreg.entities.hooks import Delivery, Hook
from mlreg.services.hooks.seals import standing
from mlreg.services.hooks.targets import shown
from mlreg.store.hooks import DeliveryRow, HookRow

_NONE: Mapping[tuple[int, str], int] = {}


def hook_record(hook: HookRow, counts: Mapping[tuple[int, str], int] = _NONE) -> Hook:
    """A hook without its secrets.

    Args:
        hook: As it is stored.
        counts: Deliveries by hook and state.
    """
    return Hook(
        name=hook.name,
        events=hook.patterns,
        model=hook.model,
        kind=hook.kind,
        target=shown(hook.kind, hook.target),
        secret_env=hook.target.get("secret_env"),
        timeout_seconds=hook.timeout_seconds,
        created_at=from_micros(hook.seal.at),
        created_by=hook.seal.actor,
        key=hook.seal.key,
        standing=standing(hook),
        pending=counts.get((hook.key, "pending"), 0),
        delivered=counts.get((hook.key, "delivered"), 0),
        dead=counts.get((hook.key, "dead"), 0),
    )


def delivery_record(row: DeliveryRow) -> Delivery:
    """A delivery."""
    return Delivery(
        delivery_id=row.id,
        hook=row.hook,
        event=row.event,
        type=type_of(row.action),
        model=row.model,
        state=row.state,
        attempts=row.attempts,
        happened_at=from_micros(row.happened_at),
        last_attempt_at=None if row.last_at is None else from_micros(row.last_at),
        next_attempt_at=from_micros(row.next_at) if row.state == "pending" else None,
        outcome=row.outcome,
    )


def expected_record(hook: HookRow, event: Event) -> Delivery:
    """A delivery that the next turn will make; it has no id yet."""
    return Delivery(
        delivery_id=0,
        hook=hook.name,
        event=event.seq,
        type=type_of(event.action),
        model=event.model,
        state="pending",
        attempts=0,
        happened_at=event.time,
        last_attempt_at=None,
        next_attempt_at=None,
        outcome="",
    )
