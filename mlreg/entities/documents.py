"""Documents that the edges hand out and no service returns: their keys are those of the JSON.

They are dictionaries and not dataclasses, which take a quarter of a millisecond each to define.
"""

from __future__ import annotations

from typing import Any


class Document(dict[str, Any]):
    """A result whose class says which view shows it."""


class Sentence(Document):
    """`text`: what people are told instead of a record that says more than they asked."""


class Place(Document):
    """`folder` and `registry`: where a new registry is."""


class VersionList(Document):
    """`models`: versions, as `list` shows them."""


class RevisionList(Document):
    """`model` and its `revisions`, the newest first."""


class RevisionChange(Document):
    """For people: the revision `before`, the one `after`, whether that `is_new`, and the events
    `beside` it."""


class RollbackList(Document):
    """`rollbacks`, the newest first."""


class PredictionLog(Document):
    """`predictions`: rows of the log, the oldest first."""


class DisagreementList(Document):
    """`disagreements`: inputs that two versions answered differently, to be labelled."""


class EventList(Document):
    """`events` of the audit trail, the oldest first."""


class KeyNote(Document):
    """`key`: a public key, this user's or one that they accept or no longer do."""


class RowSet(Document):
    """`columns` and `rows` of a query."""


class SettingList(Document):
    """`settings` with their origins."""


class HookList(Document):
    """`hooks`, the oldest first."""


class DeliveryList(Document):
    """`deliveries` of hooks, the newest event first."""


class ExperimentList(Document):
    """`experiments`, the newest first."""


class RolloutList(Document):
    """`rollouts`, the newest first."""


class StandingList(Document):
    """`experiments` with what they have gathered."""


class Recorded(Document):
    """`test_id`, how many outcomes were `recorded`, and the `prediction_id` of a single one."""


class ThresholdList(Document):
    """`thresholds` of the policies in force."""


class AlertList(Document):
    """`alerts`, the newest first."""


class PolicyList(Document):
    """`model` and its `policies`, the newest first."""


class DecisionList(Document):
    """`decisions`, the newest first."""
