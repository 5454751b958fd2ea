"""The metric catalogue."""

from __future__ import annotations

from mlreg.metrics import CATALOGUE


def test_each_metric_is_there_once():
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)


def test_errors_latency_and_cost_are_better_when_lower():
    lower = {metric.name for metric in CATALOGUE if metric.better == "down"}
    assert lower == {
        "error_rate",
        "avg_latency_ms",
        "p50_latency_ms",
        "p95_latency_ms",
        "p99_latency_ms",
        "cost_per_request",
        "mae",
        "rmse",
    }
