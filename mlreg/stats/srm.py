"""Sample ratio mismatch: did the arms get the share of units that they were meant to get?

A mismatch means that the randomisation or the logging is broken, and no metric can be trusted.
Count units of randomisation, not requests.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlreg.stats import codes
from mlreg.stats.checks import check_choice, check_count, check_fraction, check_positive
from mlreg.stats.distributions import binomial_two_sided, chi2_tail

THRESHOLD = 0.001
MIN_EXPECTED = 5
CONCENTRATION = 1000.0


@dataclass(frozen=True, slots=True)
class Epoch:
    """Units counted while the weights stayed the same.

    Attributes:
        observed: Units of each arm.
        weights: Intended weight of each arm, on any scale; an arm that was off has weight 0.
    """

    observed: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.observed) != len(self.weights):
            raise ValueError(
                f"one weight per arm is needed, got {len(self.weights)} for {len(self.observed)}"
            )
        for count, weight in zip(self.observed, self.weights, strict=True):
            check_count("an observed count", count)
            check_count("a weight", weight)
        check_positive("the sum of the weights", sum(self.weights))

    @property
    def total(self) -> int:
        """Units of all arms."""
        return sum(self.observed)

    @property
    def shares(self) -> tuple[float, ...]:
        """Weights as parts of 1."""
        whole = math.fsum(self.weights)
        return tuple(weight / whole for weight in self.weights)

    @property
    def has_stray_units(self) -> bool:
        """Whether an arm without weight received units."""
        return any(n and not weight for n, weight in zip(self.observed, self.weights, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """Result of a sample ratio check.

    Attributes:
        method: "chi2", "exact_binomial" or "sequential_multinomial".
        p_value: Probability of counts at least this far from the weights; for the sequential method
            the smallest so far.
        threshold: A p-value below it is an alarm.
        expected: Units that the weights promise each arm.
        statistic: Chi-square, or the log Bayes factor against the weights; None for an exact test.
        df: Degrees of freedom of the chi-square.
        is_mismatch: Whether to raise the alarm.
        warnings: Codes from `mlreg.stats.codes`.
    """

    method: str
    p_value: float
    threshold: float
    expected: tuple[float, ...]
    statistic: float | None = None
    df: int | None = None
    is_mismatch: bool
    warnings: tuple[str, ...] = ()


def sample_ratio(
    epochs: Epoch | Sequence[Epoch], *, method: str = "auto", threshold: float = THRESHOLD
) -> SampleRatio:
    """Test once, at a moment fixed beforehand, whether the counts agree with the weights.

    Pearson's chi-square, or the exact binomial test of two arms when one expects fewer than 5
    units. Arms without weight do not count as degrees of freedom. Over several epochs the
    statistic is the quadratic form of the summed deviations in their summed multinomial
    covariance: Pearson's own for one epoch, and right where weights changed.

    Args:
        epochs: Counts and weights, one entry for each period of constant weights.
        method: "auto", "chi2" or "exact".
        threshold: p-value below which the result is an alarm.

    Raises:
        ValueError: For an unknown method, a bad threshold, or epochs with different numbers of
            arms; for "exact" unless it is one epoch with two weighted arms.
    """
    check_choice("method", method, ("auto", "chi2", "exact"))
    check_fraction("threshold", threshold)
    periods = _periods(epochs)
    expected = _expected(periods)
    if any(period.has_stray_units for period in periods):
        return _result("chi2", 0.0, threshold, expected, (codes.ZERO_WEIGHT_TRAFFIC,))
    weighted = [i for i, weight in enumerate(periods[0].weights) if weight]
    can_be_exact = len(periods) == 1 and len(weighted) == 2
    if method == "exact" and not can_be_exact:
        raise ValueError("the exact test needs one epoch with two weighted arms")
    is_small = any(0 < count < MIN_EXPECTED for count in expected)
    if method == "exact" or (method == "auto" and is_small and can_be_exact):
        first = weighted[0]
        period = periods[0]
        p = binomial_two_sided(period.observed[first], period.total, period.shares[first])
        return _result("exact_binomial", p, threshold, expected)
    statistic, df = _chi2(periods)
    p = chi2_tail(statistic, df) if df else 1.0
    warnings = (codes.LOW_COUNTS,) if is_small else ()
    return _result("chi2", p, threshold, expected, warnings, statistic, df)


def sequential_sample_ratio(
    epochs: Epoch | Sequence[Epoch],
    *,
    concentration: float = CONCENTRATION,
    previous_p: float = 1.0,
    threshold: float = THRESHOLD,
) -> SampleRatio:
    """Test the counts so far, as often as you like (Lindon & Malek 2022, sequential multinomial).

    The Bayes factor of a Dirichlet mixture around the weights against the weights themselves is a
    martingale while the split is right, so exp(-log BF), capped at 1 and never rising, is a p-value
    at all looks together. A new epoch starts a new factor; the factors multiply.

    Args:
        epochs: Cumulative counts and weights, one entry for each period of constant weights.
        concentration: How close to the weights the mixture sits: 100 finds gross errors soonest,
            10 000 subtle ones.
        previous_p: `p_value` of the check before.
        threshold: p-value below which the result is an alarm.

    Raises:
        ValueError: For a concentration not above 0, a bad threshold, or epochs that do not match.
    """
    check_positive("concentration", concentration)
    check_fraction("threshold", threshold)
    periods = _periods(epochs)
    expected = _expected(periods)
    method = "sequential_multinomial"
    if any(period.has_stray_units for period in periods):
        return _result(method, 0.0, threshold, expected, (codes.ZERO_WEIGHT_TRAFFIC,))
    log_factor = math.fsum(log_bayes_factor(period, concentration) for period in periods)
    p = min(previous_p, math.exp(-max(0.0, log_factor)))
    return _result(method, p, threshold, expected, (), log_factor)


def log_bayes_factor(epoch: Epoch, concentration: float = CONCENTRATION) -> float:
    """Log of P(counts | Dirichlet(concentration * weights)) / P(counts | weights)."""
    arms = [(n, w) for n, w in zip(epoch.observed, epoch.shares, strict=True) if w]
    k = concentration
    terms = [math.lgamma(k * w + n) - math.lgamma(k * w) - n * math.log(w) for n, w in arms]
    return math.lgamma(k) - math.lgamma(k + epoch.total) + math.fsum(terms)


def _chi2(periods: Sequence[Epoch]) -> tuple[float, int]:
    import numpy as np

    arms = len(periods[0].observed)
    deviation, covariance = np.zeros(arms), np.zeros((arms, arms))
    for period in periods:
        shares: Any = np.asarray(period.shares)
        deviation += np.asarray(period.observed) - period.total * shares
        covariance += period.total * (np.diag(shares) - np.outer(shares, shares))
    # Singular by nature (counts sum to the total); the rank is the number of free counts.
    inverse = np.linalg.pinv(covariance, hermitian=True)
    df = int(np.linalg.matrix_rank(covariance, hermitian=True))
    return max(0.0, float(deviation @ inverse @ deviation)), df


def _periods(epochs: Epoch | Sequence[Epoch]) -> tuple[Epoch, ...]:
    periods = (epochs,) if isinstance(epochs, Epoch) else tuple(epochs)
    if not periods or len({len(period.observed) for period in periods}) > 1:
        raise ValueError("one or more epochs with the same arms are needed")
    return periods


def _expected(periods: Sequence[Epoch]) -> tuple[float, ...]:
    promised = [[period.total * share for share in period.shares] for period in periods]
    return tuple(math.fsum(arm) for arm in zip(*promised, strict=True))


def _result(
    method: str,
    p: float,
    threshold: float,
    expected: tuple[float, ...],
    warnings: tuple[str, ...] = (),
    statistic: float | None = None,
    df: int | None = None,
) -> SampleRatio:
    is_mismatch = p < threshold
    return SampleRatio(
        method=method,
        p_value=p,
        threshold=threshold,
        expected=expected,
        statistic=statistic,
        df=df,
        is_mismatch=is_mismatch,
        warnings=(*warnings, codes.SRM) if is_mismatch else warnings,
    )
