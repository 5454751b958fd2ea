"""Planned sizes: what the control's log says of the guardrails goes into them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlreg.entities.experiments import Design, Draft
from mlreg.evidence.sizing import size_remarks
from mlreg.jsonable import canonical
from mlreg.registry import Registry
from mlreg.store.designs import load_design


def logged(registry: Registry, count: int = 2000) -> None:
    """Answers of the control, of which one in fifty fails, and four out of five are right."""
    draft = Draft(control="m@1.0.0", treatments=["m@2.0.0"], strategy="sticky")
    registry.experiments.create("before", draft)
    registry.experiments.start("before")
    rows = [
        {"unit": f"u{i}", "variant": "control", "output": 1, "latency_ms": 50 + i * 7919 % 100,
         "error": "timeout" if i % 50 == 0 else None, "correct": i % 5 > 0}
        for i in range(count)
    ]  # fmt: skip
    registry.external.record_many("before", rows)
    registry.experiments.stop("before")


def designed(registry: Registry, **wishes: Any) -> Design:
    given = {"metric": "accuracy", "mde": 0.05, **wishes}
    draft = Draft(control="m@1.0.0", treatments=["m@2.0.0"], strategy="sticky", **given)
    return registry.experiments.create("t", draft).design


@pytest.mark.parametrize(
    ("guardrail", "limit", "drives"),
    [
        ("error_rate <= +1pt", 0.03, True),
        ("error_rate <= +40pt", 0.42, False),
        ("p95_latency_ms <= +20%", 175, False),
        ("p95_latency_ms <= +1%", 146, True),
    ],
)
def test_the_log_of_the_control_sizes_the_guardrails(
    tested: Registry,
    guardrail: str,
    limit: float,
    drives: bool,
):
    logged(tested)
    design = designed(tested, guardrails=[guardrail])
    (margin,) = design.margins
    assert margin.limit == pytest.approx(limit, rel=0.02)
    assert design.driver == (guardrail if drives else "accuracy")
    assert (design.oversize > 1.01) is drives
    said = " ".join(size_remarks(design))
    assert ("drives the size" in said) is drives
    assert f"takes {margin.units:,} units alone" in said


def test_a_guardrail_of_which_the_log_knows_nothing_is_said_to_be_left_out(tested: Registry):
    design = designed(tested, baseline=0.8, guardrails=["error_rate <= +1%"])
    assert (design.driver, design.oversize) == ("accuracy", 1.0)
    (said,) = size_remarks(design)
    assert said.startswith("error_rate <= +1% is a part of the control's own rate, and has no part")


def test_a_design_of_before_is_read_with_the_size_that_it_had(tested: Registry):
    """Designs of older registries say nothing of guardrails; their looks go on as planned."""
    stored = json.loads(canonical(designed(tested, baseline=0.8)))
    for name in ("driver", "oversize", "margins"):
        del stored[name]
    design = load_design(json.dumps(stored), "t")
    assert (design.driver, design.oversize, design.margins) == ("", 1.0, ())
    assert list(size_remarks(design)) == []
