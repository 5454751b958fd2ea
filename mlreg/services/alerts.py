"""Alerts, for people: who has seen which, and for how long nobody is to be told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.entities.thresholds import Alert, Silence
from mlreg.entities.traffic import Change
from mlreg.errors import Conflict, NotFound
from mlreg.names import check_text, safe
from mlreg.services.context import Context
from mlreg.services.policy_forms import named, thresholds_of
from mlreg.services.watching import ACKNOWLEDGED, SILENCED

if TYPE_CHECKING:
    from mlreg.services.context import Act
    from mlreg.store.store import Transaction

_NO_CHANGE = Change()


class Alerts:
    """What fires, and what did."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, alert: int) -> Alert:
        """The alert of this number.

        Raises:
            NotFound: There is none.
        """
        with self._context.store.read() as tx:
            return self._find(tx, alert)

    def acknowledge(self, alert: int, *, change: Change = _NO_CHANGE) -> Alert:
        """Say that somebody has seen an alert and looks after it; it stays as it is.

        Raises:
            NotFound: There is no such alert.
            Conflict: It is over, or somebody has acknowledged it before.
        """
        with self._context.acting(change, urgent=False) as act:
            before = self._find(act.tx, alert)
            if before.state == "resolved":
                raise Conflict(f"the alert {alert} is over")
            if not act.tx.alerts.acknowledge(alert, at=act.at, actor=act.actor):
                raise Conflict(
                    f"the alert {alert} was acknowledged by {safe(str(before.acknowledged_by))}"
                )
            after = self._find(act.tx, alert)
            _tell(act, ACKNOWLEDGED, after.model, after.object, after)
            return after

    def silence(
        self,
        name: str | None,
        threshold: str | None = None,
        *,
        lasting: timedelta = timedelta(0),
        change: Change = _NO_CHANGE,
    ) -> Silence:
        """Tell nobody of alerts for a time. What alerts do beside telling, they do.

        Args:
            name: The model; None where there is only one.
            threshold: Of this one alone; None: of all of the model.
            lasting: For how long from now; 0 ends a silence.
            change: Why and by whom.

        Raises:
            NotFound: There is no such model or threshold.
        """
        with self._context.acting(change, urgent=False) as act:
            model = self._context.model(act.tx, name)
            policy = act.tx.decisions.policy(model)
            if threshold is not None:
                named(thresholds_of(policy) if policy else (), threshold)
            found = Silence(
                model=model.name,
                threshold=threshold,
                since=from_micros(act.at),
                until=from_micros(act.at) + lasting,
                actor=act.actor,
                reason=check_text(change.reason, "reason"),
            )
            act.tx.alerts.silence(model.key, found)
            _tell(act, SILENCED, model.name, model.name, found)
            return found

    def list(
        self, *, model: str | None = None, is_active: bool = False, limit: int = -1
    ) -> list[Alert]:
        """Alerts, the newest first.

        Args:
            model: Of this model alone.
            is_active: Those alone that are pending or firing.
            limit: How many at most.
        """
        with self._context.store.read() as tx:
            key = self._context.model(tx, model).key if model else None
            now = self._context.clock()
            return tx.alerts.list(now=now, model_key=key, is_active=is_active, limit=limit)

    def _find(self, tx: Transaction, alert: int) -> Alert:
        found = tx.alerts.find(alert, now=self._context.clock())
        if found is None:
            raise NotFound(f"there is no alert {alert}", hint="see: mlreg alerts --history")
        return found


def _tell(act: Act, action: str, model: str, object: str, after: object) -> None:
    row = act.tx.models.get(model)
    act.tx.events.append(
        action=action,
        object=object,
        actor=act.actor,
        at=act.at,
        model_key=row.key,
        model=row.name,
        reason=check_text(act.change.reason, "reason"),
        after=after,
    )
