"""Shadows: what versions answered that were asked behind the live answer, beside what was live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from mlreg.entities.predictions import Scalar

ShadowVerdict = Literal["shadow-better", "live-better", "undecided"]
# Where a shadow's row comes from: asked behind the live answer, or later from the log.
BEHIND, REPLAYED = "shadow", "replay"


class Meeting(NamedTuple):
    """How many pairs went one way.

    Attributes:
        live: What was answered live (JSON); None for a failure, or where answers are numbers.
        shadow: What the shadow answered.
        live_failed: Whether the live version gave no answer.
        shadow_failed: Whether the shadow gave none.
        same: Whether both gave the same answer.
        live_correct: Whether the live answer was right; None where nobody knows.
        shadow_correct: Whether the shadow's was.
        number: How many.
        replayed: How many of them were asked from the log.
        live_confident: How many live answers have a confidence; `live_confidence` is their sum.
        shadow_confident: How many of the shadow's have one.
    """

    live: str | None
    shadow: str | None
    live_failed: int
    shadow_failed: int
    same: int
    live_correct: int | None
    shadow_correct: int | None
    number: int
    replayed: int = 0
    live_confident: int = 0
    live_confidence: float = 0.0
    shadow_confident: int = 0
    shadow_confidence: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether neither is better, whatever is right: the same answer, or none from either."""
        return bool(self.same or (self.live_failed and self.shadow_failed))

    @property
    def is_labelled(self) -> bool:
        """Whether it is known of both whether they are right."""
        return None not in (self.live_correct, self.shadow_correct)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChange:
    """How often a live answer met another one of the shadow; None stands for a failure.

    Attributes:
        only_live: Pairs with a label that only the live answer has right.
        only_shadow: Those that only the shadow has right.
    """

    live: Scalar | None
    shadow: Scalar | None
    pairs: int
    only_live: int
    only_shadow: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShare:
    """How often an answer was given by each."""

    answer: Scalar | None
    live: int
    shadow: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Pairs with a label, by who is right."""

    pairs: int
    both: int
    only_live: int
    only_shadow: int
    neither: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The shadow's measure minus that of the live version, on the inputs that both were asked.

    Attributes:
        measure: `accuracy`, or `mae`, of which less is better.
        estimate: None where nothing can be said yet.
        lower: Limits that hold at all looks together; `upper` likewise.
        p_value: Valid however often it is looked at.
        alpha: The chance of a verdict, at any look, where there is no difference.
        needed: How many more labels on disagreements would decide if they fall as so far; None
            where none would, or it is decided.
    """

    measure: Literal["accuracy", "mae"]
    estimate: float | None
    lower: float | None
    upper: float | None
    p_value: float
    alpha: float
    needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedLatency:
    """Latencies of pairs that were asked alike: one by one, or as the first of a batch."""

    pairs: int
    live_p50_ms: float
    shadow_p50_ms: float
    live_p95_ms: float
    shadow_p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowComparison:
    """A shadow beside a version that answered, on the same inputs.

    Attributes:
        replayed: Pairs whose shadow was asked later, from the log.
        agreement: The share of pairs with the same answer; None without pairs.
        changes: What became what, the most frequent first; empty where answers are numbers.
        answers: How often each answer was given; empty where answers are numbers.
        labelled: By who is right; None where answers are numbers.
        live_confidence: The mean over the answers that have one.
    """

    shadow: str
    shadow_id: str
    live: str
    live_id: str
    pairs: int
    replayed: int
    same: int
    agreement: float | None
    live_failed: int
    shadow_failed: int
    changes: tuple[AnswerChange, ...]
    answers: tuple[AnswerShare, ...]
    labelled: Labelled | None
    labels: int
    difference: PairedDifference
    latency: PairedLatency | None
    live_confidence: float | None
    shadow_confidence: float | None
    verdict: ShadowVerdict
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCoverage:
    """What became of the inputs that a version was to be asked behind the answer.

    All but `dropped` is of the window of the report.

    Attributes:
        followed: Live predictions while it was a shadow.
        asked: Those that it was asked.
        dropped: Those of all time that it was not, by why; what was under way when a process was
            killed is in neither.
        replayed: Predictions that it was asked from the log.
        active: Whether it is a shadow now.
    """

    version: str
    model_id: str
    active: bool
    followed: int
    asked: int
    dropped: Mapping[str, int]
    replayed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """All shadows of a model, each beside every version that answered the same inputs."""

    model: str
    since: datetime | None
    shadows: tuple[ShadowCoverage, ...]
    comparisons: tuple[ShadowComparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """An input that nobody has labelled and that two versions answered differently.

    Attributes:
        prediction_id: The live prediction; a label on it settles the shadow's as well.
        input: None where the log does not keep it.
    """

    prediction_id: int
    shadow_prediction_id: int
    time: datetime
    input: object
    unit: str | None
    live_version: str
    live: Scalar | None
    live_confidence: float | None
    shadow_version: str
    shadow: Scalar | None
    shadow_confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What became of a replay of the log.

    Attributes:
        replayed: Predictions that the version was asked; `failed` of them had no answer.
        not_kept: Those whose input the log does not have.
        dry_run: Nothing was asked; this is what would have been.
    """

    model: str
    version: str
    since: datetime
    replayed: int
    failed: int
    not_kept: int
    dry_run: bool
