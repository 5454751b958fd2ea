"""The guardrails of an experiment, read from text."""

from __future__ import annotations

import re
from collections.abc import Callable

from mlreg.entities.experiments import Bound, Guardrail, TestMetric
from mlreg.errors import InvalidInput
from mlreg.names import safe

_GUARDRAIL = re.compile(
    r"\s*([A-Za-z0-9_:.-]+?)\s*(<=|>=)\s*([+-]?)\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*"
)


def parse_guardrail(text: str, read: Callable[[str], TestMetric]) -> Guardrail:
    """Read `p95_latency_ms <= +10%`, `error_rate <= +0.01` or `avg_latency_ms <= 250`.

    With a sign the bound is relative to the control (`%`) or a difference from it; without one it
    limits the treatment's own value.

    Raises:
        InvalidInput: It is none of these, or it would forbid an improvement.
    """
    found = _GUARDRAIL.fullmatch(text)
    if not found:
        raise InvalidInput(
            f"{safe(text)} is not a guardrail",
            hint="write it like p95_latency_ms <= +10%, or error_rate <= 0.02",
        )
    name, sign, plus, digits, percent = found.groups()
    metric = read(name)
    if (sign == "<=") is not (metric.direction == "down"):
        word = "lower" if metric.direction == "down" else "higher"
        raise InvalidInput(f"{safe(text)} guards the wrong side: {name} is better when {word}")
    if percent and not plus and metric.unit != "share":
        way = "+" if sign == "<=" else "-"
        raise InvalidInput(
            f"{safe(text)} limits {name} itself, which is no percentage",
            hint=f"with a sign it is relative to the control: {name} {sign} {way}{digits}%",
        )
    bound = float(f"{plus}{digits}") / (100 if percent else 1)
    kind: Bound = "limit" if not plus else "relative" if percent else "absolute"
    if kind != "limit" and (bound <= 0 if sign == "<=" else bound >= 0):
        raise InvalidInput(
            f"{safe(text)} leaves no margin, and no sample could ever keep it",
            hint="write the loss that can be borne, like <= +10% or >= -1%",
        )
    if (kind == "relative" and bound <= -1) or (
        metric.unit == "share" and not _is_share(kind, bound)
    ):
        raise InvalidInput(
            f"{safe(text)} can never be broken, or never be kept",
            hint="a share lies between 0 and 1: error_rate <= 0.02, or <= +1% of the control's",
        )
    return Guardrail(
        text=" ".join(text.split()),
        metric=metric,
        sign="<=" if sign == "<=" else ">=",
        kind=kind,
        bound=bound,
    )


def _is_share(kind: Bound, bound: float) -> bool:
    """Whether a bound on a share divides what a share can be."""
    return kind == "relative" or 0 < abs(bound) < 1
