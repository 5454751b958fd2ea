"""Thresholds, and the alerts that they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple

Severity = Literal["info", "warning", "critical"]
Action = Literal["alert", "rollback", "pause"]
AlertState = Literal["pending", "firing", "resolved"]

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
ACTIONS: tuple[Action, ...] = ("alert", "rollback", "pause")


class Anomaly(NamedTuple):
    """A metric that is far from what it was in the same hours of past days, in sigmas."""

    metric: str
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What must hold of a model, and what happens where it does not.

    Attributes:
        condition: What must hold, in its canonical form; None for an anomaly.
        firing: The open alerts that it has given.
        cost: How often it would fire without any change, a sentence; empty where nobody asked.
    """

    name: str
    condition: str | None = None
    anomaly: Anomaly | None = None
    severity: Severity = "warning"
    action: Action = "alert"
    model: str = ""
    firing: int = 0
    cost: str = ""

    __json__: ClassVar[tuple[str, ...]] = (
        "model",
        "name",
        "condition",
        "anomaly",
        "severity",
        "action",
        "firing",
        "cost",
    )

    @property
    def demand(self) -> str:
        """What must hold, for people."""
        if self.anomaly is None:
            return self.condition or ""
        return f"{self.anomaly.metric} within {self.anomaly.sigma:g} sigma of its past"


class Standing(NamedTuple):
    """Where an alert stands between two evaluations.

    Attributes:
        since: When the present run of evaluations that speak for the next state began; None: the
            last one spoke for this one.
        streak: How many they are.
        evaluated_at: When the last one was that counted, in microseconds as `since`.
    """

    state: AlertState
    since: int | None
    streak: int
    evaluated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A threshold that a version, or the model as a whole, has broken.

    Attributes:
        version: None where the whole model is meant.
        finding: The one that it last changed its state by.
        silenced: Whether nobody is to be told now.
        acted: The revision that its action made; 0: it was refused; None: none, or not yet.
        told_at: When its event was written.
    """

    alert: int
    model: str
    threshold: str
    version: str | None
    state: AlertState
    condition: str
    severity: Severity
    action: Action
    policy: int
    revision: int
    began_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acted: int | None
    finding: Mapping[str, Any]
    standing: Standing
    silenced: bool = False
    told_at: datetime | None = None

    __json__: ClassVar[tuple[str, ...]] = (
        "alert",
        "model",
        "threshold",
        "version",
        "state",
        "condition",
        "severity",
        "action",
        "policy",
        "revision",
        "began_at",
        "fired_at",
        "resolved_at",
        "acknowledged_at",
        "acknowledged_by",
        "silenced",
        "acted",
        "finding",
    )

    @property
    def object(self) -> str:
        """What decisions on it are kept by."""
        return object_of(self.model, self.threshold, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A time in which nobody is told of alerts: of one threshold, or of all of a model."""

    model: str
    threshold: str | None
    since: datetime
    until: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldFire:
    """An alert that there would have been.

    Attributes:
        over_at: When it would have been over; None: not by the end.
    """

    fired_at: datetime
    over_at: datetime | None = None
    version: str
    why: str

    def over(self, at: datetime) -> WouldFire:
        """The same, and when it was over."""
        return replace(self, over_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A threshold tried on the log.

    Attributes:
        looks: How often it was held against a window that somebody had asked in.
        fired: The alerts that there would have been, the oldest first.
    """

    model: str
    threshold: str
    condition: str
    since: datetime
    until: datetime
    looks: int
    fired: tuple[WouldFire, ...]


def object_of(model: str, threshold: str, version: str | None) -> str:
    """How decisions name an alert, also before it has a number."""
    return f"{model}/{threshold}" + (f"@{version}" if version else "")
