"""The measures of an experiment and its guardrails, read from text."""

from __future__ import annotations

import re
from collections.abc import Callable

from mlreg.entities.experiments import Bound, Guardrail, TestMetric
from mlreg.errors import InvalidInput
from mlreg.metrics import BY_NAME, VALUE
from mlreg.names import check_key, safe

_SUCCESS_RATE = TestMetric(name="success_rate", kind="share", direction="up", unit="share")
_QUANTILES = {"p50_latency_ms": 0.5, "p95_latency_ms": 0.95, "p99_latency_ms": 0.99}
_LEFT_OUT = {"label_coverage"}  # a condition of every verdict, and nothing to improve
_GUARDRAIL = re.compile(
    r"\s*([A-Za-z0-9_:.-]+?)\s*(<=|>=)\s*([+-]?)\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*"
)

IsKnown = Callable[[str], bool]


def known_metrics() -> list[str]:
    """The names that need no feedback value."""
    return ["success_rate", *(name for name in BY_NAME if name not in _LEFT_OUT)]


def parse_metric(text: str, *, is_value: IsKnown) -> TestMetric:
    """Read the name of a measure.

    Args:
        text: From the catalogue; or `value:NAME` (larger is better) or `value:NAME:down` for a
            named feedback value; or the name alone of one that has been recorded before.
        is_value: Whether the model has had a feedback value of this name.

    Raises:
        InvalidInput: There is no such measure.
    """
    if text == "success_rate":
        return _SUCCESS_RATE
    if text in BY_NAME and text not in _LEFT_OUT:
        metric = BY_NAME[text]
        return TestMetric(
            name=text,
            kind=metric.kind,
            direction="down" if metric.better == "down" else "up",
            unit=metric.unit,
            quantile=_QUANTILES.get(text),
        )
    if text.startswith(VALUE):
        name, _, direction = text.removeprefix(VALUE).partition(":")
        if direction not in ("", "up", "down"):
            raise InvalidInput(f"{safe(text)}: a value is better `up` or `down`")
        check_key(name, "feedback value")
        return _value(name, is_down=direction == "down")
    if is_value(text):
        return _value(text, is_down=False)
    raise InvalidInput(
        f"there is no metric {safe(text)}",
        hint=f"there is {', '.join(known_metrics())}, and value:NAME for a feedback value",
    )


def parse_guardrail(text: str, *, is_value: IsKnown) -> Guardrail:
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
    metric = parse_metric(name, is_value=is_value)
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


def _value(name: str, *, is_down: bool) -> TestMetric:
    return TestMetric(
        name=f"{VALUE}{name}",
        kind="mean",
        direction="down" if is_down else "up",
        unit="value",
    )
