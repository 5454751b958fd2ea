"""Paired answers: control and treatment both judged on the same inputs (shadow mode)."""

import math
from bisect import bisect_left
from dataclasses import dataclass

from mlreg.stats import codes
from mlreg.stats.always_valid import rate_limits
from mlreg.stats.checks import check_count, check_fraction
from mlreg.stats.distributions import (
    binomial_two_sided,
    chi2_tail,
    confidence_interval,
    normal_upper,
)
from mlreg.stats.results import Interval
from mlreg.stats.srm import Epoch, sequential_sample_ratio

PAIR_CONCENTRATION = 10.0
"""Discordant pairs are few and often lopsided; the mixture for traffic splits would see nothing."""

EXACT_BELOW = 25
"""With fewer discordant pairs the exact test decides, from here on its mid-p version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """McNemar's comparison of two success rates on the same inputs.

    Attributes:
        method: The p-value that `p_value` repeats: "mcnemar_exact" or "mcnemar_mid_p".
        difference: Rate of the treatment minus rate of the control; None without pairs.
        se: Standard error of the difference.
        ci_lower: Lower limit of the difference at level 1 - alpha (Wald).
        ci_upper: Upper limit of the difference at level 1 - alpha (Wald).
        p_value: The p-value to decide by.
        exact_p: Exact binomial p-value.
        mid_p: Mid-p version, less conservative.
        chi2: McNemar's statistic without correction.
        chi2_p: Its p-value.
        chi2_corrected_p: p-value with the continuity correction.
        alpha: Level of the test.
        warnings: Codes from `mlreg.stats.codes`.
    """

    method: str
    difference: float | None
    se: float | None
    ci_lower: float | None
    ci_upper: float | None
    p_value: float
    exact_p: float
    mid_p: float
    chi2: float
    chi2_p: float
    chi2_corrected_p: float
    alpha: float
    warnings: tuple[str, ...] = ()

    @property
    def is_significant(self) -> bool:
        """Whether p_value <= alpha."""
        return self.p_value <= self.alpha


def mcnemar(
    only_control: int, only_treatment: int, n: int, *, alpha: float = 0.05
) -> PairedComparison:
    """Test whether two versions are right equally often on the same inputs (McNemar 1947).

    Only the pairs on which they disagree count. Without such pairs p is 1.

    Args:
        only_control: Pairs that only the control has right.
        only_treatment: Pairs that only the treatment has right.
        n: All pairs.
        alpha: Level of the test; the interval has level 1 - alpha.

    Raises:
        ValueError: For negative counts, more discordant pairs than pairs, or alpha outside (0, 1).
    """
    _check_pairs(only_control, only_treatment, n)
    check_fraction("alpha", alpha)
    discordant, gap = only_control + only_treatment, abs(only_treatment - only_control)
    exact = binomial_two_sided(only_control, discordant, 0.5)
    mid = mid_p_value(only_control, only_treatment)
    chi2 = gap * gap / discordant if discordant else 0.0
    corrected = max(gap - 1, 0) ** 2 / discordant if discordant else 0.0
    is_exact = discordant < EXACT_BELOW
    difference, se = paired_difference(only_control, only_treatment, n)
    is_defined = difference is not None and se is not None and se > 0
    limits = confidence_interval(difference or 0.0, se or 0.0, normal_upper, alpha)
    return PairedComparison(
        method="mcnemar_exact" if is_exact else "mcnemar_mid_p",
        difference=difference,
        se=se,
        ci_lower=max(-1.0, limits.low) if is_defined else None,
        ci_upper=min(1.0, limits.high) if is_defined else None,
        p_value=exact if is_exact else mid,
        exact_p=exact,
        mid_p=mid,
        chi2=chi2,
        chi2_p=chi2_tail(chi2, 1),
        chi2_corrected_p=chi2_tail(corrected, 1),
        alpha=alpha,
        warnings=_caveats(n, discordant, is_exact),
    )


def mid_p_value(only_control: int, only_treatment: int) -> float:
    """Mid-p of McNemar's exact test: it counts half of the observed outcome (Fagerland 2013)."""
    discordant = only_control + only_treatment
    if only_control == only_treatment:
        return 1.0
    exact = binomial_two_sided(only_control, discordant, 0.5)
    log_choose = (
        math.lgamma(discordant + 1)
        - math.lgamma(only_control + 1)
        - math.lgamma(only_treatment + 1)
    )
    return max(0.0, exact - math.exp(log_choose - discordant * math.log(2)))


def paired_difference(
    only_control: int, only_treatment: int, n: int
) -> tuple[float | None, float | None]:
    """(c - b)/n and its standard error sqrt(b + c - (c - b)²/n)/n; None without pairs."""
    _check_pairs(only_control, only_treatment, n)
    if not n:
        return None, None
    gap = only_treatment - only_control
    return gap / n, math.sqrt(max(0.0, only_control + only_treatment - gap * gap / n)) / n


def sequential_p_value(
    only_control: int,
    only_treatment: int,
    *,
    concentration: float = PAIR_CONCENTRATION,
    previous_p: float = 1.0,
) -> float:
    """p-value of the discordant pairs so far, valid at all looks together.

    Under equal versions each discordant pair is a fair coin, so the sequential multinomial test of
    `mlreg.stats.srm` with equal weights is exact here.
    """
    pairs = Epoch((only_control, only_treatment), (0.5, 0.5))
    return sequential_sample_ratio(
        pairs, concentration=concentration, previous_p=previous_p
    ).p_value


def discordant_share(only_control: int, only_treatment: int, *, alpha: float = 0.05) -> Interval:
    """Limits of the share of discordant pairs that the treatment has right, at all looks together.

    They are of the mixture that `sequential_p_value` tests with, so they leave out one half
    exactly when that is at most alpha. See `always_valid.rate_limits`.
    """
    discordant = only_control + only_treatment
    return rate_limits(only_treatment, discordant, alpha=alpha, weight=PAIR_CONCENTRATION / 2)


def discordant_needed(
    only_control: int, only_treatment: int, *, alpha: float = 0.05, most: int = 1_000_000
) -> int | None:
    """How many discordant pairs decide if they go on to fall as so far; None where none would."""
    so_far = only_control + only_treatment
    if only_control == only_treatment:
        return None

    def is_enough(pairs: int) -> bool:
        first = round(pairs * only_control / so_far)
        return sequential_p_value(first, pairs - first) <= alpha

    found = bisect_left(range(so_far, most), True, key=is_enough) + so_far
    return found if found < most else None


def _caveats(n: int, discordant: int, is_exact: bool) -> tuple[str, ...]:
    if not n:
        return (codes.EMPTY_ARM,)
    if not discordant:
        return (codes.DEGENERATE,)
    return (codes.LOW_COUNTS,) if is_exact else ()


def _check_pairs(only_control: int, only_treatment: int, n: int) -> None:
    for name, count in (("only_control", only_control), ("only_treatment", only_treatment)):
        check_count(name, count)
    if only_control + only_treatment > n:
        raise ValueError(f"{only_control} + {only_treatment} discordant pairs exceed n = {n}")
