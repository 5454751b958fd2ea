"""All at a glance: who serves, how it does, what is wrong, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mlreg.entities.decisions import Upcoming
from mlreg.entities.rollouts import Rollout
from mlreg.entities.thresholds import Alert
from mlreg.entities.traffic import Role, Rollback, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingVersion:
    """A version that takes part, with what it did in the last day, by the hour.

    Attributes:
        since: Since when it has served without a break; None for one that is asked behind it.
        requests: Live predictions.
    """

    version: str
    model_id: str
    role: Role
    traffic_percent: float
    since: datetime | None
    requests: int
    error_rate: float | None
    p95_latency_ms: float | None
    accuracy: float | None
    labelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTest:
    """A test that runs: more says `abtest analyze`."""

    test_id: str
    control: str
    treatments: tuple[str, ...]
    started_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """One model.

    Attributes:
        revision: The one in force; 0 before the first.
        since: When that began.
        policy: The one in force; 0: none.
        alerts: Those that are pending or fire.
        rollouts: Those that are under way.
        last_rollback: None if there was none.
    """

    model: str
    revision: int
    since: datetime | None
    strategy: Strategy
    policy: int
    serving: tuple[ServingVersion, ...]
    alerts: tuple[Alert, ...]
    tests: tuple[RunningTest, ...]
    rollouts: tuple[Rollout, ...]
    last_rollback: Rollback | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All models, or one.

    Attributes:
        last_tick: When time last made things happen for all models.
        upcoming: What will happen if nothing changes, what is due first.
    """

    time: datetime
    last_tick: datetime | None
    models: tuple[ModelStatus, ...]
    upcoming: tuple[Upcoming, ...]
