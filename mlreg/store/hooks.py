"""Hooks, the leases on them, and their deliveries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from mlreg.entities.hooks import DeliveryState, HookKind
from mlreg.entities.versions import Seal
from mlreg.jsonable import canonical
from mlreg.store.engines import Connection
from mlreg.store.rows import restored

SELECT = """
    select h.key, h.name, h.patterns, h.model, m.name, h.kind, h.target, h.timeout_seconds,
        h.signer, h.signature, h.created_at, h.created_by, h.seen
    from hooks h left join models m on m.key = h.model
"""
ALL = SELECT + " order by h.key"
ONE = SELECT + " where h.name = :name"
INSERT = """
    insert into hooks (name, patterns, model, kind, target, timeout_seconds, signer, signature,
        created_at, created_by, seen)
    values (:name, :patterns, :model, :kind, :target, :timeout, :signer, :signature, :at, :actor,
        (select coalesce(max(seq), 0) from events))
"""
DELETE_DELIVERIES = "delete from deliveries where hook = :key"
DELETE = "delete from hooks where key = :key"
COUNTS = "select hook, state, count(*) from deliveries group by hook, state"
ACTIONS = "select distinct action from events"
MOVE = "update hooks set seen = :to where key = :key and seen < :to"
QUEUE = """
    insert into deliveries (hook, event, next_at)
    select key, cast(:event as bigint), cast(:at as bigint) from hooks where key = :key
    on conflict (hook, event) do nothing
"""
# A lease or a wait that ends later than any lasts was written by a clock that was wrong.
TAKE = """
    update hooks set lease = :lease, leased_until = :until
    where key = :key and (lease is null or lease = :lease or leased_until <= :now
        or leased_until > :longest)
"""
RELEASE = "update hooks set lease = null, leased_until = null where lease = :lease"
RELEASE_ONE = f"{RELEASE} and key = :key"
DUE = """
    select id, event, attempts, first_at from deliveries
    where hook = :key and state = 'pending' and (next_at <= :now or next_at > :longest)
    order by attempts, event limit :limit
"""
RECORD = """
    update deliveries set state = :state, attempts = :attempts, first_at = coalesce(first_at, :at),
        last_at = :at, next_at = :next_at, outcome = :outcome
    where id = :id and state = 'pending'
"""
REVIVE = """
    update deliveries set state = 'pending', attempts = 0, first_at = null, next_at = :at
    where id = :id
"""
DELIVERIES = """
    select d.id, h.name, d.event, e.action, m.name, d.state, d.attempts, e.at, d.last_at, d.next_at,
        d.outcome
    from deliveries d
    join hooks h on h.key = d.hook
    join events e on e.seq = d.event
    left join models m on m.key = e.model
"""
NEWEST = (
    DELIVERIES
    + """
    where (cast(:key as bigint) is null or d.hook = :key)
        and (:failed = 0 or d.state = 'dead' or (d.state = 'pending' and d.attempts > 0))
    order by d.event desc, d.id desc limit :limit
"""
)
DELIVERY = DELIVERIES + " where d.id = :id"


_PARTS: dict[str, set[str]] = {
    "exec": {"argv", "folder"},
    "url": {"url", "secret_env"},
    "notify": {"address"},
}


class HookRow(NamedTuple):
    """A hook as it is stored; `target` may hold what is not to be shown."""

    key: int
    name: str
    patterns: tuple[str, ...]
    model_key: int | None
    model: str | None
    kind: HookKind
    target: Mapping[str, Any]
    timeout_seconds: float
    seal: Seal
    seen: int


class Due(NamedTuple):
    """A delivery whose time has come."""

    id: int
    event: int
    attempts: int
    first_at: int | None


class DeliveryRow(NamedTuple):
    """A delivery with what its event says of itself; times in microseconds."""

    id: int
    hook: str
    event: int
    action: str
    model: str | None
    state: DeliveryState
    attempts: int
    happened_at: int
    last_at: int | None
    next_at: int
    outcome: str


class Hooks:
    """Reads and writes hooks and deliveries on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[HookRow]:
        """All hooks, the oldest first."""
        return [_row(row) for row in self._connection.execute(ALL)]

    def find(self, name: str) -> HookRow | None:
        """The hook of this name, or None."""
        row = self._connection.execute(ONE, {"name": name}).fetchone()
        return _row(row) if row else None

    def add(self, hook: HookRow) -> None:
        """Add a hook, which is told of what happens from now on."""
        self._connection.execute(
            INSERT,
            {
                "name": hook.name,
                "patterns": canonical(hook.patterns),
                "model": hook.model_key,
                "kind": hook.kind,
                "target": canonical(hook.target),
                "timeout": hook.timeout_seconds,
                "signer": hook.seal.key,
                "signature": hook.seal.signature,
                "at": hook.seal.at,
                "actor": hook.seal.actor,
            },
        )

    def remove(self, key: int) -> None:
        """Remove a hook and its deliveries."""
        self._connection.execute(DELETE_DELIVERIES, {"key": key})
        self._connection.execute(DELETE, {"key": key})

    def counts(self) -> dict[tuple[int, str], int]:
        """How many deliveries there are, by hook and state."""
        return {(hook, state): count for hook, state, count in self._connection.execute(COUNTS)}

    def actions(self) -> list[str]:
        """What events tell of that there have been."""
        return [action for (action,) in self._connection.execute(ACTIONS)]

    def move(self, key: int, to: int, events: Sequence[int], *, at: int) -> None:
        """Move a cursor, and note which of the events on the way the hook is to be told of."""
        rows = [{"key": key, "event": event, "at": at} for event in events]
        self._connection.executemany(QUEUE, rows)
        self._connection.execute(MOVE, {"key": key, "to": to})

    def take(self, key: int, lease: str, *, now: int, until: int, longest: int) -> bool:
        """Take or renew the lease on a hook; whether that went.

        Args:
            key: The hook's.
            lease: Whoever delivers.
            now: The present.
            until: When it ends unless it is renewed.
            longest: The latest that any lease ends at that was given by a clock that is right.
        """
        values = {"key": key, "lease": lease, "now": now, "until": until, "longest": longest}
        return self._connection.execute(TAKE, values).rowcount == 1

    def release(self, lease: str, key: int | None = None) -> None:
        """Let go of one hook, or of all, whose lease this is."""
        if key is None:
            self._connection.execute(RELEASE, {"lease": lease})
        else:
            self._connection.execute(RELEASE_ONE, {"lease": lease, "key": key})

    def due(self, key: int, *, now: int, longest: int, limit: int = 1) -> list[Due]:
        """What a hook is to be told now: first what was never tried."""
        values = {"key": key, "now": now, "longest": longest, "limit": limit}
        return [Due(*row) for row in self._connection.execute(DUE, values)]

    def record(
        self, due: Due, state: DeliveryState, outcome: str, *, at: int, next_at: int
    ) -> bool:
        """Note how an attempt went; whether the delivery was still pending."""
        values = {
            "id": due.id,
            "state": state,
            "attempts": due.attempts + 1,
            "at": at,
            "next_at": next_at,
            "outcome": outcome,
        }
        return self._connection.execute(RECORD, values).rowcount == 1

    def revive(self, delivery_id: int, *, at: int) -> None:
        """Let a delivery be tried anew, whatever became of it."""
        self._connection.execute(REVIVE, {"id": delivery_id, "at": at})

    def deliveries(self, key: int | None, *, failed: bool, limit: int) -> list[DeliveryRow]:
        """Deliveries of one hook or all, the newest event first.

        Args:
            key: The hook's; None: of all.
            failed: Only those that failed at least once and have not succeeded since.
            limit: How many at most.
        """
        values = {"key": key, "failed": int(failed), "limit": limit}
        return [DeliveryRow(*row) for row in self._connection.execute(NEWEST, values)]

    def delivery(self, delivery_id: int) -> DeliveryRow | None:
        """One delivery, or None."""
        row = self._connection.execute(DELIVERY, {"id": delivery_id}).fetchone()
        return DeliveryRow(*row) if row else None


def _row(row: Sequence[Any]) -> HookRow:
    with restored("hooks", row[0]):
        patterns, target = json.loads(row[2]), json.loads(row[6])
        if not (isinstance(target, dict) and target.keys() >= _PARTS[row[5]]):
            raise TypeError("the target of a hook is an object of its kind")
        return HookRow(
            key=row[0],
            name=row[1],
            patterns=tuple(map(str, patterns)),
            model_key=row[3],
            model=row[4],
            kind=cast(HookKind, row[5]),
            target=target,
            timeout_seconds=row[7],
            seal=Seal(row[8], row[9], row[10], row[11]),
            seen=row[12],
        )
