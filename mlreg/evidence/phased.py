"""Checks of a rollout: a version held against what was answered beside it, phase by phase.

A phase is a time of constant shares, and within it chance alone decides who answers. So the
baseline's phases are weighed as the version's are (direct standardisation): what changes with the
time of day changes both alike, and can neither break nor pass a check.

A break may come at any step, and what was good before would hide it for long. So a check that has
to be sure looks at the evidence since each step began. Its level is shared among these looks, which
keeps the chance of any false alarm below it (Bonferroni): the first, which sees all there is, has
the most of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from mlreg.entities.rollouts import NO_STREAK, Outcome, Streak
from mlreg.evidence.conditions import Condition, Judged, Measured, evaluate, measure, of_catalogue
from mlreg.evidence.figures import read
from mlreg.evidence.grammar import parse
from mlreg.metrics import Metric, Overlap, Share
from mlreg.stats.always_valid import is_rate_above
from mlreg.stats.results import Interval
from mlreg.tallies import Moments, Tally

# The chance that any check aborts a version that is as good as its bounds, and how much of it the
# evidence since the first step has.
LEVEL, _OF_ALL = 0.01, 0.7
_OPPOSITE = {">=": "<=", ">": "<"}
_REFUSED = {
    "over": "a check is about the steps of the rollout",
    "previous": "say baseline: what answers beside it",
    "yesterday": "say baseline: what answers beside it",
    "last-week": "say baseline: what answers beside it",
}
_MUCH = 2**62

_K = TypeVar("_K")


class Phase(NamedTuple):
    """What both did in a time of constant shares; without a baseline where it had no share."""

    version: Tally
    baseline: Tally


class Held(NamedTuple):
    """A check held against the phases.

    Attributes:
        judged_as: The condition that was judged in the end.
        start: The place of the first phase that was looked at.
    """

    outcome: Outcome
    seen: Measured
    judged: Judged
    judged_as: Condition
    start: int = 0
    streak: Streak = NO_STREAK


class Terms(NamedTuple):
    """On what terms checks are judged.

    Attributes:
        checks: How many checks share the level.
        steps: How many phases there can be.
        least: Samples that a plain check needs where it does not say.
        failures: In how many evaluations in a row a plain one has to fail where it does not say.
    """

    checks: int = 1
    steps: int = 1
    least: int = 1
    failures: int = 3


def read_check(text: str) -> Condition:
    """Read a check of a rollout.

    Raises:
        InvalidInput: It is no condition, or has what makes no sense here.
    """
    condition = parse(text, refused=_REFUSED, what="check")
    if condition.lasting is not None and not isinstance(condition.lasting, int):
        return parse(text, refused={**_REFUSED, "for": "like for 3 in a row"}, what="check")
    return condition


def hold(
    condition: Condition,
    phases: Sequence[Phase],
    terms: Terms,
    *,
    training: float | None = None,
    streak: Streak = NO_STREAK,
    is_later: bool = True,
) -> Held:
    """What a check comes to.

    Args:
        condition: The check.
        phases: Those so far, in order; the last one is that of the step in force.
        terms: On what terms it is judged.
        training: The version's metric as it was registered, for `training`.
        streak: How often it has failed in a row before.
        is_later: Whether this is another evaluation; on the same samples it never is.
    """
    if of_catalogue(condition.metric).kind != "quantile":
        phases = [Phase(*map(_without_histogram, phase)) for phase in phases]
    if condition.sure:
        return _surely(condition, phases, terms, training)
    plain = replace(condition, least=condition.least or terms.least, lasting=None)
    start = len(phases) - 1
    seen, judged = _judged(plain, phases[start:], training=training)
    if judged.state != "fail":
        outcome: Outcome = "pass" if judged.state == "pass" else "unknown"
        return Held(outcome, seen, judged, plain, start)
    most = condition.lasting if isinstance(condition.lasting, int) else terms.failures
    if is_later and seen.n != streak.samples:
        streak = Streak(streak.row + 1, seen.n)
    outcome = "fail" if streak.row >= most else "between"
    return Held(outcome, seen, judged, plain, start, streak)


def _surely(
    condition: Condition, phases: Sequence[Phase], terms: Terms, training: float | None
) -> Held:
    plain = replace(condition, sure=False)
    for start in _starts(len(phases)):
        level = _level(start, terms)
        seen, judged = _judged(condition, phases[start:], 2 * level, training=training)
        exact = _is_rate_broken(condition, phases[start:], level)
        if exact:
            judged = judged._replace(state="fail", interval=None)
        if judged.state == "fail" and exact is not False:
            return Held("fail", seen, judged, condition, start)
    seen, judged = _judged(plain, phases, training=training)
    outcomes: dict[str, Outcome] = {"pass": "pass", "fail": "between"}
    return Held(outcomes.get(judged.state, "unknown"), seen, judged, plain)


def _is_rate_broken(condition: Condition, phases: Sequence[Phase], level: float) -> bool | None:
    """Whether a rate is surely beyond a limit, exactly; None for what is no rate, or no limit."""
    metric = of_catalogue(condition.metric)
    reading = read(metric, _merged([phase.version for phase in phases]))
    if condition.reference or not isinstance(reading, Share):
        return None
    hits, bound = reading.hits, condition.amount
    if condition.sign in _OPPOSITE:
        hits, bound = reading.n - hits, 1 - bound
    return is_rate_above(hits, reading.n, bound, alpha=level)


def _starts(phases: int) -> list[int]:
    """The first one, then those that make the newest one, two, four … phases."""
    recent = {phases - (1 << length) for length in range(phases.bit_length())}
    return sorted({0} | {start for start in recent if start > 0})


def _level(start: int, terms: Terms) -> float:
    """The level of what was seen since a step."""
    own = LEVEL / max(terms.checks, 1)
    if terms.steps <= 1:
        return own
    return own * _OF_ALL if start == 0 else own * (1 - _OF_ALL) / (terms.steps - 1)


def _judged(
    condition: Condition,
    phases: Sequence[Phase],
    alpha: float = 0.05,
    *,
    training: float | None,
) -> tuple[Measured, Judged]:
    metric = of_catalogue(condition.metric)

    def measured(tally: Tally) -> Measured:
        if condition.sure and metric.quantile:
            tally = _of_calls(tally)
        return measure(metric, tally, sure=condition.sure, alpha=alpha)

    if condition.reference == "baseline":
        version, baseline = standardised(metric, phases)
        seen = measured(version)
        return seen, evaluate(condition, seen, measured(baseline))
    reference = None
    if condition.reference is not None:
        known = training is not None
        reference = Measured(training, _MUCH, Interval(training, training)) if known else Measured()  # type: ignore[arg-type]  # known
    seen = measured(_merged([phase.version for phase in phases]))
    return seen, evaluate(condition, seen, reference)


def standardised(metric: Metric, phases: Sequence[Phase]) -> tuple[Tally, Tally]:
    """The version's phases together, and the baseline's as if they were as long as those.

    Phases in which one of them has nothing tell nothing of a difference, and are left out. The
    baseline counts for as many samples as its weighted mean is worth: 1 / Σ(w²/n).
    """
    sized = [
        (phase, _samples(metric, phase.version), _samples(metric, phase.baseline))
        for phase in phases
    ]
    both = [found for found in sized if found[1] and found[2]]
    total = sum(own for _, own, _ in both)
    worth = 1 / sum((own / total) ** 2 / other for _, own, other in both) if both else 0.0
    return (
        _merged([phase.version for phase, _, _ in both]),
        _merged([_scaled(p.baseline, worth * own / total / other) for p, own, other in both]),
    )


def _samples(metric: Metric, tally: Tally) -> int:
    """What a value of the metric would rest on."""
    reading = read(metric, tally)
    if isinstance(reading, Share | Moments):
        return reading.n
    if isinstance(reading, Overlap):
        return tally.labelled
    return 0 if reading is None else tally.latency_n


def _without_histogram(tally: Tally) -> Tally:
    """What is cheap to merge, for what needs no more."""
    return replace(tally, histogram=Counter())


def _merged(tallies: Sequence[Tally]) -> Tally:
    merged = Tally()
    for tally in tallies:
        merged.merge(tally)
    return merged


def _of_calls(tally: Tally) -> Tally:
    """The rows of a batch share one latency, which is one observation and not as many."""
    return _scaled(tally, tally.calls.n / tally.latency_n) if tally.latency_n else tally


def _scaled(tally: Tally, factor: float) -> Tally:
    """The tally of so many times as many predictions, each count to the nearest whole one."""
    if math.isclose(factor, 1):
        return tally

    def times(count: int) -> int:
        return round(count * factor)

    def moments(found: Moments) -> Moments:
        return Moments(times(found.n), int(found.total * factor), int(found.squares * factor))

    return Tally(
        requests=times(tally.requests),
        errors=times(tally.errors),
        labelled=times(tally.labelled),
        judged=times(tally.judged),
        correct=times(tally.correct),
        latency_n=times(tally.latency_n),
        latency_total=times(tally.latency_total),
        calls=moments(tally.calls),
        histogram=_spread(tally.histogram, factor),
        confidence=moments(tally.confidence),
        cost=moments(tally.cost),
        values={name: moments(found) for name, found in tally.values.items()},
        deviations={name: moments(found) for name, found in tally.deviations.items()},
        answers=_spread(tally.answers, factor),
        pairs=_spread(tally.pairs, factor),
    )


def _spread(counts: Counter[_K], factor: float) -> Counter[_K]:
    """Counts scaled so that their running totals are rounded: rare ones do not vanish together."""
    scaled: Counter[_K] = Counter()
    before = total = 0
    for key in sorted(counts):  # type: ignore[type-var]  # numbers, words or pairs of them
        total += counts[key]
        now = round(total * factor)
        scaled[key] = now - before
        before = now
    return scaled
