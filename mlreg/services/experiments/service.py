"""The service of experiments; each part has a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlreg.entities.experiments import (
    Analysis,
    Assignment,
    Experiment,
    Mode,
    Outcome,
    State,
    TestStrategy,
    Verification,
)
from mlreg.entities.predictions import FeedbackReceipt, Scalar
from mlreg.entities.traffic import Change
from mlreg.services.context import Context
from mlreg.services.traffic import Traffic

_NO_CHANGE = Change()


class Experiments:
    """A/B tests on the traffic of a model."""

    def __init__(self, context: Context, traffic: Traffic) -> None:
        self._context = context
        self._traffic = traffic

    def create(
        self,
        test_id: str,
        *,
        control: str,
        treatments: Sequence[str],
        split: float | None = None,
        weights: Mapping[str, float] | None = None,
        strategy: TestStrategy = "random",
        metric: str = "success_rate",
        secondary: Sequence[str] = (),
        guardrails: Sequence[str] = (),
        alpha: float = 0.05,
        power: float = 0.8,
        mde: float | None = None,
        min_effect: float | None = None,
        min_samples: int = 100,
        max_duration: str | None = None,
        mode: Mode | None = None,
        baseline: float | None = None,
        hypothesis: str = "",
        description: str = "",
        change: Change = _NO_CHANGE,
    ) -> Experiment:
        """Write down a design; nothing changes for users before `start`."""
        raise NotImplementedError

    def start(self, test_id: str, *, change: Change = _NO_CHANGE) -> Experiment:
        """Freeze the design and put its split in force."""
        raise NotImplementedError

    def get(self, test_id: str) -> Experiment:
        """One experiment."""
        raise NotImplementedError

    def list(self, *, model: str | None = None, state: State | None = None) -> list[Experiment]:
        """The experiments, the newest first."""
        raise NotImplementedError

    def step(
        self, test_id: str, *, to: float | None = None, change: Change = _NO_CHANGE
    ) -> Experiment:
        """Give a canary's treatments more traffic: ten points, or up to `to` percent."""
        raise NotImplementedError

    def analyze(self, test_id: str) -> Analysis:
        """Look at an experiment; the look counts when it opens a new slot."""
        raise NotImplementedError

    def conclude(
        self,
        test_id: str,
        *,
        promote_winner: bool = False,
        force: bool = False,
        change: Change = _NO_CHANGE,
    ) -> Analysis:
        """End an experiment with its verdict; `force` needs `change.reason`."""
        raise NotImplementedError

    def stop(self, test_id: str, *, change: Change = _NO_CHANGE) -> Experiment:
        """End an experiment without a verdict and put the traffic as it was."""
        raise NotImplementedError

    def verify(self, test_id: str) -> Verification:
        """Compute every stored verdict again, from its receipt and from the log."""
        raise NotImplementedError

    def assign(self, test_id: str, *, unit: str | None = None) -> Assignment:
        """Which arm answers a unit."""
        raise NotImplementedError

    def record(
        self,
        test_id: str,
        *,
        unit: str | None = None,
        variant: str | None = None,
        version: str | None = None,
        revision: int | None = None,
        output: object = None,
        confidence: float | None = None,
        latency_ms: float | None = None,
        cost: float | None = None,
        error: str | None = None,
        success: bool | None = None,
        label: Scalar | None = None,
        correct: bool | None = None,
        values: Mapping[str, float] | None = None,
    ) -> int:
        """Log one answer that was given elsewhere; returns the prediction's id."""
        raise NotImplementedError

    def record_many(
        self,
        test_id: str,
        outcomes: Iterable[Outcome | Mapping[str, Any]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Log many answers; returns how many."""
        raise NotImplementedError

    def feedback(
        self,
        test_id: str,
        prediction_id: int,
        label: Scalar | None = None,
        *,
        correct: bool | None = None,
        values: dict[str, float] | None = None,
        actor: str | None = None,
    ) -> FeedbackReceipt:
        """Record the truth about an answer of this experiment."""
        raise NotImplementedError

    def decorate(self, test_id: str, *, unit: str = "user") -> Callable[..., Any]:
        """Route the argument `model` of a function whose argument `unit` names the user."""
        raise NotImplementedError
