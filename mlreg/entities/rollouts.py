"""Rollouts: what was planned, where they stand, and what their checks came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple

from mlreg.entities.conditions import Finding

Kind = Literal["canary", "blue-green", "replace", "ab"]
State = Literal[
    "pending", "progressing", "paused", "awaiting-approval", "baking", "completed", "aborted"
]
OnInconclusive = Literal["hold", "advance", "abort"]
# What became of a check: `between` is worse than asked for, but not surely or not often enough.
Outcome = Literal["pass", "between", "fail", "unknown"]

KINDS: tuple[Kind, ...] = ("canary", "blue-green", "replace", "ab")
STATES: tuple[State, ...] = (
    "pending", "progressing", "paused", "awaiting-approval", "baking", "completed", "aborted",
)  # fmt: skip
ENDED: frozenset[State] = frozenset({"completed", "aborted"})
HOUR, DAY = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An input that a version must answer before it serves, and the right answer if it is known."""

    input: Any
    label: Any = None
    is_labelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a rollout does by itself.

    Attributes:
        steps: Shares of the traffic in percent, rising to 100.
        interval_seconds: How long each step lasts at least.
        min_samples: Predictions of the version that each step needs at least.
        bake_seconds: How long it is watched at 100 %.
        checks: Conditions, in their canonical form.
        on_inconclusive: What follows where a check cannot be told.
        hold_at_most_seconds: How long a step may be held back before the rollout is aborted.
        approve: Steps, in percent, that a person has to agree to.
        approvers: Who may; empty: anybody.
        failures: In so many evaluations in a row a plain check fails before it aborts.
        probes: What the version must answer before it serves.
        metric: What decides where an A/B test does.
    """

    strategy: Kind = "canary"
    steps: tuple[float, ...] = ()
    interval_seconds: float = HOUR
    min_samples: int = 200
    bake_seconds: float = DAY
    checks: tuple[str, ...] = ()
    on_inconclusive: OnInconclusive = "hold"
    hold_at_most_seconds: float = 2 * DAY
    approve: tuple[float, ...] = ()
    approvers: tuple[str, ...] = ()
    failures: int = 3
    probes: tuple[Probe, ...] = ()
    metric: str = "success_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is asked of a rollout; what is None is as the policy says, else as usual.

    Attributes:
        strategy: `canary`, `blue-green`, `replace` or `ab`.
        steps: Shares in percent, rising to 100; of an A/B test its share, and 100.
        interval: How long a step lasts at least: `1h`, or `0`.
        bake: How long the version is watched at 100 %, likewise.
        hold_at_most: How long a step may be held back, likewise.
        checks: What must hold; none at all if empty.
        failures: In how many evaluations in a row a check that is not `sure` fails before it
            aborts.
        metric: What decides an A/B test.

    The others are fields of the plan.
    """

    strategy: Kind | None = None
    steps: Sequence[float] | None = None
    interval: str | None = None
    min_samples: int | None = None
    bake: str | None = None
    checks: Sequence[str] | None = None
    on_inconclusive: OnInconclusive | None = None
    hold_at_most: str | None = None
    approve: Sequence[float] | None = None
    approvers: Sequence[str] | None = None
    failures: int | None = None
    probes: Sequence[Probe] | None = None
    metric: str | None = None


class Streak(NamedTuple):
    """How often a check has failed in a row, and on how many samples the last time."""

    row: int = 0
    samples: int = -1


NO_STREAK = Streak()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check came to.

    Attributes:
        finding: Of all steps so far, or of those in which it surely fails.
        streak: Of a plain check, in how many evaluations in a row it has failed.
    """

    outcome: Outcome
    finding: Finding
    streak: Streak = NO_STREAK


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A step of the plan: its share, since when it is in force, and whether it passed."""

    traffic_percent: float
    revision: int | None = None
    started_at: datetime | None = None
    verdict: Literal["pass", "fail", "running", ""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A rollout.

    Attributes:
        baseline: The version that it is compared with.
        paused_from: The state that it goes back to.
        attempt: How often it was begun.
        revision_before: The revision that an abort puts in force again.
        stages: The steps of this attempt that were put in force.
        approved: Steps that a person has agreed to, in percent.
        failures: By check, in how many evaluations in a row it has failed.
        evaluated_at: When these were counted.
        held_at: Since when its step, which is over, has been held back.
        step_at: Since when its step is in force.
        reason: Why it is in this state.
    """

    key: int = 0
    rollout_id: str
    model_key: int
    model: str
    version_key: int
    version: str
    baseline_key: int
    baseline: str
    plan: Plan
    state: State = "pending"
    paused_from: State | None = None
    attempt: int = 1
    revision_before: int
    stages: tuple[Stage, ...] = ()
    approved: tuple[float, ...] = ()
    failures: dict[str, Streak] = field(default_factory=dict)
    evaluated_at: datetime | None = None
    held_at: datetime | None = None
    step_at: datetime
    started_at: datetime
    started_by: str
    ended_at: datetime | None = None
    reason: str = ""
    dry_run: bool = False

    __json__: ClassVar[tuple[str, ...]] = (
        "rollout_id", "model", "version", "baseline", "strategy", "state", "step", "steps",
        "attempt", "plan", "revision_before", "started_at", "started_by", "step_at", "held_at",
        "ended_at", "reason", "dry_run",
    )  # fmt: skip

    @property
    def strategy(self) -> Kind:
        """How the version gets its traffic."""
        return self.plan.strategy

    @property
    def step(self) -> int:
        """The place of the step in force; -1 before the first."""
        return len(self.stages) - 1

    @property
    def steps(self) -> tuple[Stage, ...]:
        """All steps of the plan."""
        ahead = self.plan.steps[len(self.stages) :]
        return (*self.stages, *(Stage(traffic_percent=percent) for percent in ahead))

    @property
    def traffic_percent(self) -> float:
        """What share of the traffic it gives the version."""
        if self.state == "aborted" or not self.stages:
            return 0.0
        return self.stages[-1].traffic_percent

    @property
    def ahead(self) -> float | None:
        """The share of the step that follows, in percent; None behind the last."""
        place = len(self.stages)
        return self.plan.steps[place] if place < len(self.plan.steps) else None

    @property
    def is_over(self) -> bool:
        """Whether it has come to an end."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStatus(Rollout):
    """A rollout as it stands now, with what its checks come to and what follows.

    Attributes:
        samples: Predictions of the version in the step in force.
        next_decision_at: When something may happen by itself; None: nothing will.
        outlook: What is waited for, for people.
    """

    checks: tuple[CheckResult, ...] = ()
    samples: int = 0
    next_decision_at: datetime | None = None
    outlook: str = ""

    __json__: ClassVar[tuple[str, ...]] = (
        *Rollout.__json__, "checks", "samples", "next_decision_at", "outlook",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """What a rollout would do, and what may go wrong with it.

    Attributes:
        least_seconds: How long it takes at least: its steps and the bake.
        requests_per_day: What the model answered in the last day.
        warnings: Sentences.
    """

    model: str
    version: str
    plan: Plan
    least_seconds: float
    requests_per_day: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A step of a plan that was gone through on the log.

    Attributes:
        samples: Predictions that the version would have given in it.
    """

    traffic_percent: float
    started_at: datetime
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of many runs of one plan with one kind of version.

    Attributes:
        aborted: The share of runs that ended so by a check, or after a step was held for too long.
        unfinished: The share of runs for which the log was too short.
        requests: What the version answered before an abort: the median, and the 90th percentile.
        by: The check that aborted most often.
    """

    version: str
    runs: int
    aborted: float
    held: float
    completed: float
    unfinished: float
    requests: tuple[int, int] | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A plan on what was logged.

    Attributes:
        passages: When a version as good as those that served would have got its shares.
        ended: How that ended: `completed`, `aborted`, or `unfinished` where the log was too short.
        trials: An equal version, then broken ones.
    """

    model: str
    plan: Plan
    since: datetime
    until: datetime
    predictions: int
    labelled: int
    passages: tuple[Passage, ...]
    ended: str
    trials: tuple[Trial, ...]
