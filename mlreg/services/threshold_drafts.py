"""Thresholds of what people write: checked, named, and in their canonical form."""

from __future__ import annotations

from typing import NamedTuple

from mlreg.entities.thresholds import ACTIONS, SEVERITIES, Action, Anomaly, Severity, Threshold
from mlreg.errors import InvalidInput
from mlreg.evidence.conditions import Condition, of_catalogue
from mlreg.evidence.grammar import parse
from mlreg.metrics import COUNTS
from mlreg.names import check_key, safe

# So many a mean rests on at least before it is held against a bound, and labels likewise.
_FEW, _FEW_LABELS = 20, 30
_USUAL_WINDOW = "10m"


class Defaults(NamedTuple):
    """The five triggers that people know; None leaves one out.

    Attributes:
        window: How many predictions are looked at; None: those of ten minutes.
        in_a_row: How many failures in a row are too many.
    """

    min_accuracy: float | None = None
    max_error_rate: float | None = None
    max_latency_ms: float | None = None
    min_confidence: float | None = None
    min_success_rate: float | None = None
    window: int | None = None
    in_a_row: int | None = None


def make_threshold(
    condition: str | None,
    *,
    anomaly: Anomaly | None = None,
    label: str | None = None,
    severity: Severity | None = None,
    action: Action = "alert",
) -> Threshold:
    """A threshold of what somebody wrote.

    Raises:
        InvalidInput: Something of it cannot be.
    """
    if (condition is None) == (anomaly is None):
        raise InvalidInput(
            "a threshold is a condition or an anomaly",
            hint="mlreg threshold set NAME 'error_rate <= 5% over 10m min 100'",
        )
    if action not in ACTIONS:
        raise InvalidInput(f"an action is one of {', '.join(ACTIONS)}, not {safe(str(action))}")
    severity = severity or ("critical" if action == "rollback" else "warning")
    if severity not in SEVERITIES:
        raise InvalidInput(f"a severity is one of {', '.join(SEVERITIES)}, not {safe(severity)}")
    read = _watchable(condition) if condition is not None else None
    metric = read.metric if read else _checked_anomaly(anomaly).metric
    return Threshold(
        name=check_key(label if label is not None else metric.replace(":", "-"), "threshold"),
        condition=str(read) if read else None,
        anomaly=anomaly,
        severity=severity,
        action=action,
    )


def _watchable(text: str) -> Condition:
    """A condition that can be looked at again and again."""
    found = parse(text)
    if found.metric in COUNTS and (found.reference or found.sure):
        raise InvalidInput(
            f"{safe(found.metric)} is held against a number alone",
            hint=f"like {found.metric} {found.sign} 3",
        )
    return found


def _checked_anomaly(anomaly: Anomaly | None) -> Anomaly:
    assert anomaly is not None  # for the type checker
    if of_catalogue(anomaly.metric).kind == "count" and anomaly.metric != "requests":
        raise InvalidInput(f"{safe(anomaly.metric)} has no past to be compared with")
    if not 1 <= anomaly.sigma <= 100:
        raise InvalidInput(f"sigma lies between 1 and 100, not at {anomaly.sigma:g}")
    return anomaly


def default_conditions(defaults: Defaults | None) -> list[tuple[str, str]]:
    """The conditions of the triggers, each with its name."""
    given = defaults or Defaults()
    if given == Defaults(window=given.window):
        given = given._replace(max_error_rate=0.1, max_latency_ms=10_000, min_success_rate=0.95)
    few, few_labels, over = _FEW, _FEW_LABELS, _USUAL_WINDOW
    if given.window is not None:
        over = f"{given.window} predictions"
        few, few_labels = min(few, given.window), min(few_labels, given.window)
    rows = (
        ("accuracy", ">=", given.min_accuracy, few_labels),
        ("error_rate", "<=", given.max_error_rate, few),
        ("avg_latency_ms", "<=", given.max_latency_ms, few),
        ("avg_confidence", ">=", given.min_confidence, few),
        ("success_rate", ">=", given.min_success_rate, few),
    )
    found = [
        (metric, f"{metric} {sign} {_plain(bound)} over {over} min {least}")
        for metric, sign, bound, least in rows
        if bound is not None
    ]
    if given.in_a_row is not None:
        found.append(("failures_in_a_row", f"failures_in_a_row < {given.in_a_row}"))
    return found


def _plain(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".")
