"""What a look at an experiment shows, and the receipts that it leaves."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar, Literal, Self

from mlreg.entities.experiments import Experiment, Mode, Recommendation, State

MetricRole = Literal["primary", "secondary", "guardrail", "as_assigned"]
GateEffect = Literal["invalid", "wait", "warn"]


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
class LookState:
    """What a look may say.

    Attributes:
        k: The slot that it falls into; None where looks have no slots.
        of: How many there are.
        t: Part of the planned information that has arrived.
        boundary: The |z| that decides.
        alpha_spent: Two-sided alpha that is used up with this look.
        is_decision_point: Whether it may decide; others only show.
    """

    k: int | None
    of: int | None
    t: float | None
    boundary: float | None
    alpha_spent: float | None
    is_decision_point: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """One metric of one treatment against the control, over all phases.

    Attributes:
        alpha_used: Level after it was shared among the treatments.
        level: Of the intervals.
        diff: Treatment minus control, averaged over phases.
        diff_ci: Valid under the mode, at every look at once.
        se: Behind the interval: the larger of the arms' own and of what equal arms would have.
        lift_undefined: Why there is no lift; None where there is one.
        p_value: Valid under the mode; None while it must not be read.
        running_min_p: The smallest so far, which is what is valid at every look at once; of a
            metric that is only shown, the present one.
        p_adjusted: For secondary metrics, by Benjamini and Hochberg.
        design_effect: How many times users inflate the variance.
        conditional_power: The chance that the test still ends with a win.
        mde_at_n: What the present size could find.
        margin: Of a guardrail, as it was written.
        tipping_point: How much worse than the others the treatment's predictions without a label
            would have to be to undo the gain that is shown, in the metric's unit; None where that
            cannot be, or nothing is missing.
        passed: Of a guardrail: True kept, False broken, None not shown.
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
    diff: float | None
    diff_ci: tuple[float, float] | None
    se: float | None
    statistic: float | None
    p_value: float | None
    running_min_p: float | None
    p_adjusted: float | None = None
    adjustment: str | None = None
    lift: float | None = None
    lift_ci: tuple[float, float] | None = None
    lift_undefined: str | None = None
    design_effect: float | None = None
    look: LookState
    is_crossed: bool = False
    conditional_power: float | None = None
    mde_at_n: float | None = None
    min_effect: float | None = None
    margin: str | None = None
    tipping_point: float | None = None
    passed: bool | None = None
    verdict: str
    sentence: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A condition that a verdict needs.

    Attributes:
        effect: What it means when it fails: a fault that makes the verdict `invalid`, a `wait` that
            time will end and that holds the verdict back till then, or a `warn` that is only said.
    """

    gate: str
    passed: bool
    effect: GateEffect
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLook:
    """A look that counted: one for each slot, or each step of an always-valid test.

    Attributes:
        z: Statistic of the treatment that led at this look.
        boundary: The |z| that stops the experiment at this look.
        is_crossed: Whether any treatment has crossed its boundary by now.
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
class Standing(Experiment):
    """An experiment with what it has gathered so far.

    Attributes:
        requests: Predictions of each arm, the control first; none before the start.
        looks: How many looks have counted.
        last_look: The newest of them.
    """

    requests: tuple[int, ...] = ()
    looks: int = 0
    last_look: RecordedLook | None = None

    __json__: ClassVar[tuple[str, ...]] = (
        *Experiment.__json__,
        "requests",
        "looks",
        "last_look",
    )

    @classmethod
    def of(
        cls, experiment: Experiment, requests: tuple[int, ...], looks: tuple[RecordedLook, ...]
    ) -> Self:
        """The standing of an experiment."""
        known = {field.name: getattr(experiment, field.name) for field in fields(Experiment)}
        last = looks[-1] if looks else None
        return cls(**known, requests=requests, looks=len(looks), last_look=last)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseResult:
    """One phase of an experiment on the primary metric, treatments parallel to the design's.

    Attributes:
        weights: In percent, the control first.
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
        excluded_by_arm: The same by the arm that they met first, phase by phase, the control first.
    """

    units: int
    unkeyed: int
    double_exposed: int
    excluded: int
    excluded_by_arm: tuple[int, ...]


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
        label_window_seconds: The age at which labels count, and within which they have to come;
            None where nothing rests on labels, or none has come yet.
        recorded_slot: The slot in which it was recorded; None for a peek between two slots.
        as_assigned: The metric that decides with all users, also those who met several arms, each
            with the one met first; empty where nobody did.
        failed_gates: Those that hold a verdict back.
        assumptions: What the numbers rest on, in sentences.
    """

    test_id: str
    model: str
    status: State
    unit: Literal["user", "request"]
    mode: Mode
    verdict: Recommendation
    winner: str | None
    statistical_significance: bool
    practical_significance: bool | None
    primary: MetricResult
    primaries: tuple[MetricResult, ...]
    secondary: tuple[MetricResult, ...]
    as_assigned: tuple[MetricResult, ...]
    guardrails: tuple[MetricResult, ...]
    gates: tuple[Gate, ...]
    failed_gates: tuple[Gate, ...]
    looks: tuple[RecordedLook, ...]
    phases: tuple[PhaseResult, ...]
    exposure: Exposure
    is_decision_point: bool
    is_final: bool
    label_window_seconds: float | None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptCheck:
    """One stored verdict, computed again.

    Attributes:
        kind: `design`, `look` or `conclusion`; `trail` is whether they are the ones that the audit
            trail has, and the experiment's state the one that they led to.
        slot: Of a look; None otherwise.
        agrees: None where another version of the engine made it, whose rules are not known here.
    """

    kind: Literal["design", "look", "conclusion", "trail"]
    slot: int | None
    agrees: bool | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether the stored verdicts follow from their receipts and from the log."""

    test_id: str
    checks: tuple[ReceiptCheck, ...]

    __json__: ClassVar[tuple[str, ...]] = ("test_id", "agrees", "checks")

    @property
    def agrees(self) -> bool:
        """Whether no check says otherwise."""
        return all(check.agrees is not False for check in self.checks)
