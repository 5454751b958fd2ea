"""What mlreg may do for a model by itself, and what it did, or refused to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from mlreg.entities.hooks import DeliveryReport

Outcome = Literal["done", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What mlreg may do for a model by itself. Number 0 stands for "nothing yet".

    Attributes:
        document: The sections of a policy file below `[model.NAME]`.
    """

    model_key: int
    model: str
    number: int
    document: Mapping[str, Any]
    reason: str
    actor: str
    created_at: datetime
    dry_run: bool = False

    __json__: ClassVar[tuple[str, ...]] = (
        "model",
        "policy",
        "document",
        "reason",
        "actor",
        "created_at",
        "dry_run",
    )

    @property
    def policy(self) -> int:
        """The number, under its name in JSON."""
        return self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A step that did something, or was refused.

    Attributes:
        number: Of all decisions, from 1; 0 for one that is only planned.
        what: What was done, such as `alert.firing`: the action of its event, if it has one.
        object: On what: an alert, a rollout.
        why: The reason, a sentence.
        findings: What it rests on, each with its value, bound, samples and window.
        policy: The policy in force; 0: none.
        revision: The revision in force before it; 0: none.
        engine: The version of the rules that decided.
    """

    number: int
    time: datetime
    model: str | None
    what: str
    object: str
    outcome: Outcome
    why: str
    findings: tuple[Mapping[str, Any], ...]
    policy: int
    revision: int
    engine: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """What will happen if nothing changes.

    Attributes:
        time: When at the earliest; None: that depends on what is measured.
        what: As in a decision.
    """

    time: datetime | None
    model: str | None
    what: str
    object: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one tick did.

    Attributes:
        dry_run: Whether the decisions were only planned.
        decisions: What was done or refused, in order.
        lapsed: What was planned, and found another state when it was to be done.
        upcoming: What will happen if nothing changes.
        told: What hooks were told afterwards; None where there are none.
        busy_with: Who is doing a tick at this moment, so that nothing was done; or None.
    """

    time: datetime
    dry_run: bool
    decisions: tuple[Decision, ...] = ()
    lapsed: int = 0
    upcoming: tuple[Upcoming, ...] = ()
    told: DeliveryReport | None = None
    busy_with: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Why something happened.

    Attributes:
        about: Such as `decision 3`.
        lines: Sentences, in order.
        decisions: Those that it tells of.
    """

    about: str
    lines: tuple[str, ...]
    decisions: tuple[Decision, ...] = ()
