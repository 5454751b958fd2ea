"""The metric catalogue: what each measure is called, how it is aggregated, which way is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from mlreg.entities.experiments import Design, TestMetric

# How names of measures begin that are about one feedback value.
VALUE, VALUE_COVERAGE = "value:", "value_coverage:"
COVERAGE = "label_coverage"
RIPE_COVERAGE = "ripe_label_coverage"
COST_COVERAGE = "cost_coverage"
ANSWERED = "success_rate"


class Metric(NamedTuple):
    """One measure of a version's live behaviour.

    Attributes:
        kind: `share` of predictions, `mean` over them, or a `quantile` of them.
        unit: `share` (0 to 1), `ms`, or `cost`.
        better: Which direction is an improvement; None where more is neither better nor worse.
    """

    name: str
    label: str
    kind: Literal["share", "mean", "quantile"]
    unit: Literal["share", "ms", "cost"]
    better: Literal["up", "down"] | None


CATALOGUE: tuple[Metric, ...] = (
    Metric("accuracy", "accuracy", "share", "share", "up"),
    Metric("error_rate", "error rate", "share", "share", "down"),
    Metric("avg_latency_ms", "mean latency", "mean", "ms", "down"),
    Metric("p50_latency_ms", "median latency", "quantile", "ms", "down"),
    Metric("p95_latency_ms", "p95 latency", "quantile", "ms", "down"),
    Metric("p99_latency_ms", "p99 latency", "quantile", "ms", "down"),
    Metric("avg_confidence", "mean confidence", "mean", "share", None),
    Metric("label_coverage", "label coverage", "share", "share", "up"),
    Metric("cost_per_request", "cost per request", "mean", "cost", "down"),
)
BY_NAME = {metric.name: metric for metric in CATALOGUE}


def value_name(measure: str) -> str:
    """The feedback value that a measure is about; empty where it is about none."""
    return measure.partition(":")[2]


def coverage_of(metric: TestMetric, design: Design) -> str | None:
    """The measure of how many predictions a metric is known of; None if it is of all of them."""
    if metric.name == "accuracy":
        return RIPE_COVERAGE if design.label_window_seconds else COVERAGE
    if metric.name.startswith(VALUE):
        return VALUE_COVERAGE + value_name(metric.name)
    if metric.name == "cost_per_request":
        return COST_COVERAGE
    if metric.unit == "ms" or metric.name == "avg_confidence":
        return ANSWERED  # a failure has neither
    return None


def measured(design: Design) -> list[str]:
    """The measures that a look needs."""
    coverages = [coverage_of(metric, design) for metric in design.metrics]
    names = [*(metric.name for metric in design.metrics), *filter(None, coverages)]
    return list(dict.fromkeys(names))
