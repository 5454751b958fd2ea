"""Adjusted p-values for several arms and metrics. None and NaN are not tests and stay out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mlreg.stats.checks import check_fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Adjusted p-values in the order given.

    Attributes:
        method: "bonferroni", "holm", "benjamini_hochberg" or "benjamini_yekutieli".
        alpha: Family-wise level, or false discovery rate.
        p_values: Adjusted values; None where there was no p-value.
        rejected: Whether each adjusted value is at most alpha.
    """

    method: str
    alpha: float
    p_values: tuple[float | None, ...]
    rejected: tuple[bool, ...]


def bonferroni(p_values: Sequence[float | None], *, alpha: float = 0.05) -> Adjusted:
    """Every p-value times their number; holds the chance of any false win under any dependence."""
    return _adjust("bonferroni", p_values, alpha, lambda ps: [p * len(ps) for p in ps])


def holm(p_values: Sequence[float | None], *, alpha: float = 0.05) -> Adjusted:
    """Step-down Bonferroni (Holm 1979): as safe, never weaker."""
    return _adjust("holm", p_values, alpha, _step_down)


def benjamini_hochberg(p_values: Sequence[float | None], *, alpha: float = 0.05) -> Adjusted:
    """False discovery rate of independent or positively related tests (Benjamini & Hochberg)."""
    return _adjust("benjamini_hochberg", p_values, alpha, _step_up)


def benjamini_yekutieli(p_values: Sequence[float | None], *, alpha: float = 0.05) -> Adjusted:
    """False discovery rate under any dependence (Benjamini & Yekutieli 2001): larger by Σ 1/i."""

    def steps(ordered: list[float]) -> list[float]:
        harmonic = math.fsum(1 / i for i in range(1, len(ordered) + 1))
        return [p * harmonic for p in _step_up(ordered)]

    return _adjust("benjamini_yekutieli", p_values, alpha, steps)


def _step_down(ordered: list[float]) -> list[float]:
    m = len(ordered)
    return list(accumulate(((m - i) * p for i, p in enumerate(ordered)), max))


def _step_up(ordered: list[float]) -> list[float]:
    m = len(ordered)
    scaled = (m / (m - i) * p for i, p in enumerate(reversed(ordered)))
    return list(accumulate(scaled, min))[::-1]


def _adjust(
    method: str,
    p_values: Sequence[float | None],
    alpha: float,
    steps: Callable[[list[float]], list[float]],
) -> Adjusted:
    check_fraction("alpha", alpha)
    known = [(p, i) for i, p in enumerate(p_values) if p is not None and not math.isnan(p)]
    for p, _ in known:
        if not 0 <= p <= 1:
            raise ValueError(f"p-values must lie between 0 and 1, got {p!r}")
    known.sort()
    adjusted: list[float | None] = [None] * len(p_values)
    for (_, i), value in zip(known, steps([p for p, _ in known]), strict=True):
        adjusted[i] = min(1.0, float(value))
    rejected = tuple(p is not None and p <= alpha for p in adjusted)
    return Adjusted(method=method, alpha=alpha, p_values=tuple(adjusted), rejected=rejected)
