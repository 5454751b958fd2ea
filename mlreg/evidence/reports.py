"""From tallies to comparisons, and from comparisons to a verdict that refuses thin evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlreg.entities.reports import Compared, MetricComparison, Verdict
from mlreg.entities.traffic import WHOLE, Revision
from mlreg.evidence.figures import Contrasted, contrast
from mlreg.metrics import BY_NAME, VALUE, Directions, Metric, find
from mlreg.names import counted
from mlreg.stats.codes import LOW_COUNTS
from mlreg.stats.results import Comparison
from mlreg.stats.srm import THRESHOLD as SPLIT_ALARM
from mlreg.stats.srm import Epoch, sequential_sample_ratio
from mlreg.tallies import Tally

ALPHA = 0.05
MIN_REQUESTS = 100


def compare(
    tallies: Mapping[str, Tally], baseline: str, directions: Directions | None = None
) -> list[MetricComparison]:
    """Each other version against the baseline, metric by metric, where both have data.

    The level is shared among the candidates (Bonferroni), so that five candidates do not bring
    five chances of a false winner; the intervals follow it.
    """
    candidates = [version for version in tallies if version != baseline]
    alpha = ALPHA / max(1, len(candidates))
    base, pairs = tallies[baseline], {}
    for candidate in candidates:
        other = tallies[candidate]
        for metric in _compared(base, other, directions):
            pairs[candidate, metric] = contrast(metric, base, other, alpha=alpha)
    return [
        _comparison(metric, baseline, candidate, found)
        for (candidate, metric), found in pairs.items()
        if found is not None
    ]


def conclude(
    tallies: Mapping[str, Tally],
    baseline: str | None,
    comparisons: Sequence[MetricComparison],
    *,
    off_split: str | None = None,
    is_window: bool = False,
) -> tuple[Verdict, str | None, str]:
    """The verdict, the version that the evidence favours, and one sentence with the numbers."""
    if off_split:
        return "invalid", None, off_split
    if baseline is None:
        when = "in this window" if is_window else "yet"
        return "inconclusive", None, f"There are no predictions {when}."
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
    worse = [c for c in sound if _role(c) == "decides" and c.verdict == "worse"]
    if {c.candidate for c in worse} >= judged - {baseline}:
        gains = [c for c in sound if _role(c) == "decides" and c.verdict == "better"]
        but = f", though {_sentence(gains[0])}" if gains else ""
        return "keep", baseline, f"Keep {baseline}: {_sentence(worse[0])}{but}."
    return "inconclusive", None, _undecided(sound, [tallies[version] for version in judged])


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


def _compared(base: Tally, other: Tally, directions: Directions | None) -> list[Metric]:
    named = [find(VALUE + name, directions) for name in sorted(base.values.keys() & other.values)]
    return [m for m in (*BY_NAME.values(), *named) if m is not None and m.role]


def _comparison(
    metric: Metric, baseline: str, candidate: str, found: Contrasted
) -> MetricComparison:
    result, warnings = found.result, found.result.warnings
    if metric.role == "decides" and metric.needs and found.n < MIN_REQUESTS:
        warnings = tuple({*warnings, LOW_COUNTS})
    low, high = result.ci_lower, result.ci_upper
    return MetricComparison(
        metric=metric.key or metric.name,
        baseline=baseline,
        candidate=candidate,
        baseline_value=result.control,
        candidate_value=result.treatment,
        difference=result.difference,
        difference_ci=None if low is None or high is None else (low, high),
        p_value=result.p_value,
        verdict=_direction(metric, result),
        method=result.method,
        warnings=warnings,
        better=metric.better,
    )


def _direction(metric: Metric, result: Comparison) -> Compared:
    if not result.is_significant or not result.difference:
        return "inconclusive"
    if metric.better is None:
        return "different"
    return "better" if (result.difference > 0) is (metric.direction == "up") else "worse"


def _role(c: MetricComparison) -> str:
    """What a metric is to the verdict; a feedback value decides if its direction is known."""
    known = BY_NAME.get(c.metric)
    return known.role if known else "decides" if c.better else "shown"


def _ripe(tallies: Mapping[str, Tally], baseline: str) -> set[str]:
    """The versions with enough predictions to be judged; none if the baseline is not among them."""
    ripe = {version for version, tally in tallies.items() if tally.requests >= MIN_REQUESTS}
    return ripe if baseline in ripe else set()


def _too_thin(tallies: Mapping[str, Tally]) -> str:
    version = min(tallies, key=lambda v: tallies[v].requests)
    return (
        f"Too little evidence: {version} has {counted(tallies[version].requests, 'prediction')}, "
        f"and a verdict needs {MIN_REQUESTS} of each version."
    )


def _wins(comparison: MetricComparison, everything: Sequence[MetricComparison]) -> bool:
    """Better on what decides and worse on none of it."""
    return (
        _role(comparison) == "decides"
        and comparison.verdict == "better"
        and not any(
            c.candidate == comparison.candidate and _role(c) == "decides" and c.verdict == "worse"
            for c in everything
        )
    )


def _price(candidate: str, comparisons: Sequence[MetricComparison]) -> str:
    told = [
        c
        for c in comparisons
        if c.candidate == candidate and _role(c) == "told" and c.verdict == "worse"
    ]
    return "".join(f"; but its {_sentence(c)}" for c in told)


def _undecided(comparisons: Sequence[MetricComparison], tallies: Sequence[Tally]) -> str:
    deciding = [c for c in comparisons if _role(c) == "decides" and c.metric != "error_rate"] or [
        c for c in comparisons if c.metric == "error_rate" and c.difference
    ]
    if not deciding and all(tally.judged >= MIN_REQUESTS for tally in tallies):
        labels = sum(tally.judged for tally in tallies)
        wrong = labels - sum(tally.correct for tally in tallies)
        return (
            "Too little evidence: no version failed more than another, and accuracy cannot tell "
            f"them apart by {wrong:,} wrong answers among {labels:,} labels."
        )
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
