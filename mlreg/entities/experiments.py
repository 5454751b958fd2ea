"""Experiments: the design that is frozen at the start, what a look shows, and its receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from mlreg.entities.traffic import WHOLE

State = Literal["draft", "running", "concluded", "stopped"]
Mode = Literal["group-sequential", "always-valid", "fixed"]
TestStrategy = Literal["random", "round-robin", "sticky", "canary"]
Recommendation = Literal["ship", "rollback", "continue", "stop_futile", "invalid"]
MetricKind = Literal["share", "mean", "quantile"]
MetricRole = Literal["primary", "secondary", "guardrail"]
Bound = Literal["relative", "absolute", "limit"]
GateEffect = Literal["invalid", "continue", "warn"]

STATES: tuple[State, ...] = ("draft", "running", "concluded", "stopped")
MODES: tuple[Mode, ...] = ("group-sequential", "always-valid", "fixed")
TEST_STRATEGIES: tuple[TestStrategy, ...] = ("random", "round-robin", "sticky", "canary")

CONTROL = "control"
SLOTS = 10


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
class Design:
    """What is decided before the first unit; frozen and fingerprinted at the start.

    Attributes:
        variants: The control first.
        strategy: `canary` begins with a tenth of the traffic and is routed by user.
        unit: `user` where users are randomised, `request` where single requests are.
        mde: Smallest difference that the size is planned for, in the metric's unit.
        min_effect: Smallest improvement worth shipping, in the metric's unit.
        min_samples: Units that each arm needs before the first test.
        max_duration_seconds: After it the last look is due; None for no deadline.
        baseline: The control's expected value, for the planned size.
        planned_units: Units of both arms that the design asks for; None when not known.
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
    min_samples: int = 100
    max_duration_seconds: float | None = None
    mode: Mode = "always-valid"
    baseline: float | None = None
    planned_units: int | None = None
    tuning_units: int = 10_000
    slots: int = SLOTS
    hypothesis: str = ""
    description: str = ""

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
    def revision(self) -> int | None:
        """Its newest revision."""
        return self.phases[-1].revision if self.phases else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """One arm on one metric.

    Attributes:
        n_units: Units that the metric is known of.
        n_rows: Predictions behind them.
        missing_rate: Share of the arm's predictions that the metric is not known of.
    """

    variant: str
    version: str
    n_units: int
    n_rows: int
    value: float | None
    se: float | None
    missing_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """One metric of one treatment against the control, over all phases.

    Attributes:
        alpha_used: Level after it was shared among the treatments.
        level: Of the intervals.
        difference: Treatment minus control, averaged over phases.
        difference_ci: Valid under the mode, at every look at once.
        lift_undefined: Why there is no lift; None where there is one.
        p_value: Valid under the mode; None while it must not be read.
        p_adjusted: For secondary metrics, by Benjamini and Hochberg.
        design_effect: How many times users inflate the variance.
        information: Part of the planned information that has arrived.
        conditional_power: The chance that the test still ends with a win.
        mde_at_n: What the present size could find.
        margin: Of a guardrail, as it was written.
        passed: Of a guardrail: True kept, False broken, None not known yet.
        verdict: What the interval shows (`better_practical`, …, `inconclusive`).
        sentence: The result for people.
    """

    metric: str
    role: MetricRole
    direction: str
    unit: str
    variant: str
    version: str
    method: str
    mode: str
    alpha_used: float
    level: float
    control: ArmResult
    treatment: ArmResult
    difference: float | None
    difference_ci: tuple[float, float] | None
    se: float | None
    statistic: float | None
    p_value: float | None
    p_adjusted: float | None = None
    adjustment: str | None = None
    lift: float | None = None
    lift_ci: tuple[float, float] | None = None
    lift_undefined: str | None = None
    design_effect: float | None = None
    boundary: float | None = None
    information: float | None = None
    alpha_spent: float | None = None
    is_crossed: bool = False
    conditional_power: float | None = None
    mde_at_n: float | None = None
    min_effect: float | None = None
    margin: str | None = None
    passed: bool | None = None
    verdict: str
    sentence: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A condition that a verdict needs.

    Attributes:
        effect: What it makes of the verdict when it fails: `invalid`, `continue`, or only `warn`.
    """

    gate: str
    passed: bool
    effect: GateEffect
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLook:
    """A look that counted: one for each slot, or each step of an always-valid test.

    Attributes:
        z: Statistic of the treatment that is furthest from zero.
        boundary: The |z| that stops the experiment at this look.
    """

    slot: int
    computed_at: datetime
    information: float | None
    z: float | None
    boundary: float | None
    alpha_spent: float | None
    p_value: float | None
    is_crossed: bool
    is_final: bool
    verdict: Recommendation
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseResult:
    """One phase of an experiment on the primary metric, treatments parallel to the design's.

    Attributes:
        units: Randomised units of each arm, the control first.
        srm_p_value: Of the sequential check of the split.
    """

    revision: int
    started_at: datetime
    weights: tuple[float, ...]
    units: tuple[int, ...]
    rows: tuple[int, ...]
    values: tuple[float | None, ...]
    differences: tuple[float | None, ...]
    srm_p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Who took part.

    Attributes:
        units: Users, and requests without one.
        unkeyed: Requests without a user among them.
        double_exposed: Users who were answered by more than one arm.
        excluded: Of these, the ones to whom it happened within a phase: they are left out of it.
    """

    units: int
    unkeyed: int
    double_exposed: int
    excluded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """Up to which row the log and the feedback were counted."""

    predictions: int
    feedback: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """An experiment at one moment, and what that allows to conclude.

    Attributes:
        primary: Of the treatment that leads; `primaries` has one for each.
        winner: The version that the evidence favours; None where it favours none.
        statistical_significance: Whether the boundary was crossed, now or at an earlier look.
        practical_significance: Whether the improvement is as large as `min_effect`; None without
            significance or without `min_effect`.
        is_decision_point: Whether this look was one that may decide; others only show.
        recorded_slot: The slot in which it was recorded; None for a peek between two slots.
        assumptions: What the numbers rest on, in sentences.
    """

    test_id: str
    model: str
    status: State
    mode: Mode
    verdict: Recommendation
    winner: str | None
    statistical_significance: bool
    practical_significance: bool | None
    primary: MetricResult
    primaries: tuple[MetricResult, ...]
    secondary: tuple[MetricResult, ...]
    guardrails: tuple[MetricResult, ...]
    gates: tuple[Gate, ...]
    looks: tuple[RecordedLook, ...]
    phases: tuple[PhaseResult, ...]
    exposure: Exposure
    is_decision_point: bool
    is_final: bool
    recorded_slot: int | None
    units_still_needed: int | None
    days_still_needed: float | None
    recommendation: str
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]
    fingerprint: str
    computed_at: datetime
    watermark: Watermark
    engine_version: str
    revision: int | None = None
    dry_run: bool = False

    @property
    def failed_gates(self) -> tuple[Gate, ...]:
        """The gates that hold a verdict back."""
        return tuple(g for g in self.gates if not g.passed and g.effect != "warn")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptCheck:
    """One stored verdict, computed again.

    Attributes:
        kind: `design`, `look` or `conclusion`.
        slot: Of a look; None otherwise.
    """

    kind: Literal["design", "look", "conclusion"]
    slot: int | None
    agrees: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether the stored verdicts follow from their receipts and from the log."""

    test_id: str
    checks: tuple[ReceiptCheck, ...]

    __json__: ClassVar[tuple[str, ...]] = ("test_id", "agrees", "checks")

    @property
    def agrees(self) -> bool:
        """Whether every check does."""
        return all(check.agrees for check in self.checks)


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
