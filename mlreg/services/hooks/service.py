"""Hooks: added, removed, tried out, and delivered."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.delivery.addresses import Allowed
from mlreg.entities.audit import Event
from mlreg.entities.hooks import Delivery, DeliveryReport, Hook, HookTest, Target
from mlreg.entities.traffic import Change
from mlreg.entities.trust import HOLDS
from mlreg.entities.versions import Seal
from mlreg.errors import AlreadyExists, Conflict, NotFound
from mlreg.names import check_name, check_text, safe
from mlreg.services.hooks import targets
from mlreg.services.hooks.patterns import check_patterns, is_told
from mlreg.services.hooks.records import delivery_record, expected_record, hook_record
from mlreg.services.hooks.seals import sealed, standing
from mlreg.services.hooks.turns import TURN_SECONDS, DeliveryTurn, message_of
from mlreg.store.hooks import DeliveryRow, HookRow

if TYPE_CHECKING:
    from mlreg.services.context import Act, Context
    from mlreg.store.store import Transaction

_NO_CHANGE = Change()
_NO_SEAL = Seal("", "", 0, "")
_PIECE = 1000
_TEST = "hook.test"


class Hooks:
    """Who is told of what happens: programs, addresses and people."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def _allowed(self) -> Allowed:
        return Allowed(self._context.settings.text("allow_hosts"))

    def add(
        self,
        events: Sequence[str],
        target: Target,
        *,
        name: str | None = None,
        model: str | None = None,
        timeout_seconds: float | None = None,
        change: Change = _NO_CHANGE,
    ) -> Hook:
        """Have somebody told of what happens from now on.

        Args:
            events: Types of events, and patterns such as `rollout.*`.
            target: A `Program`, an address in the `Web`, or a `Channel` of people.
            name: The hook's name; None: `hook-1` and so on.
            model: Only events of this model.
            timeout_seconds: How long one attempt may take.
            change: Why, and by whom.

        Raises:
            InvalidInput: An event, a target or a number cannot be.
            AlreadyExists: There is a hook of this name.
            KeyUnusable: This user has no key to sign it with.
        """
        kind, kept = targets.prepared(target, self._allowed)
        seconds = targets.check_timeout(kind, timeout_seconds)
        with self._context.acting(change, urgent=False) as act:
            tx = act.tx
            found = None if model is None else tx.models.get(model)
            unsealed = HookRow(
                key=0,
                name=_free_name(tx, name),
                patterns=check_patterns(events, tx.hooks.actions()),
                model_key=found and found.key,
                model=found and found.name,
                kind=kind,
                target=kept,
                timeout_seconds=seconds,
                seal=_NO_SEAL._replace(at=act.at, actor=act.actor),
                seen=0,
            )
            hook = sealed(unsealed)
            after = hook_record(hook)
            if not change.dry_run:
                tx.hooks.add(hook)
                _tell(act, "hook.add", hook, after=after)
            return after

    def list(self) -> list[Hook]:
        """All hooks, the oldest first."""
        with self._context.store.read() as tx:
            hooks, counts = tx.hooks.all(), tx.hooks.counts()
        return [hook_record(hook, counts) for hook in hooks]

    def remove(self, name: str, *, change: Change = _NO_CHANGE) -> Hook:
        """Remove a hook; what it was still to be told, it is not.

        Raises:
            NotFound: There is no such hook.
        """
        with self._context.acting(change, urgent=False) as act:
            hook = _find(act.tx, name)
            before = hook_record(hook, act.tx.hooks.counts())
            if not change.dry_run:
                act.tx.hooks.remove(hook.key)
                _tell(act, "hook.remove", hook, before=before)
            return before

    def test(self, name: str) -> HookTest:
        """Tell a hook of an event that did not happen, now.

        Raises:
            NotFound: There is no such hook.
            Conflict: It was altered since it was signed, or added by somebody whose key this user
                has not accepted.
        """
        context, now = self._context, self._context.clock()
        with context.store.read() as tx:
            hook = _find(tx, name)
        _check_standing(hook)
        event = Event(
            seq=0,
            time=from_micros(now),
            actor=context.actor,
            action=_TEST,
            object=hook.name,
            model=hook.model,
            reason="to try the hook out: nothing has happened",
            before=None,
            after=None,
            hash=secrets.token_hex(32),
        )
        message = message_of(event, str(context.folder))
        outcome = targets.send(hook, message, at=now, allowed=self._allowed)
        return HookTest(
            hook=hook.name,
            succeeded=outcome.succeeded,
            outcome=outcome.said,
            answer=outcome.answer,
        )

    def deliver(
        self, *, name: str | None = None, dry_run: bool = False, seconds: float = TURN_SECONDS
    ) -> DeliveryReport:
        """Tell hooks what is due, each of them one thing after another; `mlreg tick` does the same.

        Args:
            name: Only this hook.
            dry_run: Say what would be delivered, and deliver nothing.
            seconds: After how long nothing new is begun.

        Raises:
            NotFound: There is no such hook.
        """
        context = self._context
        with context.store.read() as tx:
            hooks = tx.hooks.all() if name is None else [_find(tx, name)]
        own = [hook for hook in hooks if standing(hook) in HOLDS]
        turn = DeliveryTurn(context, own, seconds=seconds)
        done = self._planned(own) if dry_run else turn.run()
        with context.store.read() as tx:
            counts = tx.hooks.counts()
        states = [one.state for one in done]
        return DeliveryReport(
            delivered=states.count("delivered"),
            failed=0 if dry_run else states.count("pending"),
            dead=states.count("dead"),
            waiting=sum(counts.get((hook.key, "pending"), 0) for hook in own),
            deliveries=tuple(done),
            not_run=tuple(hook.name for hook in hooks if hook not in own),
            dry_run=dry_run,
        )

    def deliveries(
        self, name: str | None = None, *, failed: bool = False, limit: int = 20
    ) -> Sequence[Delivery]:
        """Deliveries of one hook or of all, the newest event first.

        Args:
            name: The hook.
            failed: Only those that failed, and have not succeeded since.
            limit: How many at most.

        Raises:
            NotFound: There is no such hook.
        """
        with self._context.store.read() as tx:
            key = None if name is None else _find(tx, name).key
            rows = tx.hooks.deliveries(key, failed=failed, limit=limit)
        return [delivery_record(row) for row in rows]

    def redeliver(self, delivery_id: int, *, change: Change = _NO_CHANGE) -> Delivery:
        """Have something delivered anew by the next turn, whatever became of it.

        Raises:
            NotFound: There is no such delivery.
        """
        with self._context.acting(change, urgent=False) as act:
            found = _delivery(act.tx, delivery_id)
            if change.dry_run:
                return delivery_record(found)
            hook = _find(act.tx, found.hook)
            act.tx.hooks.revive(delivery_id, at=act.at)
            after = {"delivery_id": delivery_id, "event": found.event}
            _tell(act, "hook.redeliver", hook, after=after)
            return delivery_record(_delivery(act.tx, delivery_id))

    def _planned(self, hooks: Iterable[HookRow]) -> Sequence[Delivery]:
        """What a turn would try, and what it would only then find to be due."""
        now, found = self._context.clock(), list[Delivery]()
        with self._context.store.read() as tx:
            for hook in hooks:
                rows = tx.hooks.deliveries(hook.key, failed=False, limit=_PIECE)
                pending = [row for row in rows if row.state == "pending" and row.next_at <= now]
                found += map(delivery_record, reversed(pending))
                events = tx.events.after(hook.seen, limit=_PIECE)
                found += [expected_record(hook, event) for event in events if is_told(hook, event)]
        return found


def _free_name(tx: Transaction, name: str | None) -> str:
    if name is not None:
        name = check_name(name, "a hook")
        if tx.hooks.find(name) is not None:
            raise AlreadyExists(f"there is a hook {safe(name)}", hint="see: mlreg hook list")
        return name
    taken = {hook.name for hook in tx.hooks.all()}
    return next(free for n in range(1, len(taken) + 2) if (free := f"hook-{n}") not in taken)


def _find(tx: Transaction, name: str) -> HookRow:
    found = tx.hooks.find(check_text(name, "name of a hook"))
    if found is None:
        known = ", ".join(safe(hook.name) for hook in tx.hooks.all())
        hint = f"there is {known}" if known else "add one: mlreg hook add rollback --exec PROGRAM"
        raise NotFound(f"there is no hook {safe(name)}", hint=hint)
    return found


def _check_standing(hook: HookRow) -> None:
    held = standing(hook)
    if held == "broken":
        name = safe(hook.name)
        raise Conflict(
            f"the hook {name} was altered since it was signed: the signature does not fit",
            hint=f"look at it: mlreg hook list; then mlreg hook remove {name}, and add it anew",
        )
    if held not in HOLDS:
        raise Conflict(
            f"the hook {safe(hook.name)} was added by {safe(hook.seal.actor)}, for whom it is run",
            hint=f"to run it too: mlreg trust accept --from {safe(hook.seal.key)}",
        )


def _delivery(tx: Transaction, delivery_id: int) -> DeliveryRow:
    found = tx.hooks.delivery(delivery_id)
    if found is None:
        raise NotFound(f"there is no delivery {delivery_id}", hint="see: mlreg hook deliveries")
    return found


def _tell(
    act: Act, action: str, hook: HookRow, *, before: object = None, after: object = None
) -> None:
    act.tx.events.append(
        action=action,
        object=hook.name,
        actor=act.actor,
        at=act.at,
        model_key=hook.model_key,
        model=hook.model,
        reason=check_text(act.change.reason, "reason"),
        before=before,
        after=after,
    )
