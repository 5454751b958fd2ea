"""Sizes: what each guardrail takes, and what all of it takes together."""

from __future__ import annotations

import pytest

from mlreg.entities.experiments import TestMetric
from mlreg.evidence.guardrails import parse_guardrail
from mlreg.evidence.history import History
from mlreg.evidence.sizing import Terms, joint, margin_need, plan_size, remarks
from mlreg.metrics import parse_metric
from mlreg.stats.distributions import normal_upper
from tests.stats.support import known

CRITICAL = normal_upper(0.025)
TERMS = Terms("group-sequential", (5000, 5000), 0.05, 0.8)


def metric(name: str) -> TestMetric:
    return parse_metric(name, is_value=lambda _: True)


def guard(text: str):
    return parse_guardrail(text, metric)


def test_a_rate_that_is_not_to_fall_takes_the_published_size():
    """Farrington and Manning, 90 % in both arms, a margin of 2 points: 3,549 each by rpact."""
    need = margin_need(guard("success_rate >= -2pt"), History(0.9, None), 1.0, CRITICAL)
    assert need is not None
    assert need.units(0.8) == pytest.approx(3548.5, abs=1)


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("error_rate <= +1pt", History(0.02, None)),
        ("error_rate <= +10%", History(0.02, None)),
        ("error_rate <= 5%", History(0.02, None)),
        ("success_rate >= 90%", History(0.98, None)),
        ("avg_latency_ms <= +10%", History(120.0, 45.0)),
        ("p95_latency_ms <= 250", History(200.0, 900.0)),
        ("cost_per_request <= +0.5", History(3.0, 2.0)),
    ],
)
def test_so_many_units_miss_it_as_often_as_planned(text: str, level: History, ratio: float):
    need = margin_need(guard(text), level, ratio, CRITICAL)
    assert need is not None
    assert need.miss(need.units(0.8)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("error_rate <= +10%", None),
        ("error_rate <= +10%", History(0.0, None)),
        ("error_rate <= 1%", History(0.02, None)),
        ("avg_latency_ms <= +10%", History(120.0, None)),
    ],
)
def test_what_cannot_be_sized_is_left_out_and_said(text: str, level: History | None):
    need, guarded = margin_need(guard(text), level, 1.0, CRITICAL), guard(text)
    assert need is None
    alone = plan_size(metric("accuracy"), History(0.8, None), 0.05, TERMS)
    found = plan_size(metric("accuracy"), History(0.8, None), 0.05, TERMS, [(guarded, level)])
    assert (found.units, found.driver) == (alone.units, "accuracy")
    (said,) = remarks(found.margins, [guarded])
    assert ("nothing is known" in said) is (level is None)


def test_what_may_be_missed_is_shared_among_all_that_must_be_shown():
    guards = [(guard("error_rate <= +1pt"), History(0.02, None)),
              (guard("avg_latency_ms <= +2.5%"), History(120.0, 45.0))]  # fmt: skip
    needs = [margin_need(*pair, 1.0, CRITICAL) for pair in guards]
    sized = [known(need) for need in needs]
    found = joint(sized, 0.8)
    assert sum(need.miss(found.units) for need in sized) == pytest.approx(0.2, abs=1e-4)
    assert found.units > max(need.units(0.8) for need in sized)
    assert found.driver == "avg_latency_ms <= +2.5%"


def test_a_guardrail_makes_the_test_longer_and_the_metric_no_less_sure():
    alone = plan_size(metric("accuracy"), History(0.8, None), 0.05, TERMS)
    guarded = [(guard("error_rate <= +1pt"), History(0.02, None))]
    found = plan_size(metric("accuracy"), History(0.8, None), 0.05, TERMS, guarded)
    assert found.oversize == pytest.approx(known(found.units) / known(alone.units), rel=1e-3)
    assert found.information == pytest.approx(found.oversize * known(alone.information))
    assert found.final_boundary == alone.final_boundary
