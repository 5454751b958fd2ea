"""The metric catalogue: each measure once, with all that the rest of mlreg asks of it.

A new metric is one entry of `CATALOGUE`. Who reads a tally, sums over the units of an experiment,
compares versions, checks a condition or draws a table takes what it needs from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from mlreg.errors import InvalidInput
from mlreg.names import check_key, safe
from mlreg.tallies import MILLISECOND, Moments, Tally, class_name

if TYPE_CHECKING:
    from mlreg.entities.experiments import Design, TestMetric

# How names of measures begin that are about one feedback value.
VALUE, VALUE_COVERAGE = "value:", "value_coverage:"
# Of the values other than zero behind a mean: how many they are, and how large without their signs.
SIZES = "sizes:"
COVERAGE = "label_coverage"
COST_COVERAGE = "cost_coverage"
ANSWERED = "success_rate"
REQUESTS, FAILURES_IN_A_ROW = "requests", "failures_in_a_row"

Better = Literal["up", "down"]
Directions = Mapping[str, Better]
"""Of a model's feedback values, by name: those of which is known which way is better."""


class Share(NamedTuple):
    """How many of how many."""

    hits: int
    n: int


class Overlap(NamedTuple):
    """How far answers and labels fall together: precision, recall and F1 are ways to weigh it.

    Attributes:
        pairs: Labelled predictions by the class that was answered and the right one.
        by_answer: What an answer of the class counts in the denominator.
        by_label: What a label of the class counts there.
        key: The class; empty for the mean over all of them.
    """

    pairs: Mapping[tuple[str, str], int]
    by_answer: int
    by_label: int
    key: str = ""


Reading = Share | Moments | Overlap | float | None
"""What a tally says of a metric; a plain number where its spread is not known."""


class Summed(NamedTuple):
    """A ratio of two sums over the units of an experiment, each over columns of a unit.

    Attributes:
        y: The numerator.
        k: The denominator.
        square: The sum of squared numerators over rows that are units of their own.
        own: Kept under a name of its own: a `value`, a `tail` of latencies beyond a cut, or one of
            `tallies.DEVIATIONS`. Empty: in columns that all metrics share.
    """

    y: str = "total"
    k: str = "known"
    square: str = "total2"
    own: str = ""


class Metric(NamedTuple):
    """One measure of a version's live behaviour.

    Attributes:
        name: With the class or value that it is about, if it is about one: `f1:spam`.
        kind: `share` of predictions, `mean` over them, a `quantile` of them, a `score`, or a
            `count`, which conditions alone ask for.
        unit: `share` (0 to 1), `ms`, `cost`, `label` (as the labels are), `value` or `count`.
        better: Which direction is an improvement: `zero` is toward zero. None: neither is.
        read: What a tally says of it, given its key.
        sums: How experiments sum it; None where they cannot.
        needs: The measure of how many predictions it is known of; empty if of all of them.
        known_of: What a unit must have beside a prediction to count, for people.
        role: Whether a version that is better ships (`decides`), or is told as the price (`told`);
            `shown` is compared as well, and what is empty is not.
        quantile: Which one, 0 to 1.
        per: What its sums are divided by to come into its unit.
        is_root: Whether it is the root of a mean.
        about: What has to follow a colon in its name: a `class` or a `value`; `class?` may.
        key: What follows there.
        shown: Its value in reports, where that is not what the reading says.
    """

    name: str
    label: str
    kind: Literal["share", "mean", "quantile", "score", "count"]
    unit: Literal["share", "ms", "cost", "label", "value", "count"]
    better: Literal["up", "down", "zero"] | None
    read: Callable[[Tally, str], Reading]
    sums: Summed | None = None
    needs: str = ""
    known_of: str = ""
    role: Literal["decides", "told", "shown", ""] = ""
    quantile: float | None = None
    per: float = 1.0
    is_root: bool = False
    about: Literal["class", "class?", "value", ""] = ""
    key: str = ""
    shown: Callable[[Tally], float | None] | None = None

    def of(self, tally: Tally) -> Reading:
        """What a tally says of it."""
        return self.read(tally, self.key)

    def judged(self, mean: float) -> float:
        """The number that versions are compared by: of what is best at zero, how far it is off."""
        value = mean / self.per
        if self.is_root:
            return math.sqrt(max(0.0, value))
        return abs(value) if self.better == "zero" else value

    def slope(self, mean: float) -> float:
        """How fast that number changes with the mean in its unit, for the delta method."""
        if self.is_root:
            root = self.judged(mean)
            return 1 / (2 * root) if root else 0.0
        return math.copysign(1.0, mean) if self.better == "zero" else 1.0

    @property
    def direction(self) -> Better:
        """The direction of an improvement of what is compared; up where nobody said."""
        return "down" if self.better in ("down", "zero") else "up"


def _quantile(percent: int, label: str) -> Metric:
    # Experiments count how many answers took longer than a fixed cut near it. What users do to the
    # variance of this share they do to the quantile's.
    q = percent / 100
    return Metric(
        f"p{percent}_latency_ms", label, "quantile", "ms", "down",
        lambda tally, _: tally.latency_quantile_ms(q),
        Summed(own="tail"), needs=ANSWERED, quantile=q,
    )  # fmt: skip


def _error(name: str, label: str, better: Literal["down", "zero"], part: str) -> Metric:
    return Metric(
        name, label, "mean", "label", better, lambda tally, _: tally.deviations.get(part),
        Summed(own=part), needs=COVERAGE, known_of=" with a label",
        role="shown" if better == "zero" else "decides", is_root=part == "squared",
    )  # fmt: skip


def _score(name: str, by_answer: int, by_label: int) -> Metric:
    return Metric(
        name, name, "score", "share", "up",
        lambda tally, key: Overlap(tally.pairs, by_answer, by_label, key),
        needs=COVERAGE, about="class?",
    )  # fmt: skip


def _class_share(tally: Tally, key: str) -> Share:
    hits = sum(n for text, n in tally.answers.items() if class_name(text) == key)
    return Share(hits, tally.answers.total())


CATALOGUE: tuple[Metric, ...] = (
    Metric(
        "success_rate", "success rate", "share", "share", "up",
        lambda t, _: Share(t.requests - t.errors, t.requests),
        Summed("(requests - failed)", "requests", "(requests - failed)"),
    ),
    Metric(
        "accuracy", "accuracy", "share", "share", "up", lambda t, _: Share(t.correct, t.judged),
        Summed("correct", "judged", "correct"),
        needs=COVERAGE, known_of=" with a label", role="decides",
    ),
    Metric(
        "error_rate", "error rate", "share", "share", "down",
        lambda t, _: Share(t.errors, t.requests),
        Summed("failed", "requests", "failed"), role="decides",
    ),
    Metric(
        "avg_latency_ms", "mean latency", "mean", "ms", "down", lambda t, _: t.calls,
        Summed("latency", "timed", "latency2"), needs=ANSWERED, role="told", per=MILLISECOND,
        # A batch counts once where versions are compared, and each of its rows in a report.
        shown=lambda t: t.latency_mean_ms,
    ),
    _quantile(50, "median latency"),
    _quantile(95, "p95 latency"),
    _quantile(99, "p99 latency"),
    Metric(
        "avg_confidence", "mean confidence", "mean", "share", None, lambda t, _: t.confidence,
        Summed("confidence", "confident", "confidence2"), needs=ANSWERED, role="shown",
    ),
    Metric(
        COVERAGE, "label coverage", "share", "share", "up",
        lambda t, _: Share(t.labelled, t.requests),
    ),
    Metric(
        "cost_per_request", "cost per request", "mean", "cost", "down", lambda t, _: t.cost,
        Summed("cost", "priced", "cost2"),
        needs=COST_COVERAGE, known_of=" with a cost", role="told",
    ),
    _error("mae", "mean absolute error", "down", "absolute"),
    _error("rmse", "root mean squared error", "down", "squared"),
    _error("bias", "bias", "zero", "signed"),
    _score("precision", 1, 0),
    _score("recall", 0, 1),
    _score("f1", 1, 1),
    Metric(
        "share", "share of answers", "share", "share", None, _class_share, about="class",
    ),
    Metric(
        "value", "feedback value", "mean", "value", None, lambda tally, key: tally.values.get(key),
        Summed(own="value"), needs=VALUE_COVERAGE, role="shown", about="value",
    ),
)  # fmt: skip
BY_NAME = {m.name: m for m in CATALOGUE if m.about in ("", "class?")}
# What conditions count, and no report compares.
COUNTS = {
    # Of the model as a whole: a version with little traffic may well have had none.
    REQUESTS: Metric(REQUESTS, "requests", "count", "count", None, lambda t, _: float(t.requests)),
    # Read from the end of the log: no sum knows what came last.
    FAILURES_IN_A_ROW: Metric(
        FAILURES_IN_A_ROW, "failures in a row", "count", "count", "down", lambda _, __: None
    ),
}
_KEYED = {m.name: m for m in CATALOGUE if m.about}


class Coverage(NamedTuple):
    """How many predictions a metric is known of, which has to be alike in all arms.

    Attributes:
        gate: The name of the gate that it has to pass; empty: its own.
        arrives: What comes or does not, for people; empty: the feedback value.
    """

    sums: Summed
    gate: str = ""
    arrives: str = ""


COVERAGES = {
    ANSWERED: Coverage(BY_NAME[ANSWERED].sums or Summed(), "answered", "answers"),
    COVERAGE: Coverage(Summed("ripe_labelled", "ripe", "ripe_labelled"), COVERAGE, "labels"),
    COST_COVERAGE: Coverage(
        Summed("priced", "requests", "priced"), COST_COVERAGE, "costs"
    ),
}  # fmt: skip
VALUE_COVERED = Coverage(Summed("known", "ripe", "known", own="value"))


def find(name: str, directions: Directions | None = None) -> Metric | None:
    """The metric of a name such as `mae`, `f1:spam`, `value:clicks` or `value:clicks:down`.

    Args:
        name: As it is written.
        directions: Which way the model's feedback values are better, where that is known.

    Raises:
        InvalidInput: What follows the colon can be no feedback value, or no direction.
    """
    if name in BY_NAME or name in COUNTS:
        return BY_NAME.get(name) or COUNTS[name]
    head, _, key = name.partition(":")
    metric = _KEYED.get(head)
    if metric is None or not key:
        return None
    if metric.about != "value":
        return metric._replace(name=name, label=f"{metric.label} {safe(key)}", key=key)
    value, _, said = key.partition(":")
    if said not in ("", "up", "down"):
        raise InvalidInput(f"{safe(name)}: a value is better `up` or `down`")
    check_key(value, "feedback value")
    better = said or (directions or {}).get(value)
    return metric._replace(
        name=f"{VALUE}{value}",
        label=value,
        key=value,
        better=better,  # type: ignore[arg-type]  # one of both by now
        role="decides" if better else "shown",
    )


def known_metrics() -> list[str]:
    """The names of what an experiment can measure without a feedback value."""
    return [name for name, metric in BY_NAME.items() if metric.sums]


def parse_metric(
    text: str, *, is_value: Callable[[str], bool], directions: Directions | None = None
) -> TestMetric:
    """Read the name of a measure of an experiment.

    Args:
        text: From the catalogue; or `value:NAME`, `value:NAME:up` or `value:NAME:down` for a named
            feedback value; or the name alone of one that has been recorded before.
        is_value: Whether the model has had a feedback value of this name.
        directions: Which way its values are better; up where nobody said.

    Raises:
        InvalidInput: There is no such measure, or experiments cannot sum it.
    """
    from mlreg.entities.experiments import TestMetric

    metric = find(text, directions)
    if metric is None and is_value(text):
        metric = find(VALUE + text, directions)
    if metric is None or metric.name == COVERAGE:  # a gate of every verdict, nothing to improve
        raise no_metric(text, known_metrics(), "value:NAME for a feedback value")
    if metric.sums is None or metric.kind == "score" or metric.kind == "count":
        raise InvalidInput(
            f"an experiment cannot be decided by {safe(text)}",
            hint=f"perf reports it; experiments take {', '.join(known_metrics())} and value:NAME",
        )
    return TestMetric(
        name=metric.name,
        kind=metric.kind,
        direction=metric.direction,
        unit=metric.unit,
        quantile=metric.quantile,
    )


def no_metric(name: str, known: Sequence[str], more: str) -> InvalidInput:
    """What is said of a name that no metric has: the nearest one, and all there are."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return InvalidInput(
        f"there is no metric {safe(name)}", hint=f"{meant}there is {', '.join(known)}, {more}"
    )


def label_of(name: str) -> str:
    """What people call the number that versions are compared by."""
    known = BY_NAME.get(name)
    if known is None:
        return name
    return f"|{known.label}|" if known.better == "zero" else known.label


def value_name(measure: str) -> str:
    """The feedback value that a measure is about; empty where it is about none."""
    return measure.partition(":")[2]


def measure_of(name: str) -> Metric:
    """The metric of a frozen design."""
    metric = find(name)
    if metric is None:
        raise InvalidInput(f"there is no metric {safe(name)}")
    return metric


def coverage_of(metric: str) -> str | None:
    """The measure of how many predictions a metric is known of; None if it is of all of them."""
    needs = measure_of(metric).needs
    return needs + value_name(metric) if needs == VALUE_COVERAGE else needs or None


def gate_of(name: str) -> str:
    """The gate that a coverage has to pass."""
    return coverage(name).gate or name


def is_fed_back(measure: str) -> bool:
    """Whether a coverage is of what comes by feedback, some time after the answer."""
    return measure == COVERAGE or measure.startswith(VALUE_COVERAGE)


def coverage(name: str) -> Coverage:
    """What is behind the name of a coverage."""
    return COVERAGES.get(name, VALUE_COVERED)


def sizes_of(name: str) -> str | None:
    """The measure of how many values other than zero a mean has; None where zero is not usual."""
    metric = find(name)
    is_fed_back = metric is not None and metric.kind == "mean" and metric.sums and metric.sums.own
    return f"{SIZES}{name}" if is_fed_back else None


def sums_of(name: str) -> Summed:
    """How a measure of an experiment, a metric or a coverage, is summed over units."""
    if name in COVERAGES or name.startswith(VALUE_COVERAGE):
        return coverage(name).sums
    if name.startswith(SIZES):
        return Summed(own="sizes")
    return measure_of(name).sums or Summed()


def measured(design: Design) -> list[str]:
    """The measures that a look needs."""
    coverages = [coverage_of(metric.name) for metric in design.metrics]
    own = [metric.name for metric in design.metrics]
    names = [*own, *filter(None, coverages), *filter(None, map(sizes_of, own))]
    return list(dict.fromkeys(names))
