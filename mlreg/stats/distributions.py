"""Tails and quantiles: `…_tail(x)` is P(X > x), `…_upper(p)` is the x with P(X > x) = p.

Upper tails keep their digits where 1 - cdf would be exactly 0. The normal needs only the standard
library; scipy.special costs 100 ms to import and is loaded by the first call that needs it.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

from mlreg.stats.checks import check_choice
from mlreg.stats.results import Alternative, Interval

_NORMAL = NormalDist()
_TIE = 1e-7
_LEAST_TAIL = 1e-300  # beyond it both are as good as certain, and quantiles are infinite


def normal_tail(z: float) -> float:
    """P(Z > z) of the standard normal."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def normal_upper(p: float) -> float:
    """The z with P(Z > z) = p."""
    return -_NORMAL.inv_cdf(p)


def student_tail(t: float, df: float) -> float:
    """P(T > t) of Student's t with `df` degrees of freedom."""
    from scipy.special import stdtr

    return float(stdtr(df, -t))


def student_upper(p: float, df: float) -> float:
    """The t with P(T > t) = p."""
    from scipy.special import stdtrit

    return -float(stdtrit(df, p))


def student_as_normal(t: float, df: float) -> float:
    """The z that lies as far out in the standard normal as `t` does in Student's t."""
    tail = max(student_tail(abs(t), df), _LEAST_TAIL)
    return math.copysign(normal_upper(tail), t)


def normal_as_student(z: float, df: float) -> float:
    """The t that lies as far out in Student's t as `z` does in the standard normal."""
    return math.copysign(student_upper(max(normal_tail(abs(z)), _LEAST_TAIL), df), z)


def chi2_tail(x: float, df: float) -> float:
    """P(X > x) of the chi-square distribution."""
    from scipy.special import chdtrc

    return float(chdtrc(df, x))


def beta_quantile(p: float, a: float, b: float) -> float:
    """The x with P(X <= x) = p of the Beta(a, b) distribution."""
    from scipy.special import betaincinv

    return float(betaincinv(a, b, p))


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) of the binomial distribution."""
    from scipy.special import bdtr

    return float(bdtr(k, n, p))


def binomial_tail(k: int, n: int, p: float) -> float:
    """P(X > k) of the binomial distribution."""
    from scipy.special import bdtrc

    return float(bdtrc(k, n, p))


def noncentral_student_tail(t: float, df: float, shift: float) -> float:
    """P(T > t) of the noncentral t distribution with noncentrality `shift`."""
    from scipy.special import nctdtr

    below = float(nctdtr(df, shift, t))
    if math.isnan(below):  # for some shifts beyond 37, where the answer is 0 or 1
        return 1.0 if shift > t else 0.0
    return 1.0 - below


def binomial_two_sided(k: int, n: int, p: float) -> float:
    """Exact two-sided binomial p-value: P(an outcome no likelier than `k`), as in R."""
    import numpy as np
    from scipy.special import gammaln, xlog1py, xlogy

    x = np.arange(n + 1)
    log_pmf = (
        gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1) + xlogy(x, p) + xlog1py(n - x, -p)
    )
    pmf = np.exp(log_pmf)
    pmf /= pmf.sum()  # what the logarithms have lost of the whole
    return min(1.0, float(pmf[pmf <= pmf[k] * (1 + _TIE)].sum()))


def p_value(
    statistic: float, tail: Callable[[float], float], alternative: Alternative = "two-sided"
) -> float:
    """The p-value of a symmetric statistic, from its upper tail function."""
    check_choice("alternative", alternative, ("two-sided", "greater", "less"))
    if alternative == "two-sided":
        return min(1.0, 2 * tail(abs(statistic)))
    return tail(statistic if alternative == "greater" else -statistic)


def confidence_interval(
    estimate: float,
    se: float,
    upper: Callable[[float], float],
    alpha: float,
    alternative: Alternative = "two-sided",
) -> Interval:
    """estimate ± quantile * se at level 1 - alpha; one-sided, the other limit is infinite."""
    if alternative == "greater":
        return Interval(estimate - upper(alpha) * se, math.inf)
    if alternative == "less":
        return Interval(-math.inf, estimate + upper(alpha) * se)
    half = upper(alpha / 2) * se
    return Interval(estimate - half, estimate + half)
