"""The audit trail, for reading."""

from __future__ import annotations

from mlreg.clock import Moment, moment
from mlreg.entities.audit import Event
from mlreg.services.context import Context


class Audit:
    """Who changed what, when and why."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def events(self, *, model: str | None = None, since: Moment | None = None) -> list[Event]:
        """Events in the order in which they happened.

        Args:
            model: Only those of this model.
            since: An instant, how long ago (a timedelta), or microseconds since 1970; None: all.
        """
        with self._context.store.read() as tx:
            key = tx.models.get(model).key if model else None
            start = None if since is None else moment(since, now=self._context.clock())
            return tx.events.list(model_key=key, since=start)
