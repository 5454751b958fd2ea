"""The stored form of an experiment's design: canonical JSON, which its fingerprint covers."""

from __future__ import annotations

import json
from typing import Any

from mlreg.entities.experiments import Design, Guardrail, TestMetric, Variant
from mlreg.store.rows import restored


def load_design(text: str, experiment: int) -> Design:
    """Read the stored form of the design of an experiment, which is named by its key.

    Raises:
        StoreDamaged: It is none.
    """
    with restored("experiments", experiment):
        return _loaded(json.loads(text))


def _loaded(stored: dict[str, Any]) -> Design:
    stored["variants"] = tuple(_variant(variant) for variant in stored["variants"])
    stored["metric"] = TestMetric(**stored["metric"])
    stored["secondary"] = tuple(TestMetric(**metric) for metric in stored["secondary"])
    stored["guardrails"] = tuple(
        Guardrail(**{**guardrail, "metric": TestMetric(**guardrail["metric"])})
        for guardrail in stored["guardrails"]
    )
    return Design(**stored)


def _variant(stored: dict[str, Any]) -> Variant:
    weight = round(stored.pop("traffic_percent") * 100)
    return Variant(weight=weight, **stored)
