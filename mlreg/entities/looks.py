"""Looks that counted, as receipts store them and as the next one takes them up."""

from __future__ import annotations

from typing import NamedTuple

from mlreg.entities.experiments import Recommendation


class Ruling(NamedTuple):
    """What to do, the version that won if one did, and why."""

    verdict: Recommendation
    winner: str | None
    sentence: str


Limits = tuple[float, float]
"""An interval of a difference, in the metric's unit."""


class PastLook(NamedTuple):
    """What a look that counted hands on to the next; treatments in the order of the design.

    Attributes:
        information: Of the treatment that had the most, of those for which the look counted.
        p: The running p-value of each treatment.
        crossed: For each treatment 1 (better), -1 (worse) or 0.
        is_final: Whether no later look counts for any of them.
        units: Of both arms, as the boundary counts them.
        kept: Whether each guardrail was kept by each treatment, as `guardrails` lists them.
        gains: How much better each treatment was.
        worth: Whether each treatment's gain was worth shipping.
        futile: Whether each treatment was unlikely to win any more.
        ending: Of the final look the verdict, the winner and the sentence, however long it had run.
        times: Of each treatment the information at which the look counted; None if it did not.
        ended: For which treatments no later look counts.
        limits: Of each treatment the interval at the last look that might decide on it.
    """

    slot: int
    information: float | None
    p: tuple[float, ...]
    crossed: tuple[int, ...]
    is_final: bool
    units: int
    kept: tuple[bool | None, ...] = ()
    gains: tuple[float | None, ...] = ()
    worth: tuple[bool | None, ...] = ()
    futile: tuple[bool, ...] = ()
    ending: Ruling | None = None
    times: tuple[float | None, ...] = ()
    ended: tuple[bool, ...] = ()
    limits: tuple[Limits | None, ...] = ()

    def time_of(self, treatment: int) -> float | None:
        """The information at which it counted; in receipts of old one for all treatments."""
        return self.times[treatment] if self.times else self.information

    def has_ended(self, treatment: int) -> bool:
        """Whether no later look counts for a treatment."""
        return self.is_final or (self.ended[treatment] if self.ended else False)


class Decision(NamedTuple):
    """What a look said, with the numbers of the treatment that leads; stored as it is.

    Attributes:
        look: What it hands on; None where it does not count.
        failed_gates: All of them, those that only warn as well.
    """

    verdict: Recommendation
    winner: str | None
    sentence: str
    look: PastLook | None
    z: float | None
    boundary: float | None
    alpha_spent: float | None
    p_value: float | None
    diff: float | None = None
    failed_gates: tuple[str, ...] = ()
