"""Answers: what was asked, what came back, and how both are logged and returned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mlreg.artifacts.runner import Answer, Batch, Failure
from mlreg.entities.predictions import Prediction
from mlreg.entities.traffic import Rollback
from mlreg.errors import (
    ArtifactError,
    MlregError,
    PredictionFailed,
    TrustNotAccepted,
)
from mlreg.inputs import Input
from mlreg.jsonable import encode_plain
from mlreg.services.requests import Token
from mlreg.services.routes import Served
from mlreg.store.predictions import Entry

_OK, _ERROR, _TIMEOUT = 0, 1, 2


class Request(NamedTuple):
    """One input of many, with what it carries.

    Attributes:
        value: The input itself, or text to read as one where `is_text`.
        problem: Why the line it came from holds no input; it is then answered by that error.
        request_id: The same id gets the same answer and one row of the log.
    """

    value: object
    unit: str | None = None
    segment: Mapping[str, str] | None = None
    problem: str | None = None
    request_id: str | None = None


class Assigned(NamedTuple):
    """An input on its way: who answers it, and why."""

    value: Input
    request: Request
    arm: Served
    revision: int
    role: int
    reason: str
    token: Token | None


def warning_of(rollback: Rollback | None) -> str | None:
    """What an answer says of the rollback that it has caused."""
    if rollback is None:
        return None
    return f"rolled back: {rollback.from_split} → {rollback.to_split}: {rollback.finding}"


class Refused(NamedTuple):
    """Answers of a version that may not run here: none, and why."""

    error: ArtifactError
    number: int

    def result(self) -> Batch:
        """A failure for each input. See `Pending.result`."""
        return Batch([Failure("untrusted", self.error.message)] * self.number, 0.0)


def columns(outcome: Answer | Failure) -> tuple[str | None, float | None, int]:
    """Output, confidence and status as the log stores them."""
    if isinstance(outcome, Answer):
        return encode_plain(outcome.output), outcome.confidence, _OK
    return None, None, _TIMEOUT if outcome.kind == "timeout" else _ERROR


def prediction_of(
    entry: Entry,
    assigned: Assigned,
    prediction_id: int,
    outcome: Answer | Failure,
    rollback: Rollback | None = None,
) -> Prediction:
    version = assigned.arm.version
    return Prediction(
        prediction=outcome.output if isinstance(outcome, Answer) else None,
        confidence=entry.confidence,
        model_version=version.version,
        model_id=version.model_id,
        model=version.name,
        prediction_id=prediction_id,
        revision=entry.revision,
        latency_ms=entry.latency_us / 1000,
        arm_reason=entry.arm_reason,
        # Live, in full: what the log has of it may be less.
        error=outcome.message if isinstance(outcome, Failure) else None,
        warning=warning_of(rollback),
        rollback=rollback,
    )


def unread(problem: str) -> Prediction:
    """The answer to an input that could not be read: nothing was asked and nothing is logged."""
    return Prediction(
        prediction=None,
        confidence=None,
        model_version=None,
        model_id=None,
        model=None,
        prediction_id=None,
        revision=None,
        latency_ms=None,
        arm_reason=None,
        error=problem,
    )


def raised(
    failure: Failure, assigned: Assigned, prediction_id: int, rollback: Rollback | None = None
) -> MlregError:
    ref = assigned.arm.version.ref
    if failure.kind == "untrusted":
        return TrustNotAccepted(
            failure.message, hint=f"see: mlreg trust list; to let it: mlreg trust accept {ref}"
        )
    if failure.kind == "artifact":
        return ArtifactError(f"{ref}: {failure.message}", hint="run: mlreg doctor")
    return PredictionFailed(
        f"{ref} failed: {failure.message}",
        hint=f"logged as prediction {prediction_id}; see: mlreg log --errors",
        prediction_id=prediction_id,
        rollback=rollback,
    )
