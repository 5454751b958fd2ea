"""What became of a condition: a promise about a version, held against the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["pass", "fail", "inconclusive", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a condition came to for one version in one window.

    Attributes:
        condition: What must hold, in its canonical form.
        version: None where none is active.
        segment: The value of the segment key, where it was asked for by segment.
        state: `inconclusive` where less is known than the condition asks for, `error` where it
            could not be measured.
        value: Of the metric, in its unit; None where nothing was measured.
        bound: What the value was held against, in that unit; of two bounds the nearer.
        interval: Where the value lies, valid however often one looks; what is not known of a
            reference widens it. None where there is none.
        samples: What the value rests on: predictions, labels or values.
        needed: How many the condition asks for.
        since: Start of the window; None: from the beginning.
        sentence: For people.
    """

    condition: str
    model: str
    model_id: str | None = None
    version: str | None = None
    segment: str | None = None
    state: State
    value: float | None = None
    bound: float | None = None
    interval: tuple[float, float] | None = None
    samples: int = 0
    needed: int = 0
    since: datetime | None = None
    until: datetime | None = None
    sentence: str
