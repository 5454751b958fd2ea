"""From tallies to comparisons, and from comparisons to a verdict that refuses thin evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlreg.entities.reports import Compared, MetricComparison, Verdict
from mlreg.entities.traffic import WHOLE, Revision
from mlreg.evidence.figures import Contrasted
from mlreg.evidence.together import Together, contrast_together
from mlreg.metrics import (
    BY_NAME,
    COVERAGE,
    VALUE,
    VALUE_COVERAGE,
    Directions,
    Metric,
    Share,
    find,
    label_of,
)
from mlreg.names import counted
from mlreg.stats.codes import BY_USER, DEGENERATE, LOW_COUNTS, SMALL_USERS
from mlreg.stats.codes import COVERAGE as UNEVEN
from mlreg.stats.results import Comparison
from mlreg.stats.srm import THRESHOLD as SPLIT_ALARM
from mlreg.stats.srm import Epoch, sequential_sample_ratio
from mlreg.tallies import Tally

ALPHA = 0.05
MIN_REQUESTS = 100
# Labels that came more often for one arm need no proof beyond doubt to make accuracies suspect.
COVERAGE_ALARM = 0.01
UNSOUND = frozenset({LOW_COUNTS, SMALL_USERS, BY_USER, UNEVEN, DEGENERATE})
"""Warnings of comparisons that no version wins or loses by."""


def compare(
    together: Mapping[str, Together], baseline: str, directions: Directions | None = None
) -> list[MetricComparison]:
    """Each candidate against the baseline, metric by metric, where both were live and have data.

    The level is shared among the candidates (Bonferroni), so that five candidates do not bring
    five chances of a false winner, and among the metrics that can decide; the intervals follow it.
    """
    alpha = ALPHA / max(1, len(together))
    return [
        comparison
        for candidate, side in together.items()
        for comparison in _side_by_side(baseline, candidate, side, directions, alpha)
    ]


def conclude(
    tallies: Mapping[str, Tally],
    baseline: str | None,
    comparisons: Sequence[MetricComparison],
    together: Mapping[str, Together],
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
    if not together:
        return "inconclusive", None, _apart(baseline, tallies)
    judged = {candidate for candidate, side in together.items() if _fewest(side) >= MIN_REQUESTS}
    if not judged:
        return "inconclusive", None, _too_thin(baseline, together)
    sound = [c for c in comparisons if c.candidate in judged and not UNSOUND & {*c.warnings}]
    # What is too little to win by is enough to be stopped by: a veto counts whatever its test.
    winners = [c for c in sound if _wins(c, comparisons)]
    if winners:
        best = max(winners, key=lambda c: abs(c.difference or 0))
        price = _price(best.candidate, sound)
        return "ship", best.candidate, f"Ship {best.candidate}: {_sentence(best)}{price}."
    worse = [c for c in sound if _role(c) == "decides" and c.verdict == "worse"]
    if {c.candidate for c in worse} >= judged:
        gains = [c for c in sound if _role(c) == "decides" and c.verdict == "better"]
        but = f", though {_sentence(gains[0])}" if gains else ""
        return "keep", baseline, f"Keep {baseline}: {_sentence(worse[0])}{but}."
    return "inconclusive", None, _why_not(comparisons, sound, together, judged)


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


def _side_by_side(
    baseline: str, candidate: str, side: Together, directions: Directions | None, alpha: float
) -> list[MetricComparison]:
    def compared(metric: Metric, level: float) -> MetricComparison | None:
        found = contrast_together(metric, side, alpha=level)
        if found is None:
            return None
        is_uneven = metric.role == "decides" and uneven(metric, side) is not None
        return _comparison(metric, baseline, candidate, found, is_uneven=is_uneven)

    metrics = compared_metrics(*side.arms, directions)
    found = [(metric, compared(metric, alpha)) for metric in metrics]
    # What cannot win, whatever it shows, takes no share of the level; equal arms decide that alike.
    deciding = {m for m, c in found if c and m.role == "decides" and not UNSOUND & {*c.warnings}}
    if len(deciding) > 1:
        shared = alpha / len(deciding)
        found = [(m, compared(m, shared) if m in deciding else c) for m, c in found]
    return [comparison for _, comparison in found if comparison is not None]


def uneven(metric: Metric, side: Together) -> tuple[float, float, float] | None:
    """The coverages of both arms and the p-value, if they differ by more than chance."""
    if metric.needs == COVERAGE:
        measure = BY_NAME[COVERAGE]
    elif metric.needs == VALUE_COVERAGE:
        measure = BY_NAME[COVERAGE]._replace(name=VALUE_COVERAGE + metric.key, read=_valued,
                                             key=metric.key)  # fmt: skip
    else:
        return None
    found = contrast_together(measure, side, alpha=COVERAGE_ALARM)
    result = found.result if found else None
    if result is None or result.p_value is None or result.p_value >= COVERAGE_ALARM:
        return None
    return result.control or 0.0, result.treatment or 0.0, result.p_value


def _valued(tally: Tally, key: str) -> Share:
    known = tally.values.get(key)
    return Share(known.n if known else 0, tally.requests)


def compared_metrics(base: Tally, other: Tally, directions: Directions | None) -> list[Metric]:
    """The metrics by which two versions are compared."""
    named = [find(VALUE + name, directions) for name in sorted(base.values.keys() & other.values)]
    return [m for m in (*BY_NAME.values(), *named) if m is not None and m.role]


def _comparison(
    metric: Metric, baseline: str, candidate: str, found: Contrasted, *, is_uneven: bool
) -> MetricComparison:
    result, warnings = found.result, found.result.warnings
    if metric.role == "decides" and metric.needs and found.n < MIN_REQUESTS:
        warnings = tuple({*warnings, LOW_COUNTS})
    verdict = _direction(metric, result)
    if is_uneven:
        warnings = (*warnings, UNEVEN)
        verdict = "inconclusive" if verdict == "better" else verdict  # a loss is still a warning
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
        verdict=verdict,
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


def _fewest(side: Together) -> int:
    return min(arm.requests for arm in side.arms)


def _apart(baseline: str, tallies: Mapping[str, Tally]) -> str:
    others = " and ".join(version for version in tallies if version != baseline)
    return (
        f"Not comparable: {baseline} and {others} ran at different times, and no revision split "
        "traffic between them."
    )


def _too_thin(baseline: str, together: Mapping[str, Together]) -> str:
    candidate = max(together, key=lambda version: _fewest(together[version]))
    base, other = together[candidate].arms
    version = baseline if base.requests < other.requests else candidate
    fewest = min(base.requests, other.requests)
    return (
        f"Too little evidence: {version} has {counted(fewest, 'prediction')}, "
        f"and a verdict needs {MIN_REQUESTS} of each version."
    )


def _why_not(
    comparisons: Sequence[MetricComparison],
    sound: Sequence[MetricComparison],
    together: Mapping[str, Together],
    judged: set[str],
) -> str:
    """Why there is neither a winner nor a loser."""
    if not all(together[candidate].is_counted for candidate in judged):
        return (
            "No verdict: users were split, and there are too many predictions to count them by "
            "user here. An experiment does (mlreg abtest), or a shorter time (--since)."
        )
    for c in comparisons:
        metric = BY_NAME.get(c.metric) or find(VALUE + c.metric)
        if UNEVEN in c.warnings and metric is not None and c.candidate in judged:
            found = uneven(metric, together[c.candidate])
            if found:
                what = "labels" if metric.needs == COVERAGE else c.metric
                return (
                    f"No verdict: {what} came for {_value(found[1], 'share')} of the predictions "
                    f"of {c.candidate} and {_value(found[0], 'share')} of those of {c.baseline} "
                    f"({format_p(found[2])}), so {label_of(c.metric)} is not comparable."
                )
    arms = [arm for candidate in sorted(judged) for arm in together[candidate].arms]
    return _undecided(sound, arms)


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
