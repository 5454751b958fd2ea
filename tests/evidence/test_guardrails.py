"""Guardrails are conditions with one side, on a treatment, against the control."""

from __future__ import annotations

from functools import partial

import pytest

from mlreg.errors import InvalidInput
from mlreg.evidence.guardrails import parse_guardrail
from mlreg.metrics import parse_metric

METRIC = partial(parse_metric, is_value=lambda name: name == "stars")


@pytest.mark.parametrize(
    ("text", "metric", "kind", "bound"),
    [
        ("p95_latency_ms <= +10%", "p95_latency_ms", "relative", 0.1),
        ("p95_latency_ms <= baseline + 10%", "p95_latency_ms", "relative", 0.1),
        ("p95_latency_ms <= baseline * 1.1", "p95_latency_ms", "relative", 0.1),
        ("p95_latency_ms<=+0.03s", "p95_latency_ms", "absolute", 30.0),
        ("avg_latency_ms <= 250", "avg_latency_ms", "limit", 250.0),
        ("error_rate <= 0.02", "error_rate", "limit", 0.02),
        ("error_rate <= 2%", "error_rate", "limit", 0.02),
        ("error_rate <= +0.01", "error_rate", "absolute", 0.01),
        ("error_rate <= baseline + 1pt", "error_rate", "absolute", 0.01),
        ("accuracy >= - 1%", "accuracy", "relative", -0.01),
        ("value:stars >= -0.5", "value:stars", "absolute", -0.5),
        ("value:stars:down <= 3", "value:stars", "limit", 3.0),
        ("stars >= 3", "value:stars", "limit", 3.0),
    ],
)
def test_a_signed_bound_is_short_for_one_against_the_control(
    text: str, metric: str, kind: str, bound: float
):
    found = parse_guardrail(f"  {text} ", METRIC)
    assert (found.metric.name, found.kind, found.bound) == (metric, kind, bound)
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("error_rate < 2%", "< 2%", "a margin is <= or >="),
        ("accuracy within 2pt of baseline", "within", "has one side"),
        ("error_rate <= yesterday", "yesterday", "compared with the control"),
        ("error_rate <= 2% over 1h", "over", "the whole of the test"),
        ("error_rate <= 2% min 100", "min", "--min-samples"),
        ("error_rate <= +1% sure", "sure", "always kept by evidence"),
        ("error_rate <= +1% for 3 in a row", "for", "stays broken"),
    ],
)
def test_what_a_guardrail_cannot_mean_is_pointed_at(text: str, place: str, reason: str):
    with pytest.raises(InvalidInput, match=r"is not a guardrail: .* has no place in it") as caught:
        parse_guardrail(text, METRIC)
    assert caught.value.hint.index("^") - 1 == text.index(place)
    assert reason in caught.value.hint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("accuracy <= 90%", "guards the wrong side: accuracy is better when higher"),
        ("error_rate <= baseline", "leaves no margin"),
        ("error_rate <= -1%", "leaves no margin"),
        ("error_rate <= 0", "can never be broken, or never be kept"),
        ("accuracy >= 100%", "can never be broken, or never be kept"),
        ("label_coverage >= 10%", "by label_coverage|no metric label_coverage"),
        ("happiness >= 1", "there is no metric happiness"),
    ],
)
def test_a_guardrail_that_guards_nothing_is_refused(text: str, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        parse_guardrail(text, METRIC)
