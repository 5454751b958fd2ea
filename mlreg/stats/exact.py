"""Exact tests of a two-by-two table, for counts too small for the normal approximation."""

import math

from mlreg.stats.checks import check_choice, check_counts
from mlreg.stats.distributions import normal_upper
from mlreg.stats.results import Alternative

_TIE = 1e-7
BOSCHLOO_MAX_TOTAL = 500
"""Beyond it Boschloo's test takes seconds, and Fisher's has lost most of its conservatism."""


def exact_p_value(
    successes_c: int,
    n_c: int,
    successes_t: int,
    n_t: int,
    *,
    method: str,
    alternative: Alternative = "two-sided",
) -> float:
    """The p-value of Fisher's ("fisher") or Boschloo's ("boschloo") exact test.

    Args:
        successes_c: Successes of the control.
        n_c: Units of the control.
        successes_t: Successes of the treatment.
        n_t: Units of the treatment.
        method: "fisher" or "boschloo".
        alternative: "two-sided", "greater" (treatment > control) or "less".

    Raises:
        ValueError: For counts that cannot be, or an unknown method or alternative.
    """
    check_counts(successes_c, n_c)
    check_counts(successes_t, n_t)
    check_choice("method", method, ("fisher", "boschloo"))
    check_choice("alternative", alternative, ("two-sided", "greater", "less"))
    if successes_c + successes_t in (0, n_c + n_t):
        return 1.0
    test = _fisher if method == "fisher" else _boschloo
    return min(1.0, test(successes_c, n_c, successes_t, n_t, alternative))


def mid_p_z(successes_c: int, n_c: int, successes_t: int, n_t: int) -> float:
    """The z whose tail is the one-sided mid-p of the conditional test; 0 where nothing varies.

    Hirji, Tan & Elashoff (1991): the tables beyond the observed one, and half of that. Unlike
    Fisher's p it is 5 % about as often as it should be, unlike the normal z also far out.
    """
    check_counts(successes_c, n_c)
    check_counts(successes_t, n_t)
    successes = successes_c + successes_t
    lowest = max(0, successes - n_c)
    weights = _hypergeometric(lowest, min(n_t, successes), n_c, n_t, successes)
    seen = successes_t - lowest
    below, above = math.fsum(weights[:seen]), math.fsum(weights[seen + 1 :])
    tail = min(below, above) + weights[seen] / 2
    z = normal_upper(min(0.5, max(tail, 1e-300)))
    return z if above < below else -z


def _fisher(
    successes_c: int, n_c: int, successes_t: int, n_t: int, alternative: Alternative
) -> float:
    """Fisher (1935); two-sided sums the tables no likelier than the observed, as R does."""
    successes = successes_c + successes_t
    lowest = max(0, successes - n_c)
    weights = _hypergeometric(lowest, min(n_t, successes), n_c, n_t, successes)
    seen = successes_t - lowest
    if alternative == "greater":
        return math.fsum(weights[seen:])
    if alternative == "less":
        return math.fsum(weights[: seen + 1])
    return math.fsum(weight for weight in weights if weight <= weights[seen] * (1 + _TIE))


def _hypergeometric(lowest: int, highest: int, n_c: int, n_t: int, successes: int) -> list[float]:
    """P(treatment has x successes | both margins) for x = lowest … highest."""
    logs = [
        _log_choose(n_t, x) + _log_choose(n_c, successes - x) for x in range(lowest, highest + 1)
    ]
    top = max(logs)
    weights = [math.exp(value - top) for value in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _boschloo(
    successes_c: int, n_c: int, successes_t: int, n_t: int, alternative: Alternative
) -> float:
    """Boschloo (1970): Fisher's p as statistic, maximised over the unknown common rate."""
    from scipy.stats import boschloo_exact

    table = [[successes_t, successes_c], [n_t - successes_t, n_c - successes_c]]
    return float(boschloo_exact(table, alternative=alternative, n=64).pvalue)
