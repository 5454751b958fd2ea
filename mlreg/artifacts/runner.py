"""What runs a model: the border between mlreg and other people's code.

A runner is given models by digest and inputs that are already validated against the signature.
It never raises because of what a model does: every input gets an `Answer` or a `Failure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from mlreg.entities.versions import Signature

Output = str | int | float | bool
Input = str | dict[str, str | int | float | bool | None] | list[int | float | None]
FailureKind = Literal["error", "timeout", "died", "shape", "artifact", "untrusted"]


class Loadable(NamedTuple):
    """All that a runner needs to load a version: never a path that can change underneath."""

    digest: str
    flavor: str
    trusted: bool
    signature: Signature


class Answer(NamedTuple):
    """A model's output for one input; confidence in 0..1, or None where the model has none."""

    output: Output
    confidence: float | None


class Failure(NamedTuple):
    """Why one input got no output: one line, without control characters."""

    kind: FailureKind
    message: str


class Batch(NamedTuple):
    """Outcomes in the order of the inputs, and the seconds that the model's calls took."""

    outcomes: list[Answer | Failure]
    seconds: float


class Inspection(NamedTuple):
    """What loading an artifact revealed; notes are lines for people, such as a version mismatch."""

    flavor: str
    signature: Signature
    notes: tuple[str, ...] = ()


class Pending(Protocol):
    """Answers that are on their way."""

    def result(self) -> Batch:
        """The answers, once they are there."""


class Runner(Protocol):
    """Loads and calls models."""

    def inspect(self, digest: str, *, trusted: bool) -> Inspection:
        """Load the object through the allow-list (or freely, if trusted) and infer its signature.

        Raises:
            ArtifactError: It is missing, altered, untrusted, no model, or cannot be loaded.
        """

    def predict(self, model: Loadable, inputs: Sequence[Input]) -> Batch:
        """Answer each input, in order. One bad input never fails its neighbours."""

    def submit(self, model: Loadable, inputs: Sequence[Input]) -> Pending:
        """Begin to answer, so that the caller can do something else until it asks for the result.

        Results may be asked for in any order; one that nobody asks for costs nothing but its work.
        """

    def close(self) -> None:
        """End what the runner started; it can be called more than once."""
