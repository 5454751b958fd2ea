"""Looks that counted, as receipts store them and as the next one takes them up."""

from __future__ import annotations

from typing import NamedTuple

from mlreg.entities.experiments import Recommendation


class Ruling(NamedTuple):
    """What to do, the version that won if one did, and why."""

    verdict: Recommendation
    winner: str | None
    sentence: str


class PastLook(NamedTuple):
    """What a look that counted hands on to the next; treatments in the order of the design.

    Attributes:
        p: The running p-value of each treatment.
        crossed: For each treatment 1 (better), -1 (worse) or 0.
        units: Of both arms, as the boundary counts them.
        kept: Whether each guardrail was kept by each treatment, as `guardrails` lists them.
        gains: How much better each treatment was.
        worth: Whether each treatment's gain was worth shipping.
        futile: Whether each treatment was unlikely to win any more.
        ending: Of the final look the verdict, the winner and the sentence, however long it had run.
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
