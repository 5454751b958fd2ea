"""Thresholds: the part of a policy that says what must hold of a model that serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mlreg.entities.thresholds import (
    ACTIONS,
    SEVERITIES,
    Action,
    Anomaly,
    Severity,
    Threshold,
)
from mlreg.entities.traffic import Change
from mlreg.errors import InvalidInput, NotFound
from mlreg.evidence.conditions import Condition, of_catalogue
from mlreg.evidence.grammar import parse
from mlreg.metrics import COUNTS
from mlreg.names import check_key, safe
from mlreg.services.context import Context
from mlreg.services.policies import put_policy
from mlreg.services.policy_forms import stored_form, thresholds_of

if TYPE_CHECKING:
    from mlreg.entities.decisions import Policy

_NO_CHANGE = Change()
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


class Thresholds:
    """What must hold of each model."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def set(
        self,
        name: str | None,
        condition: str | None = None,
        *,
        anomaly: Anomaly | None = None,
        label: str | None = None,
        severity: Severity | None = None,
        action: Action = "alert",
        change: Change = _NO_CHANGE,
    ) -> Threshold:
        """Add a threshold to a model's policy, or put it in the place of the one of its name.

        Args:
            name: The model; None where there is only one.
            condition: What must hold, such as `error_rate <= 5% over 10m min 100 for 5m`.
            anomaly: A metric that must not be far from its own past, instead of a condition.
            label: What the threshold is called; None: as its metric.
            severity: How bad it is; None: critical if it rolls back, else a warning.
            action: What happens when it fires, beside the alert.
            change: Why and by whom.

        Raises:
            InvalidInput: The condition cannot be read, or not be looked at again and again.
        """
        wanted = make_threshold(
            condition, anomaly=anomaly, label=label, severity=severity, action=action
        )
        after = self._change(name, lambda known: _with(known, [wanted]), change)
        return replace(wanted, model=after.model)

    def set_defaults(
        self,
        name: str | None,
        defaults: Defaults | None = None,
        *,
        severity: Severity | None = None,
        action: Action = "alert",
        change: Change = _NO_CHANGE,
    ) -> list[Threshold]:
        """Set the five triggers that people know, in one policy.

        Args:
            name: The model; None where there is only one.
            defaults: Which of them; None: error rate, mean latency and success over ten minutes.
            severity: As for `set`.
            action: As for `set`.
            change: Why and by whom.
        """
        wanted = [
            make_threshold(text, label=label, severity=severity, action=action)
            for label, text in _default_conditions(defaults)
        ]
        after = self._change(name, lambda known: _with(known, wanted), change)
        return [replace(one, model=after.model) for one in wanted]

    def remove(self, name: str | None, label: str, *, change: Change = _NO_CHANGE) -> Policy:
        """Take a threshold out of a model's policy; its alerts are over by the next tick.

        Raises:
            NotFound: There is none of this name.
        """

        def without(known: Sequence[Threshold]) -> list[Threshold]:
            left = [one for one in known if one.name != label]
            if len(left) == len(known):
                names = ", ".join(safe(one.name) for one in known) or "none"
                raise NotFound(f"there is no threshold {safe(label)}", hint=f"there is {names}")
            return left

        return self._change(name, without, change)

    def list(self, name: str | None = None) -> list[Threshold]:
        """The thresholds of a model, or of all, with the alerts of each that fire."""
        with self._context.store.read() as tx:
            key = self._context.model(tx, name).key if name else None
            firing = tx.alerts.firing()
            return [
                replace(one, firing=firing.get((one.model, one.name), 0))
                for _, policy in tx.decisions.in_force(key)
                for one in thresholds_of(policy)
            ]

    def _change(
        self,
        name: str | None,
        make: Callable[[Sequence[Threshold]], Sequence[Threshold]],
        change: Change,
    ) -> Policy:
        with self._context.acting(change, urgent=False) as act:
            model = self._context.model(act.tx, name)
            now = act.tx.decisions.policy(model)
            assert now is not None  # for the type checker: without a number there is one
            wanted = [stored_form(one) for one in make(thresholds_of(now))]
            document = {**now.document, "thresholds": wanted}
            if not wanted:
                del document["thresholds"]
            return put_policy(act, model, document)


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


def _with(known: Sequence[Threshold], wanted: Sequence[Threshold]) -> list[Threshold]:
    """Those that are known, each in its place, and the new ones behind them."""
    new = {one.name: one for one in wanted}
    return [new.pop(one.name, one) for one in known] + list(new.values())


def _default_conditions(defaults: Defaults | None) -> list[tuple[str, str]]:
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
