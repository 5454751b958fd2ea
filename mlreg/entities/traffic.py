"""Traffic: arms, revisions, and what a change of traffic carries with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Literal, NamedTuple

Strategy = Literal["random", "round-robin", "sticky"]
Role = Literal["live", "shadow"]
Cause = Literal[
    "activate", "deactivate", "route", "promote", "rollback", "abtest", "shadow", "rollout"
]

STRATEGIES: tuple[Strategy, ...] = ("random", "round-robin", "sticky")
WHOLE = 10_000  # basis points

# Causes whose splits are there to try something out: no rollback returns to one.
TRIALS: frozenset[Cause] = frozenset({"abtest", "rollout"})
# Causes that the alias of the version that won follows.
CROWNING: frozenset[Cause] = frozenset({"promote", "rollback"})
CHAMPION = "champion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A version inside a revision; `weight` in basis points of the live traffic."""

    version_key: int
    model_id: str
    version: str
    weight: int
    role: Role = "live"

    __json__: ClassVar[tuple[str, ...]] = ("model_id", "version", "traffic_percent", "role")

    @property
    def traffic_percent(self) -> float:
        """The weight in percent."""
        return self.weight / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One immutable state of a model's traffic. Number 0 stands for "nothing serves yet"."""

    model_key: int
    model: str
    number: int
    strategy: Strategy
    salt: str
    cause: str
    reason: str
    actor: str
    created_at: datetime
    arms: tuple[Arm, ...] = ()
    dry_run: bool = False

    __json__: ClassVar[tuple[str, ...]] = (
        "model",
        "revision",
        "previous_revision",
        "strategy",
        "cause",
        "reason",
        "actor",
        "created_at",
        "arms",
        "dry_run",
    )

    @property
    def revision(self) -> int:
        """The number, under its name in JSON."""
        return self.number

    @property
    def previous_revision(self) -> int | None:
        """The revision before this one, or None for the first."""
        return self.number - 1 if self.number > 1 else None

    @property
    def is_trial(self) -> bool:
        """Whether its split was there to try something out."""
        return self.cause in TRIALS

    @property
    def live(self) -> tuple[Arm, ...]:
        """The arms that answer."""
        return tuple(arm for arm in self.arms if arm.role == "live")

    @property
    def shadows(self) -> tuple[Arm, ...]:
        """The arms that are asked behind the answer."""
        return tuple(arm for arm in self.arms if arm.role == "shadow")

    def answered_by(self, live: Iterable[Arm]) -> Revision:
        """This state with other arms that answer; the shadows that are not among them stay."""
        arms = tuple(live)
        keys = {arm.version_key for arm in arms}
        rest = [arm for arm in self.shadows if arm.version_key not in keys]
        return replace(self, arms=(*arms, *rest))

    def same_answers_as(self, other: Revision) -> bool:
        """Whether in both the same versions answer, whatever shadows they have."""
        return replace(self, arms=self.live).same_traffic_as(replace(other, arms=other.live))

    def same_traffic_as(self, other: Revision) -> bool:
        """Whether both send the same traffic to the same versions."""
        nobody = not (self.arms or other.arms)
        return set(self.arms) == set(other.arms) and (nobody or self.strategy == other.strategy)

    def arm_of(self, version_key: int) -> Arm | None:
        """The live arm of a version, or None."""
        return next((arm for arm in self.live if arm.version_key == version_key), None)


class Hold(NamedTuple):
    """Who alone may change a model's traffic, and the revision whose traffic returns at the end."""

    kind: Literal["experiment", "rollout"]
    id: str
    revision_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How a change is to be made, the same for every verb.

    Attributes:
        reason: Why; kept in the revision and the audit trail.
        actor: Who; None stands for the registry's actor.
        dry_run: Work out the result, write nothing.
        expect_revision: Fail with `RevisionMoved` unless this revision is in force.
    """

    reason: str = ""
    actor: str | None = None
    dry_run: bool = False
    expect_revision: int | None = None


class Choice(NamedTuple):
    """Which version would answer a unit, and why. A tuple, since one is made for every request."""

    model: str
    version: str
    model_id: str
    revision: int
    arm_reason: str


Probe = Literal["given", "logged", "made up", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A version that a drill has tried.

    Attributes:
        digest: The artifact's, which fits; None where a program of the user's runs the version.
        probe: Whether the input was given, one that the version had answered before, or made up.
        answer: What it answered.
        seconds: How long it took to load and answer.
        problem: Why it could not serve.
        note: What the drill cannot tell.
    """

    version: str
    model_id: str
    digest: str | None
    probe: Probe
    answer: str | int | float | bool | None
    seconds: float
    problem: str | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A rollback that was tried without changing the traffic.

    Attributes:
        revision: The one in force.
        to_split: What a rollback would go back to; None if there is nothing.
    """

    model: str
    time: datetime
    revision: int
    to_split: str | None
    passed: bool
    problem: str | None
    versions: tuple[Tried, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """One rollback that happened.

    Attributes:
        from_version: The version with the largest share before; `to_version` likewise after.
        from_split: The version that served alone, or the split, `1.0.0=80 2.0.0=20`.
        finding: What was broken, where no person did it.
    """

    time: datetime
    model: str
    from_version: str | None
    to_version: str | None
    from_split: str | None
    to_split: str | None
    reason: str
    finding: str | None
    automatic: bool
    actor: str
    revision: int
    evidence: dict[str, object]
