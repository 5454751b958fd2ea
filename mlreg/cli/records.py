"""Records that only the command line has: lists under the name that their JSON gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlreg.config import ConfigEntry
    from mlreg.entities.audit import Event
    from mlreg.entities.predictions import LoggedPrediction
    from mlreg.entities.traffic import Revision, Rollback
    from mlreg.entities.versions import Version


@dataclass(frozen=True)
class Sentence:
    """What people are told instead of a record that says more than they asked."""

    text: str


@dataclass(frozen=True)
class Place:
    """A new registry: the folder it is for, and its own folder."""

    folder: str
    registry: str


@dataclass(frozen=True)
class VersionList:
    """Versions as `list` shows them."""

    models: list[Version]


@dataclass(frozen=True)
class RevisionList:
    """The revisions of a model, the newest first."""

    model: str
    revisions: list[Revision]


@dataclass(frozen=True)
class RollbackList:
    """Rollbacks, the newest first."""

    rollbacks: list[Rollback]


@dataclass(frozen=True)
class RevisionChange:
    """A change of traffic, for people: what was before, what is now, whether that is new."""

    before: Revision | None
    after: Revision
    is_new: bool


@dataclass(frozen=True)
class PredictionLog:
    """Rows of the log, the oldest first."""

    predictions: list[LoggedPrediction]


@dataclass(frozen=True)
class EventList:
    """Events of the audit trail, the oldest first."""

    events: list[Event]


@dataclass(frozen=True)
class SettingList:
    """All settings with their origins."""

    settings: list[ConfigEntry]
