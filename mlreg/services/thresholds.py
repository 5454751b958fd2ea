"""Thresholds: the part of a policy that says what must hold of a model that serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mlreg.clock import DAY, Moment, moment
from mlreg.entities.predictions import ROLES
from mlreg.entities.thresholds import Action, Anomaly, Severity, Threshold, Trial
from mlreg.entities.traffic import Change
from mlreg.errors import AlreadyExists
from mlreg.evidence.firing import cost
from mlreg.evidence.grammar import parse
from mlreg.names import safe
from mlreg.services.context import Context
from mlreg.services.policies import put_policy
from mlreg.services.policy_forms import named, stored_form, thresholds_of
from mlreg.services.threshold_drafts import Defaults, default_conditions, make_threshold
from mlreg.services.windows import Window, spans
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.decisions import Policy
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_NO_CHANGE = Change()
_LIVE = ROLES.index("live")
_LATELY = 7 * DAY
_MONTH = timedelta(days=30)


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
            label: What the threshold is called; None: as its metric, if nothing else is.
            severity: How bad it is; None: critical if it rolls back, else a warning.
            action: What happens when it fires, beside the alert.
            change: Why and by whom.

        Raises:
            InvalidInput: The condition cannot be read, or not be looked at again and again.
            AlreadyExists: It got no name, and another threshold is called as its metric.
        """
        wanted = make_threshold(
            condition, anomaly=anomaly, label=label, severity=severity, action=action
        )
        return self._add(name, [wanted], change, is_named=label is not None)[0]

    def set_defaults(
        self,
        name: str | None,
        defaults: Defaults | None = None,
        *,
        severity: Severity | None = None,
        action: Action = "alert",
        change: Change = _NO_CHANGE,
    ) -> Sequence[Threshold]:
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
            for label, text in default_conditions(defaults)
        ]
        return self._add(name, wanted, change)

    def remove(self, name: str | None, label: str, *, change: Change = _NO_CHANGE) -> Policy:
        """Take a threshold out of a model's policy; its alerts are over by the next tick.

        Raises:
            NotFound: There is none of this name.
        """

        def without(known: Sequence[Threshold]) -> list[Threshold]:
            gone = named(known, label)
            return [one for one in known if one != gone]

        return self._change(name, without, change)

    def test(self, name: str | None, what: str, *, since: Moment = _MONTH) -> Trial:
        """When a threshold would have fired, had it been there.

        Args:
            name: The model; None where there is only one.
            what: The name of one of its thresholds, or a condition.
            since: From when on: an instant, or how long ago.

        Raises:
            InvalidInput: It cannot be read, or not be tried on the log.
        """
        from mlreg.services.trials import try_threshold

        now = self._context.clock()
        with self._context.folded() as tx:
            model = self._context.model(tx, name)
            policy = tx.decisions.policy(model)
            known = {one.name: one for one in thresholds_of(policy)} if policy else {}
            tried = known.get(what) or make_threshold(what)
            return try_threshold(tx, model, tried, since=moment(since, now=now), now=now)

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

    def _add(
        self,
        name: str | None,
        wanted: Sequence[Threshold],
        change: Change,
        *,
        is_named: bool = True,
    ) -> Sequence[Threshold]:
        """Add thresholds, and say what each of them costs."""

        def added(known: Sequence[Threshold]) -> list[Threshold]:
            if not is_named:
                _check_free(known, wanted[0])
            return _with(known, wanted)

        after = self._change(name, added, change)
        with self._context.folded() as tx:
            model, now = tx.models.get(after.model), self._context.clock()
            seen, daily = lately(tx, model, now)
        return [
            replace(
                one,
                model=after.model,
                cost=cost(parse(one.condition), seen, daily) if one.condition else "",
            )
            for one in wanted
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


def lately(tx: Transaction, model: ModelRow, now: int) -> tuple[Tally, float]:
    """What a model did in live traffic in the last seven days, and how many times a day."""
    keys = {version.key for version in tx.versions.of_model(model.key)}
    whole, first = Tally(), now
    for span in spans(tx, keys, Window(now - _LATELY, now), now=now):
        if span.cell.role == _LIVE:
            whole.merge(span.tally)
            first = min(first, span.at)
    length = max(now - first, DAY // 24)
    return whole, whole.requests * DAY / length


def _check_free(known: Sequence[Threshold], wanted: Threshold) -> None:
    """A threshold that got its name from its metric must not push out one that says otherwise."""
    was = next((one for one in known if one.name == wanted.name), None)
    if was is not None and was != wanted:
        raise AlreadyExists(
            f"there is a threshold {safe(was.name)} already: {was.demand}",
            hint=f"--name {safe(was.name)} puts this one in its place, another name adds it",
        )


def _with(known: Sequence[Threshold], wanted: Sequence[Threshold]) -> list[Threshold]:
    """Those that are known, each in its place, and the new ones behind them."""
    new = {one.name: one for one in wanted}
    return [new.pop(one.name, one) for one in known] + list(new.values())
