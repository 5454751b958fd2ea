"""From tallies to comparisons, and from comparisons to a verdict that refuses thin evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlreg.entities.reports import Finding, MetricComparison, Verdict
from mlreg.entities.traffic import WHOLE, Revision
from mlreg.metrics import BY_NAME
from mlreg.stats.codes import LOW_COUNTS
from mlreg.stats.means import compare_means
from mlreg.stats.moments import Moments
from mlreg.stats.proportions import compare_proportions
from mlreg.stats.results import Comparison
from mlreg.stats.srm import THRESHOLD as SPLIT_ALARM
from mlreg.stats.srm import Epoch, sequential_sample_ratio
from mlreg.tallies import MILLISECOND, Tally
from mlreg.tallies import Moments as ExactMoments

ALPHA = 0.05
MIN_REQUESTS = 100

# Better on one of these and worse on none ships. How much latency or cost a gain may take is not
# for mlreg to say: a change of these is told beside the verdict.
_DECIDING = ("accuracy", "error_rate")
_TOLD = ("avg_latency_ms", "cost_per_request")


def compare(tallies: Mapping[str, Tally], baseline: str) -> list[MetricComparison]:
    """Each other version against the baseline, metric by metric, where both have data.

    The level is shared among the candidates (Bonferroni), so that five candidates do not bring
    five chances of a false winner; the intervals follow it.
    """
    candidates = [version for version in tallies if version != baseline]
    alpha = ALPHA / max(1, len(candidates))
    return [
        comparison
        for candidate in candidates
        for comparison in _pair(tallies[baseline], tallies[candidate], baseline, candidate, alpha)
    ]


def conclude(
    tallies: Mapping[str, Tally],
    baseline: str | None,
    comparisons: Sequence[MetricComparison],
    *,
    off_split: str | None = None,
) -> tuple[Verdict, str | None, str]:
    """The verdict, the version that the evidence favours, and one sentence with the numbers."""
    if off_split:
        return "invalid", None, off_split
    if baseline is None:
        return "inconclusive", None, "There are no predictions yet."
    if len(tallies) == 1:
        return "inconclusive", None, f"Only {baseline} has predictions: nothing to compare."
    judged = _ripe(tallies, baseline)
    if len(judged) < 2:
        return "inconclusive", None, _too_thin(tallies)
    sound = [c for c in comparisons if c.candidate in judged and LOW_COUNTS not in c.warnings]
    # Few failures are too few to win by, but not to be stopped by: a veto counts whatever its test.
    winners = [c for c in sound if _wins(c, comparisons)]
    if winners:
        best = max(winners, key=lambda c: abs(c.difference or 0))
        price = _price(best.candidate, sound)
        return "ship", best.candidate, f"Ship {best.candidate}: {_sentence(best)}{price}."
    worse = [c for c in sound if c.metric in _DECIDING and c.verdict == "worse"]
    if {c.candidate for c in worse} >= judged - {baseline}:
        gains = [c for c in sound if c.metric in _DECIDING and c.verdict == "better"]
        but = f", though {_sentence(gains[0])}" if gains else ""
        return "keep", baseline, f"Keep {baseline}: {_sentence(worse[0])}{but}."
    return "inconclusive", None, _undecided(sound)


def split_problem(revision: Revision, observed: Sequence[int], *, checks: int) -> str | None:
    """Why the counts of a revision's live arms do not fit its weights; None if they may.

    The alarm is raised below p = 0.001, shared among the checks of one report. The sequential test
    is the right one even for a report that a cron job asks for every minute.
    """
    weights = tuple(arm.weight for arm in revision.live)
    epoch = Epoch(tuple(observed), weights)
    result = sequential_sample_ratio(epoch, threshold=SPLIT_ALARM / checks)
    if not result.is_mismatch:
        return None
    total = sum(observed)
    seen = " / ".join(f"{count / total:.1%}" for count in observed)
    meant = " / ".join(f"{weight / WHOLE:.1%}" for weight in weights)
    return (
        f"Invalid: revision {revision.number} split its {total} predictions {seen} "
        f"instead of {meant} ({format_p(result.p_value)}); find out which ones were lost."
    )


def _pair(
    base: Tally, other: Tally, baseline: str, candidate: str, alpha: float
) -> list[MetricComparison]:
    found = [
        ("accuracy", _accuracy(base, other, alpha)),
        ("error_rate", _rates(base.errors, base.requests, other.errors, other.requests, alpha)),
        ("avg_latency_ms", compare_means(_latency(base), _latency(other), alpha=alpha)),
        ("avg_confidence", _means(base.confidence, other.confidence, alpha)),
        ("cost_per_request", _means(base.cost, other.cost, alpha)),
    ]
    named = [
        (name, _means(base.values[name], other.values[name], alpha))
        for name in sorted(base.values.keys() & other.values.keys())
    ]
    return [
        _comparison(metric, baseline, candidate, result)
        for metric, result in found + named
        if result is not None
    ]


def _accuracy(base: Tally, other: Tally, alpha: float) -> Comparison | None:
    found = _rates(base.correct, base.judged, other.correct, other.judged, alpha)
    if found is None or min(base.judged, other.judged) >= MIN_REQUESTS:
        return found
    return replace(found, warnings=tuple({*found.warnings, LOW_COUNTS}))


def _rates(x_c: int, n_c: int, x_t: int, n_t: int, alpha: float) -> Comparison | None:
    return compare_proportions(x_c, n_c, x_t, n_t, alpha=alpha) if n_c and n_t else None


def _means(base: ExactMoments, other: ExactMoments, alpha: float) -> Comparison | None:
    if not (base.n and other.n):
        return None
    return compare_means(_moments(base), _moments(other), alpha=alpha)


def _moments(exact: ExactMoments) -> Moments:
    return Moments(n=exact.n, mean=exact.mean or 0.0, variance=exact.variance or 0.0)


def _latency(tally: Tally) -> Moments:
    # A batch counts once: its rows share one latency, and so do they the luck of the moment.
    calls = tally.calls
    return Moments(
        n=calls.n,
        mean=(calls.mean or 0.0) / MILLISECOND,
        variance=(calls.variance or 0.0) / MILLISECOND**2,
    )


def _comparison(metric: str, baseline: str, candidate: str, result: Comparison) -> MetricComparison:
    bounds = (result.ci_lower, result.ci_upper)
    return MetricComparison(
        metric=metric,
        baseline=baseline,
        candidate=candidate,
        baseline_value=result.control,
        candidate_value=result.treatment,
        difference=result.difference,
        difference_ci=None if None in bounds else bounds,  # type: ignore[arg-type]  # both are numbers then
        p_value=result.p_value,
        verdict=_direction(metric, result),
        method=result.method,
        warnings=result.warnings,
    )


def _direction(metric: str, result: Comparison) -> Finding:
    known = BY_NAME.get(metric)
    if not result.is_significant or not result.difference:
        return "inconclusive"
    if known is None or known.better is None:
        return "different"
    is_up = result.difference > 0
    return "better" if is_up is (known.better == "up") else "worse"


def _ripe(tallies: Mapping[str, Tally], baseline: str) -> set[str]:
    """The versions with enough predictions to be judged; none if the baseline is not among them."""
    ripe = {version for version, tally in tallies.items() if tally.requests >= MIN_REQUESTS}
    return ripe if baseline in ripe else set()


def _too_thin(tallies: Mapping[str, Tally]) -> str:
    version = min(tallies, key=lambda v: tallies[v].requests)
    return (
        f"Too little evidence: {version} has {tallies[version].requests} predictions, "
        f"and a verdict needs {MIN_REQUESTS} of each version."
    )


def _wins(comparison: MetricComparison, everything: Sequence[MetricComparison]) -> bool:
    """Better on what decides and worse on none of it."""
    return (
        comparison.metric in _DECIDING
        and comparison.verdict == "better"
        and not any(
            c.candidate == comparison.candidate and c.metric in _DECIDING and c.verdict == "worse"
            for c in everything
        )
    )


def _price(candidate: str, comparisons: Sequence[MetricComparison]) -> str:
    told = [
        c
        for c in comparisons
        if c.candidate == candidate and c.metric in _TOLD and c.verdict == "worse"
    ]
    return "".join(f"; but its {_sentence(c)}" for c in told)


def _undecided(comparisons: Sequence[MetricComparison]) -> str:
    deciding = [c for c in comparisons if c.metric == "accuracy"] or [
        c for c in comparisons if c.metric == "error_rate" and c.difference
    ]
    if not deciding:
        return (
            "Too little evidence: no version failed more than another, and accuracy needs "
            f"{MIN_REQUESTS} labels of each version."
        )
    closest = min(deciding, key=lambda c: c.p_value if c.p_value is not None else 2)
    return f"No verdict: {_sentence(closest)}, which may be chance."


def _sentence(c: MetricComparison) -> str:
    known = BY_NAME.get(c.metric)
    label, unit = (known.label, known.unit) if known else (c.metric, "cost")
    values = (
        f"{_value(c.candidate_value, unit)} with {c.candidate} "
        f"against {_value(c.baseline_value, unit)} with {c.baseline}"
    )
    if c.difference_ci is None:
        return f"{label} is {values} ({format_p(c.p_value)})"
    gap, low, high = (
        _value(number, unit, signed=True) for number in (c.difference, *c.difference_ci)
    )
    return f"{label} is {values} ({gap}, interval {low} to {high}, {format_p(c.p_value)})"


def _value(value: float | None, unit: str, *, signed: bool = False) -> str:
    if value is None:
        return "unknown"
    sign = "+" if signed else ""
    if unit == "share":
        return f"{value * 100:{sign}.1f}" + (" points" if signed else " %")
    return f"{value:{sign}.3g}" + (" ms" if unit == "ms" else "")


def format_p(p: float | None) -> str:
    """A p-value for people: never 0.000."""
    if p is None:
        return "no p-value"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
