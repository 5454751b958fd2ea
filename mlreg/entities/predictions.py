"""Predictions and the feedback that arrives for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from mlreg.entities.traffic import Rollback

Scalar = str | int | float | bool
PredictionRole = Literal["live", "shadow", "forced"]
PredictionStatus = Literal["ok", "error", "timeout"]

# The log stores a role and a status as small numbers: their place in these tuples.
ROLES: tuple[PredictionRole, ...] = ("live", "shadow", "forced")
# As the log keeps them.
LIVE, SHADOW, FORCED = range(len(ROLES))
PREDICTION_STATUSES: tuple[PredictionStatus, ...] = ("ok", "error", "timeout")

LABEL = "label"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One logged answer, or one logged failure (`error` says why and `prediction` is None).

    In a stream, an input that could not be read is answered by a record that has only `error`:
    no model was asked and nothing was logged.

    Attributes:
        confidence: The probability of the predicted class, 0 to 1; None where there is none.
        latency_ms: Milliseconds that the model took; in a batch, its share of the batch.
        arm_reason: Why this version answered: `only-arm`, `random`, `round-robin`, `sticky`,
            `no-unit` (sticky, but no unit was given) or `forced`.
        warning: What this answer has caused: `rolled back: 2.0.0 → 1.0.0: …`.
        rollback: The rollback itself, in the library.
    """

    prediction: Scalar | None
    confidence: float | None
    model_version: str | None
    model_id: str | None
    model: str | None
    prediction_id: int | None
    revision: int | None
    latency_ms: float | None
    arm_reason: str | None
    error: str | None = None
    warning: str | None = None
    rollback: Rollback | None = None

    __json__: ClassVar[tuple[str, ...]] = (
        "prediction",
        "confidence",
        "model_version",
        "model_id",
        "model",
        "prediction_id",
        "revision",
        "latency_ms",
        "arm_reason",
        "error",
        "warning",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPrediction:
    """A row of the prediction log, as `mlreg log` shows it."""

    prediction_id: int
    time: datetime
    model: str
    model_version: str
    model_id: str
    revision: int
    role: PredictionRole
    status: PredictionStatus
    input: object
    prediction: Scalar | None
    confidence: float | None
    latency_ms: float | None
    unit: str | None
    segment: Mapping[str, str]
    cost: float | None
    arm_reason: str
    error: str | None
    label: Scalar | None
    correct: bool | None

    def answer(self) -> Prediction:
        """What the caller got."""
        return Prediction(
            prediction=self.prediction,
            confidence=self.confidence,
            model_version=self.model_version,
            model_id=self.model_id,
            model=self.model,
            prediction_id=self.prediction_id,
            revision=self.revision,
            latency_ms=self.latency_ms,
            arm_reason=self.arm_reason,
            error=self.error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReceipt:
    """What became of answers that a program of the user's gave.

    Attributes:
        version: Who gave it, where it is a single answer; `revision` and `prediction_id` likewise.
        recorded: How many were new.
        duplicates: How many had been recorded before, by their request ids.
        warning: What they have caused: `rolled back: 2.0.0 → 1.0.0: …`.
        rollback: The rollback itself.
    """

    model: str
    version: str | None = None
    revision: int | None = None
    prediction_id: int | None = None
    recorded: int
    duplicates: int
    warning: str | None = None
    rollback: Rollback | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Truth about one prediction: a label, a judgement, or a named value (exactly one).

    Attributes:
        prediction_id: The id that came with the answer; None where `request_id` says which.
        request_id: The id that the caller gave when it asked.
        name: `label` for a label or a judgement, else the name of the value.
    """

    prediction_id: int | None = None
    request_id: str | None = None
    name: str = LABEL
    label: Scalar | None = None
    correct: bool | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackEntry:
    """What was said about a prediction at one time; the newest entry of a name counts."""

    time: datetime
    name: str
    label: Scalar | None
    correct: bool | None
    value: float | None
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionTrail:
    """A prediction with all that is known of it.

    Attributes:
        request_id: The caller's own id, if it came with one.
        feedback: The oldest first.
        same_input: Other predictions of the same input: the live one, or those of shadows.
    """

    prediction: LoggedPrediction
    request_id: str | None
    feedback: tuple[FeedbackEntry, ...]
    same_input: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReceipt:
    """What became of some feedback.

    Attributes:
        recorded: Entries that said something new.
        unknown: Ids that no prediction has; nothing is recorded for them.
        duplicates: Entries that repeat what is known; they are not stored again.
        unusual_labels: Labels that are none of the version's classes, with how often they came;
            they count as wrong answers.
        dry_run: Nothing was recorded; this is what would have been.
    """

    recorded: int
    unknown: tuple[int | str, ...]
    duplicates: int
    unusual_labels: Mapping[str, int] = field(default_factory=dict)
    dry_run: bool = False
