"""Experiments: the design that is frozen at the start, phases, and who takes part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from mlreg.entities.traffic import WHOLE

State = Literal["draft", "running", "concluded", "stopped"]
Mode = Literal["group-sequential", "always-valid", "fixed"]
TestStrategy = Literal["random", "round-robin", "sticky", "canary"]
Recommendation = Literal["ship", "rollback", "continue", "stop_futile", "inconclusive", "invalid"]
"""`inconclusive`: the test is over, and nothing that it has seen answers it."""
MetricKind = Literal["share", "mean", "quantile"]
Bound = Literal["relative", "absolute", "limit"]

STATES: tuple[State, ...] = ("draft", "running", "concluded", "stopped")
MODES: tuple[Mode, ...] = ("group-sequential", "always-valid", "fixed")
TEST_STRATEGIES: tuple[TestStrategy, ...] = ("random", "round-robin", "sticky", "canary")

CONTROL = "control"
SLOTS = 10
MIN_SAMPLES = 20
LEAST_RUN = 3 * 86_400.0
"""Seconds that a test runs before its first verdict, where nothing else is said."""


Amount = float | str
"""In the metric's unit, or as text a part of the baseline, like `20%`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An experiment as it is asked for.

    Attributes:
        control: The version to compare with.
        treatments: The versions that are tried.
        split: Percent of the traffic that the treatments share equally; None: equal arms.
        weights: Percent by version of all arms, instead of `split`.
        strategy: `canary` is sticky routing that begins with a tenth and goes up by `step`.
        metric: What decides.
        secondary: Metrics to show, which decide nothing.
        guardrails: What must hold for a winner, like `p95_latency_ms <= +10%`.
        alpha: Two-sided level, shared among the treatments.
        power: Chance to find a difference of `mde`.
        mde: Smallest difference to find, in the metric's unit; `20%` is a part of the baseline.
        min_effect: Smallest improvement worth shipping, written alike.
        min_samples: Units that each arm needs, at least 20.
        min_run: Such as `12h`: how long it runs before its first verdict; `0`: no time at
            all; None: three days.
        max_duration: Such as `14d`; then the last look is due.
        label_window: Such as `24h`: the age at which labels count, so that arms are compared by
            predictions that are as old; None: what 95 % of the labels are seen to take.
        mode: None: `group-sequential` with an `mde`, else `always-valid`.
        baseline: The control's expected value, to tell the size beforehand; None takes it from
            the log.
        hypothesis: What is expected, for people.
        description: For people.
    """

    control: str
    treatments: Sequence[str]
    split: float | None = None
    weights: Mapping[str, float] | None = None
    strategy: TestStrategy = "random"
    metric: str = "success_rate"
    secondary: Sequence[str] = ()
    guardrails: Sequence[str] = ()
    alpha: float = 0.05
    power: float = 0.8
    mde: Amount | None = None
    min_effect: Amount | None = None
    min_samples: int = MIN_SAMPLES
    min_run: str | None = None
    max_duration: str | None = None
    label_window: str | None = None
    mode: Mode | None = None
    baseline: float | None = None
    hypothesis: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A version as an arm of an experiment.

    Attributes:
        variant: `control`, and `treatment` or, where there are several, `treatment-1`, …
        weight: Basis points of the traffic at the start.
    """

    variant: str
    version: str
    model_id: str
    weight: int

    __json__: ClassVar[tuple[str, ...]] = ("variant", "version", "model_id", "traffic_percent")

    @property
    def traffic_percent(self) -> float:
        """The weight in percent."""
        return self.weight * 100 / WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMetric:
    """A measure as an experiment uses it.

    Attributes:
        name: From the catalogue, or `value:NAME` for a named feedback value.
        kind: `share` of predictions, `mean` over them, or a `quantile` of them.
        quantile: Which one, 0 to 1; None for the other kinds.
    """

    __test__: ClassVar[bool] = False  # pytest would take the name for a test

    name: str
    kind: MetricKind
    direction: Literal["up", "down"]
    unit: str
    quantile: float | None = None

    @property
    def sign(self) -> int:
        """1 where larger is better, else -1."""
        return 1 if self.direction == "up" else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """What a treatment must not break to be shipped.

    Attributes:
        text: As it was written, such as `p95_latency_ms <= +10%`.
        sign: `<=` or `>=`.
        kind: `relative` to the control (`+10%`), `absolute` difference from it (`+0.01`), or a
            `limit` of the treatment's own value (`250`).
        bound: 0.1 for `+10%`; else in the metric's unit.
    """

    text: str
    metric: TestMetric
    sign: Literal["<=", ">="]
    kind: Bound
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What a guardrail asks of the size.

    Attributes:
        text: The guardrail as it was written.
        level: The control's value when the size was planned; None if it was not known.
        limit: The worst value of a treatment that keeps it beside such a control.
        units: Of all arms, to show by itself that a treatment which is like the control keeps it;
            None where that is not known, or where the control itself lies beyond the limit.
    """

    text: str
    level: float | None
    limit: float | None
    units: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is decided before the first unit; frozen and fingerprinted at the start.

    Attributes:
        variants: The control first.
        strategy: `canary` begins with a tenth of the traffic and is routed by user.
        unit: `user` where users are randomised, `request` where single requests are.
        mde: Smallest difference that the size is planned for, in the metric's unit.
        min_effect: Smallest improvement worth shipping, in the metric's unit.
        min_samples: Units that each arm needs before the first test.
        min_run_seconds: How long it runs before its first verdict.
        max_duration_seconds: After it the last look is due; None for no deadline.
        label_window_seconds: Age at which labels count; 0: what they are seen to take.
        baseline: The control's expected value, for the planned size.
        planned_units: Units of all arms that the design asks for; None when not known.
        planned_information: 1 / se² of the difference with which the test is complete; None
            without an `mde`.
        final_boundary: Critical |z| of the last of the planned looks; None where none is planned.
        driver: The metric or the guardrail that asks for the most units; empty without a size.
        oversize: How many times the units that the metric alone would ask for.
        margins: What each guardrail asks for.
        tuning_units: Where the always-valid boundary is tightest, in units of both arms.
        slots: Looks at most, in the modes with a planned size.
    """

    test_id: str
    model: str
    variants: tuple[Variant, ...]
    strategy: TestStrategy
    unit: Literal["user", "request"]
    metric: TestMetric
    secondary: tuple[TestMetric, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
    alpha: float = 0.05
    power: float = 0.8
    mde: float | None = None
    min_effect: float | None = None
    min_samples: int = MIN_SAMPLES
    min_run_seconds: float = LEAST_RUN
    max_duration_seconds: float | None = None
    label_window_seconds: float = 0.0
    mode: Mode = "always-valid"
    baseline: float | None = None
    planned_units: int | None = None
    planned_information: float | None = None
    final_boundary: float | None = None
    driver: str = ""
    oversize: float = 1.0
    margins: tuple[Margin, ...] = ()
    tuning_units: int = 10_000
    slots: int = SLOTS
    hypothesis: str = ""
    description: str = ""

    @property
    def metrics(self) -> tuple[TestMetric, ...]:
        """The metric that decides, the secondary and the guarded ones."""
        return (self.metric, *self.secondary, *(guard.metric for guard in self.guardrails))

    @property
    def control(self) -> Variant:
        """The arm that the others are compared with."""
        return self.variants[0]

    @property
    def treatments(self) -> tuple[Variant, ...]:
        """The other arms."""
        return self.variants[1:]

    @property
    def alpha_used(self) -> float:
        """The level of each comparison: alpha shared among the treatments."""
        return self.alpha / len(self.treatments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A time of constant weights: one revision of the experiment."""

    revision: int
    started_at: datetime
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An A/B test: its design, its state, and how it ended.

    Attributes:
        fingerprint: SHA-256 of the design in canonical JSON; None before the start.
        phases: The revisions that it has written so far, the oldest first.
        revision: The newest of these; None before the start.
        verdict: With which it was concluded; None otherwise.
        winner: The version that won; None where none did.
    """

    key: int
    model_key: int
    design: Design
    state: State
    salt: str
    fingerprint: str | None
    created_at: datetime
    created_by: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    revision_before: int | None = None
    phases: tuple[Phase, ...] = ()
    verdict: Recommendation | None = None
    winner: str | None = None
    dry_run: bool = False

    __json__: ClassVar[tuple[str, ...]] = (
        "test_id",
        "model",
        "status",
        "verdict",
        "winner",
        "fingerprint",
        "design",
        "revision",
        "phases",
        "created_at",
        "created_by",
        "started_at",
        "ended_at",
        "dry_run",
    )

    @property
    def test_id(self) -> str:
        """The name it was given."""
        return self.design.test_id

    @property
    def model(self) -> str:
        """The model whose traffic it splits."""
        return self.design.model

    @property
    def status(self) -> State:
        """The state, under its name in JSON."""
        return self.state

    @property
    def weights(self) -> tuple[int, ...]:
        """Basis points of each arm now: as of the newest phase, or as planned."""
        planned = tuple(variant.weight for variant in self.design.variants)
        return self.phases[-1].weights if self.phases else planned

    @property
    def revision(self) -> int | None:
        """Its newest revision."""
        return self.phases[-1].revision if self.phases else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Which arm answers a unit.

    Attributes:
        reason: How it was picked: `sticky`, `random`, `round-robin` or `no-unit`.
    """

    test_id: str
    variant: str
    version: str
    model_id: str
    model: str
    revision: int
    reason: str
    unit: str | None = None

    @property
    def ref(self) -> str:
        """The version as every other verb takes it."""
        return f"{self.model}@{self.version}"

    @property
    def label(self) -> dict[str, str]:
        """What marks an answer as part of the experiment."""
        return {"test_id": self.test_id, "variant": self.variant, "version": self.version}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a program that runs its own model reports of one answer.

    Attributes:
        variant: `control`, `treatment`, … or give `version`.
        revision: Of the assignment; None for the one in force.
        success: False for a failure that has no message; `error` says more.
        request_id: Recorded once, however often it is sent.
    """

    unit: str | None = None
    variant: str | None = None
    version: str | None = None
    revision: int | None = None
    output: object = None
    confidence: float | None = None
    latency_ms: float | None = None
    cost: float | None = None
    error: str | None = None
    success: bool | None = None
    label: str | int | float | bool | None = None
    correct: bool | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    request_id: str | None = None
