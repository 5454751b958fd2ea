"""Hooks: who is told of what happens, and how each telling went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, NamedTuple

from mlreg.entities.trust import HOLDS, Standing


class Program(NamedTuple):
    """A target: a program and its arguments, which gets the event as JSON on its stdin."""

    argv: Sequence[str]


class Web(NamedTuple):
    """A target: an http or https address, or `env:NAME` for what that variable holds.

    Attributes:
        secret_env: The variable that holds the secret which requests are signed by.
    """

    url: str
    secret_env: str | None = None


class Channel(NamedTuple):
    """A target: the address of a channel as Apprise has it, or `env:NAME`."""

    address: str


Target = Program | Web | Channel
HookKind = Literal["exec", "url", "notify"]
DeliveryState = Literal["pending", "delivered", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Who is told of which events, by what.

    Attributes:
        events: Types of events, or patterns of them.
        model: Only events of this model; None: of all.
        target: A program with its arguments, or an address without what may be secret in it.
        secret_env: The variable that holds the secret which requests are signed by.
        standing: Why it is delivered by this user, or why not: see `counts`.
        pending: Deliveries that are still to succeed.
        dead: Deliveries that were given up.
    """

    name: str
    events: tuple[str, ...]
    model: str | None
    kind: HookKind
    target: str
    secret_env: str | None
    timeout_seconds: float
    created_at: datetime
    created_by: str
    key: str
    standing: Standing
    pending: int = 0
    delivered: int = 0
    dead: int = 0

    __json__: ClassVar[tuple[str, ...]] = (
        "name",
        "events",
        "model",
        "kind",
        "target",
        "secret_env",
        "timeout_seconds",
        "created_at",
        "created_by",
        "key",
        "counts",
        "standing",
        "pending",
        "delivered",
        "dead",
    )

    @property
    def counts(self) -> bool:
        """Whether this user delivers it: they added it, or accept the key of whoever did."""
        return self.standing in HOLDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one hook.

    Attributes:
        event: The number of the event in the audit trail.
        type: What happened, such as `rollback` or `abtest.conclude`.
        outcome: How the last attempt ended.
    """

    delivery_id: int
    hook: str
    event: int
    type: str
    model: str | None
    state: DeliveryState
    attempts: int
    happened_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What one turn of deliveries did.

    Attributes:
        deliveries: Those that were tried, or would be.
        waiting: How many wait for their next attempt.
        not_run: Hooks that somebody added whose key this user has not accepted.
    """

    delivered: int
    failed: int
    dead: int
    waiting: int
    deliveries: tuple[Delivery, ...]
    not_run: tuple[str, ...]
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HookTest:
    """How a hook took an event that did not happen.

    Attributes:
        answer: The beginning of what was answered or printed; it is not kept.
    """

    hook: str
    succeeded: bool
    outcome: str
    answer: str
