"""What a look is computed from: sums by phase and arm, and nothing else; a receipt stores it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlreg.clock import SECOND
from mlreg.entities.experiments import Design
from mlreg.tallies import Cuts

# Labels that come so soon are taken as coming at once: nobody has to wait for them to be due.
AT_ONCE = 60 * SECOND

Matrix = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSeen:
    """Who took part in a phase, arm by arm, the control first.

    Attributes:
        torn: Users whom the phase sent to several arms, by the arm that they met first; empty for
            none.
    """

    revision: int
    started_at: int
    weights: tuple[int, ...]
    users: tuple[int, ...]
    alone: tuple[int, ...]
    rows: tuple[int, ...]
    torn: tuple[int, ...] = ()

    @property
    def units(self) -> tuple[int, ...]:
        """Randomised units of each arm: users, and requests without one."""
        return tuple(users + alone for users, alone in zip(self.users, self.alone, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that an analysis knows; plain numbers, so that it can be stored and read again.

    Attributes:
        exposure: Users, requests without one, users of two arms, users of two arms in a phase.
        sums: For each measure and phase the `Sums` of each arm.
        spreads: For each measure and treatment the variances that tie phases together.
        histograms: For each phase and arm pairs of latency bucket and count.
        ripe: The newest prediction whose label was due.
        cuts: For each quantile the latency in microseconds whose share stands in for it in `sums`;
            none before there are enough answers.
        window: The age in microseconds at which labels count, and within which they have to come;
            None where nothing rests on labels, or none has come yet.
        assigned: For each phase and arm the `Sums` of the metric that decides over the users of
            several arms who met this one first; empty without any.
    """

    at: int
    started_at: int
    predictions: int
    feedback: int
    exposure: tuple[int, int, int, int]
    phases: tuple[PhaseSeen, ...]
    sums: dict[str, Matrix]
    spreads: dict[str, Matrix]
    histograms: Matrix
    ripe: int = 0
    cuts: Cuts = field(default_factory=dict)
    window: int | None = None
    assigned: Matrix = ()

    @property
    def age(self) -> int:
        """The age in microseconds that predictions have at least where labels count; 0 for any."""
        return self.window if self.window and self.window > AT_ONCE else 0

    @property
    def units(self) -> int:
        """Users, and requests without one."""
        return self.exposure[0] + self.exposure[1]

    @property
    def seconds(self) -> float:
        """How long the experiment has run."""
        return (self.at - self.started_at) / SECOND

    def has_run(self, design: Design) -> bool:
        """Whether the least time to run is over, before which nothing is final."""
        return self.seconds >= design.min_run_seconds

    def is_due(self, design: Design) -> bool:
        """Whether the deadline has passed, at which the last look is due."""
        limit = design.max_duration_seconds
        return limit is not None and self.seconds >= limit
