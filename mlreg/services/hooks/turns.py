"""One turn of deliveries: cursors move, then each hook is told what is due, one after another.

Each hook has a thread of its own, which does nothing but send: those that hang keep nobody else
waiting. The database is this thread's, and no transaction is open while anything is sent. A lease
on each hook keeps two who deliver at once from telling it twice; who is killed leaves it to run
out, and what was under way is told again, under the same id.
"""

from __future__ import annotations

import os
import queue
import secrets
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import SECOND
from mlreg.delivery.addresses import Allowed
from mlreg.delivery.message import Message, Outcome
from mlreg.entities.audit import Event, type_of
from mlreg.entities.hooks import Delivery, DeliveryState
from mlreg.errors import MlregError
from mlreg.services.hooks.patterns import is_told
from mlreg.services.hooks.records import delivery_record
from mlreg.services.hooks.retries import LONGEST, is_given_up, wait
from mlreg.services.hooks.targets import LONGEST_TIMEOUT, send

if TYPE_CHECKING:
    from mlreg.services.context import Context
    from mlreg.store.hooks import Due, HookRow
    from mlreg.store.store import Transaction

# After so long a turn begins nothing new: the next one goes on.
TURN_SECONDS = 20.0
_GRACE_SECONDS = 2.0
_PIECE = 1000


class Flight(NamedTuple):
    """A delivery under way, and when it is no longer waited for."""

    hook: HookRow
    due: Due
    event: Event
    until: float


class DeliveryTurn:
    """Tells hooks what is due.

    Args:
        context: The registry.
        hooks: Those that this user delivers.
        seconds: After how long nothing new is begun.
    """

    def __init__(
        self, context: Context, hooks: Sequence[HookRow], *, seconds: float = TURN_SECONDS
    ) -> None:
        self._context = context
        self._hooks = hooks
        self._allowed = Allowed(context.settings.text("allow_hosts"))
        self._lease = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._until = monotonic() + seconds
        self._back: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()
        self._flying: dict[int, Flight] = {}
        self.done: list[Delivery] = []

    def run(self) -> list[Delivery]:
        """Deliver; what was tried, in the order in which it ended."""
        try:
            for hook in self._hooks:
                move_cursor(self._context, hook)
                self._begin(hook)
            while self._flying:
                for flight, outcome in self._landed():
                    self._record(flight, outcome)
                    # Whoever failed is left alone until the next turn.
                    if outcome.succeeded and monotonic() < self._until:
                        self._begin(flight.hook)
        finally:
            with suppress(MlregError), self._context.store.write(durable=False) as tx:
                tx.hooks.release(self._lease)
        return self.done

    def _begin(self, hook: HookRow) -> None:
        """Send off what a hook is to be told next, if there is anything and nobody else does."""
        context, now = self._context, self._context.clock()
        longest = now + _span(LONGEST_TIMEOUT)
        with context.store.read() as tx:
            if not tx.hooks.due(hook.key, now=now, longest=now + LONGEST):
                return
        with context.store.write(durable=False) as tx:
            until = now + _span(hook.timeout_seconds)
            if not tx.hooks.take(hook.key, self._lease, now=now, until=until, longest=longest):
                return
            due = next(iter(tx.hooks.due(hook.key, now=now, longest=now + LONGEST)), None)
            if due is None:
                return
            (event,) = tx.events.after(due.event - 1, limit=1)
        limit = monotonic() + hook.timeout_seconds + _GRACE_SECONDS
        self._flying[due.id] = Flight(hook, due, event, limit)
        Thread(target=self._send, args=(hook, due, event, now), daemon=True).start()

    def _send(self, hook: HookRow, due: Due, event: Event, at: int) -> None:
        try:
            message = message_of(event, str(self._context.folder))
            outcome = send(hook, message, at=at, allowed=self._allowed)
        except Exception as error:  # noqa: BLE001  # in a thread it would be lost
            outcome = Outcome(False, f"failed by {type(error).__name__}")
        self._back.put((due.id, outcome))

    def _landed(self) -> list[tuple[Flight, Outcome]]:
        """What has come back, or has been away for too long."""
        patience = min(flight.until for flight in self._flying.values()) - monotonic()
        with suppress(queue.Empty):
            number, outcome = self._back.get(timeout=max(patience, 0.0))
            flight = self._flying.pop(number, None)  # none: it was given up before
            return [(flight, outcome)] if flight is not None else []
        late = [number for number, f in self._flying.items() if f.until <= monotonic()]
        flights = [self._flying.pop(number) for number in late]
        return [
            (f, Outcome(False, f"took longer than {f.hook.timeout_seconds:g} s")) for f in flights
        ]

    def _record(self, flight: Flight, outcome: Outcome) -> None:
        hook, due, now = flight.hook, flight.due, self._context.clock()
        attempts, state = due.attempts + 1, _state(due, outcome, now)
        pause = wait(attempts, asked_seconds=outcome.wait_seconds) if state == "pending" else 0
        with self._context.store.write(durable=False) as tx:
            was_open = tx.hooks.record(due, state, outcome.said, at=now, next_at=now + pause)
            if was_open and state == "dead":
                self._tell_dead(tx, flight, outcome.said, now)
            if not outcome.succeeded:
                tx.hooks.release(self._lease, hook.key)
            found = tx.hooks.delivery(due.id)
        if found is not None:
            self.done.append(delivery_record(found))

    def _tell_dead(self, tx: Transaction, flight: Flight, outcome: str, now: int) -> None:
        """Say in the audit trail that somebody was not told: who else listens may do something."""
        event = flight.event
        tx.events.append(
            action="hook.dead",
            object=flight.hook.name,
            actor=self._context.actor,
            at=now,
            reason=f"gave up telling it of event {event.seq} ({type_of(event.action)}): {outcome}",
            after={"delivery_id": flight.due.id, "event": event.seq, "outcome": outcome},
        )


def move_cursor(context: Context, hook: HookRow) -> None:
    """Note what a hook is to be told of what happened since it was last looked at."""
    seen = hook.seen
    while True:
        with context.store.read() as tx:
            events = tx.events.after(seen, limit=_PIECE)
        if not events:
            return
        told = [event.seq for event in events if is_told(hook, event)]
        seen = events[-1].seq
        with context.store.write(durable=False) as tx:
            tx.hooks.move(hook.key, seen, told, at=context.clock())


def message_of(event: Event, registry: str) -> Message:
    """An event as it is told: its number and the beginning of its hash are the id."""
    return Message(f"{event.seq}-{event.hash[:12]}", type_of(event.action), event, registry)


def _state(due: Due, outcome: Outcome, now: int) -> DeliveryState:
    if outcome.succeeded:
        return "delivered"
    first = now if due.first_at is None else due.first_at
    over = outcome.is_gone or is_given_up(due.attempts + 1, first_at=first, now=now)
    return "dead" if over else "pending"


def _span(seconds: float) -> int:
    """How long a lease lasts for a delivery that may take so long, in microseconds."""
    return int((seconds + 2 * _GRACE_SECONDS) * SECOND)
