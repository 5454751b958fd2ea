"""How few values carry a mean: what is rare makes a variance look smaller than it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mlreg.entities.experiments import TestMetric
from mlreg.evidence.observed import Observed
from mlreg.metrics import sizes_of
from mlreg.stats.heavy_tails import Sizes, variance_error
from mlreg.stats.joint_moments import moments_of
from mlreg.tallies import Sums


class Rarity(NamedTuple):
    """What a mean of two arms rests on.

    Attributes:
        events: Units with a value other than zero that the arm with the fewer units can expect, if
            both have as many; None where zero is no usual value.
        error: Relative standard error of the variance.
    """

    events: float | None = None
    error: float = 0.0


def rarity(metric: TestMetric, observed: Observed, treatment: int) -> Rarity:
    """How few values carry the mean of a treatment, by its place among the arms, and the control.

    Of all phases together: this tells how much a variance may be trusted, not how large it is.
    """
    arms = [_total([row[place] for row in observed.sums[metric.name]]) for place in (0, treatment)]
    whole = _total(arms)
    values, sizes = moments_of(whole).y, observed.sums.get(sizes_of(metric.name) or "")
    if not values.n:
        return Rarity(events=None if sizes is None else 0.0)
    if sizes is None:
        # All latencies and confidences are above zero; of costs nobody knows.
        is_usual = metric.unit in ("ms", "share")
        own = Sizes(whole.n, whole.y, whole.yy)
        return Rarity(error=variance_error(values, own) if is_usual else 0.0)
    others = _total([row[place] for row in sizes for place in (0, treatment)])
    expected = others.n / values.n * min(arm.n for arm in arms)
    return Rarity(expected, variance_error(values, Sizes(others.n, others.y, others.yy)))


def _total(sums: Sequence[Sequence[float]]) -> Sums:
    return Sums(*(sum(parts) for parts in zip(*sums, strict=True)))
