"""The measures of an experiment, read from text."""

from __future__ import annotations

from collections.abc import Callable

from mlreg.entities.experiments import TestMetric
from mlreg.errors import InvalidInput
from mlreg.metrics import BY_NAME, VALUE
from mlreg.names import check_key, safe

_SUCCESS_RATE = TestMetric(name="success_rate", kind="share", direction="up", unit="share")
_QUANTILES = {"p50_latency_ms": 0.5, "p95_latency_ms": 0.95, "p99_latency_ms": 0.99}
_LEFT_OUT = {"label_coverage"}  # a condition of every verdict, and nothing to improve

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


def _value(name: str, *, is_down: bool) -> TestMetric:
    return TestMetric(
        name=f"{VALUE}{name}",
        kind="mean",
        direction="down" if is_down else "up",
        unit="value",
    )
