"""The metric catalogue: what each measure is called, how it is aggregated, which way is better."""

from __future__ import annotations

from typing import Literal, NamedTuple


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
