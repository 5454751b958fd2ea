"""Events of the audit trail and the findings of `doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

# What events tell of. A hook can ask for these, and for nothing that can never be.
ACTIONS = (
    "init", "register", "attach", "edit", "alias", "archive", "restore", "delete", "accept",
    "revoke", "activate", "deactivate", "route", "promote", "rollback", "rollback.refused",
    "rollback.drill", "shadow", "rollout", "rollout.start", "rollout.begin", "rollout.advance",
    "rollout.hold", "rollout.approve", "rollout.pause", "rollout.resume", "rollout.promote",
    "rollout.complete", "rollout.abort", "rollout.retry", "alert.firing", "alert.resolved",
    "alert.acknowledged", "alert.silenced", "policy", "abtest", "abtest create", "abtest start",
    "abtest step", "abtest stop", "abtest delete", "abtest look", "abtest conclusion",
    "abtest conclude", "config", "repair", "hook.add", "hook.remove", "hook.redeliver", "hook.dead",
)  # fmt: skip


def type_of(action: str) -> str:
    """The type that an event has for those who are told of it: its action, with dots."""
    return action.replace(" ", ".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change: who, what, why, when, and the state before and after.

    Attributes:
        hash: SHA-256 over this event's fields and the hash of the event before it.
    """

    seq: int
    time: datetime
    actor: str
    action: str
    object: str
    model: str | None
    reason: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check, or that it was `skipped`, and what was seen."""

    check: str
    state: Literal["ok", "warning", "failed", "skipped"]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings about one registry.

    Attributes:
        repairable: What a repair would put right, in sentences.
        repaired: What one has just put right; the findings are those after it.
    """

    registry: str
    findings: tuple[Finding, ...]
    repairable: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()

    __json__: ClassVar[tuple[str, ...]] = (
        "registry",
        "healthy",
        "findings",
        "repairable",
        "repaired",
    )

    @property
    def healthy(self) -> bool:
        """Whether no check failed; warnings do not count."""
        return all(finding.state != "failed" for finding in self.findings)
