"""Why something happened: a decision or an alert, told from what was stored of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlreg.clock import isoformat, to_micros
from mlreg.entities.decisions import Decision, Story
from mlreg.errors import NotFound
from mlreg.names import safe
from mlreg.services.context import Context
from mlreg.services.policy_forms import thresholds_of

if TYPE_CHECKING:
    from mlreg.entities.thresholds import Alert
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction


class Stories:
    """Tells why something happened."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def of_decision(self, number: int) -> Story:
        """Why a decision was made: what it rests on, and what was in force then.

        Raises:
            NotFound: There is no such decision.
        """
        with self._context.store.read() as tx:
            found = tx.decisions.find(number)
            if found is None:
                raise NotFound(f"there is no decision {number}", hint="see: mlreg why")
            lines = [_told(found), f"Why: {found.why}."]
            lines += [_rests_on(finding) for finding in found.findings]
            if found.model is not None:
                lines += _in_force(tx, tx.models.get(found.model), found.policy, found.revision)
            return Story(about=f"decision {number}", lines=tuple(lines), decisions=(found,))

    def of_alert(self, number: int) -> Story:
        """Why an alert began, fired and ended, and what was done about it.

        Raises:
            NotFound: There is no such alert.
        """
        with self._context.store.read() as tx:
            now = self._context.clock()
            alert = tx.alerts.find(number, now=now)
            if alert is None:
                raise NotFound(f"there is no alert {number}", hint="see: mlreg alerts --history")
            model = tx.models.get(alert.model)
            made = tx.decisions.newest(
                model_key=model.key, object=alert.object, since=to_micros(alert.began_at)
            )
            end = alert.resolved_at
            decisions = [one for one in reversed(made) if end is None or one.time <= end]
            lines = list(_course(alert))
            lines += [_told(one) + f" {one.why}." for one in decisions]
            lines += _in_force(tx, model, alert.policy, alert.revision)
            return Story(about=f"alert {number}", lines=tuple(lines), decisions=tuple(decisions))

    def decisions(self, name: str | None = None, *, limit: int = -1) -> list[Decision]:
        """Decisions, the newest first: of a model, or all."""
        with self._context.store.read() as tx:
            key = self._context.model(tx, name).key if name else None
            return tx.decisions.newest(model_key=key, limit=limit)


def _told(found: Decision) -> str:
    outcome = "" if found.outcome == "done" else ", which was refused"
    return (
        f"{isoformat(found.time)}: {found.actor} decided {found.what} on {safe(found.object)}"
        f"{outcome} (decision {found.number}, by rules {found.engine})."
    )


def _rests_on(finding: Mapping[str, Any]) -> str:
    samples = finding.get("samples", 0)
    span = f"{finding.get('since') or 'the beginning'} to {finding.get('until')}"
    return (
        f"It rests on {samples} samples, {span}: {safe(str(finding.get('condition')))} came to "
        f"{finding.get('state')}, with {_number(finding.get('value'))} against "
        f"{_number(finding.get('bound'))}."
    )


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else "nothing"


def _course(alert: Alert) -> Iterator[str]:
    whose = f"{safe(alert.model)}@{alert.version}" if alert.version else safe(alert.model)
    yield (
        f"{alert.threshold} of {whose} asks for: {alert.condition}"
        f" ({alert.severity}, action {alert.action})."
    )
    yield f"It was broken from {isoformat(alert.began_at)} on."
    if alert.fired_at is not None:
        yield f"The alert fired at {isoformat(alert.fired_at)}."
    if alert.acknowledged_at is not None:
        yield f"{alert.acknowledged_by} acknowledged it at {isoformat(alert.acknowledged_at)}."
    if alert.resolved_at is not None:
        yield f"It was over at {isoformat(alert.resolved_at)}."
    elif alert.silenced:
        yield "Nobody is told of it now: it is silenced."


def _in_force(tx: Transaction, model: ModelRow, policy: int, revision: int) -> Iterator[str]:
    """Who wanted the policy and the revision that were in force."""
    rules = tx.decisions.policy(model, policy) if policy else None
    if rules is not None:
        names = ", ".join(one.name for one in thresholds_of(rules)) or "none"
        why = f", for: {rules.reason}" if rules.reason else ""
        yield (
            f"In force was policy {policy}, by {rules.actor} since {isoformat(rules.created_at)}"
            f"{why}; its thresholds: {names}."
        )
    state = tx.traffic.find(model, revision) if revision else None
    if state is not None:
        arms = " ".join(f"{arm.version}={arm.traffic_percent:g}" for arm in state.live) or "nobody"
        yield (
            f"The traffic was revision {revision}, {arms}, by {state.cause} of {state.actor}"
            f" since {isoformat(state.created_at)}."
        )
