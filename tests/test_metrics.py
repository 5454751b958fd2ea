"""The metric catalogue."""

from __future__ import annotations

from dataclasses import fields

from mlreg.entities.reports import VersionPerformance
from mlreg.metrics import BY_NAME, CATALOGUE


def test_each_metric_is_there_once():
    assert len(BY_NAME) == len(CATALOGUE)


def test_each_metric_stands_in_the_report_of_a_version():
    assert set(BY_NAME) <= {field.name for field in fields(VersionPerformance)}


def test_errors_latency_and_cost_are_better_when_lower():
    lower = {metric.name for metric in CATALOGUE if metric.better == "down"}
    assert lower == {
        "error_rate",
        "avg_latency_ms",
        "p50_latency_ms",
        "p95_latency_ms",
        "p99_latency_ms",
        "cost_per_request",
    }
