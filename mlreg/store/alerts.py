"""Alerts and silences."""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple

from mlreg.clock import from_micros, to_micros
from mlreg.entities.thresholds import Alert, Silence, Standing
from mlreg.jsonable import canonical
from mlreg.store.engines import Connection
from mlreg.store.rows import restored

SELECT = """
    select a.id, m.name, a.threshold, a.version, a.state, a.condition, a.severity, a.action,
        a.policy, a.revision, a.began_at, a.fired_at, a.resolved_at, a.since, a.streak,
        a.evaluated_at, a.finding, a.told_at, a.acknowledged_at, a.acknowledged_by, a.acted,
        exists (
            select 1 from silences s where s.model = a.model and s.threshold in ('', a.threshold)
                and s.since <= :now and s.until > :now
        )
    from alerts a join models m on m.key = a.model
"""
OPEN = SELECT + " where a.model = :model and a.state <> 'resolved' order by a.id"
ONE = SELECT + " where a.id = :id"
LIST = (
    SELECT
    + """
    where (cast(:model as bigint) is null or a.model = :model)
        and (:is_active = 0 or a.state <> 'resolved')
    order by a.id desc limit :limit
"""
)
INSERT = """
    insert into alerts (model, threshold, version, state, condition, severity, action, policy,
        revision, began_at, fired_at, since, streak, evaluated_at, finding, told_at)
    values (:model, :threshold, :version, :state, :condition, :severity, :action, :policy,
        :revision, :at, :fired_at, :since, :streak, :evaluated_at, :finding, :told_at)
    on conflict do nothing
    returning id
"""
MOVE = """
    update alerts set state = :state, since = :since, streak = :streak,
        evaluated_at = :evaluated_at, finding = :finding, fired_at = :fired_at,
        resolved_at = :resolved_at, told_at = :told_at
    where id = :id and state = :was_state and streak = :was_streak
        and coalesce(since, -1) = :was_since and evaluated_at = :was_evaluated_at
"""
FORGET = "delete from alerts where id = :id and state = 'pending'"
ACT = "update alerts set acted = :acted where id = :id and acted is null and state = 'firing'"
TELL = "update alerts set told_at = :at where id = :id and told_at is null and state = 'firing'"
ACKNOWLEDGE = """
    update alerts set acknowledged_at = :at, acknowledged_by = :actor
    where id = :id and acknowledged_at is null
"""
FIRING = """
    select m.name, a.threshold, count(*) from alerts a join models m on m.key = a.model
    where a.state = 'firing' group by m.name, a.threshold
"""
SILENCED = """
    select exists (
        select 1 from silences where model = :model and threshold in ('', :threshold)
            and since <= :now and until > :now
    )
"""
SILENCE = """
    insert into silences (model, threshold, since, until, actor, reason)
    values (:model, :threshold, :since, :until, :actor, :reason)
"""
UNSILENCE = """
    update silences set until = :now
    where model = :model and threshold = :threshold and until > :now
"""

ALL = 2**63 - 1


class Beginning(NamedTuple):
    """What an alert begins with, beside where it stands."""

    model_key: int
    threshold: str
    version: str | None
    condition: str
    severity: str
    action: str
    policy: int
    revision: int


class Alerts:
    """Reads and moves alerts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, model_key: int, *, now: int) -> list[Alert]:
        """The alerts of a model that are pending or firing."""
        values = {"model": model_key, "now": now}
        return [_alert(row) for row in self._connection.execute(OPEN, values)]

    def find(self, alert: int, *, now: int) -> Alert | None:
        """The alert of this number, or None."""
        row = self._connection.execute(ONE, {"id": alert, "now": now}).fetchone()
        return _alert(row) if row else None

    def list(
        self, *, now: int, model_key: int | None = None, is_active: bool = False, limit: int = ALL
    ) -> list[Alert]:
        """Alerts, the newest first."""
        values = {"model": model_key, "is_active": int(is_active), "limit": limit, "now": now}
        return [_alert(row) for row in self._connection.execute(LIST, values)]

    def firing(self) -> dict[tuple[str, str], int]:
        """How many alerts fire, by model and threshold."""
        return {(model, name): n for model, name, n in self._connection.execute(FIRING)}

    def begin(
        self, what: Beginning, to: Standing, finding: object, *, at: int, is_told: bool
    ) -> int | None:
        """Begin an alert; returns its number, or None where there is an open one already."""
        values = {
            "model": what.model_key,
            "threshold": what.threshold,
            "version": what.version or "",
            "condition": what.condition,
            "severity": what.severity,
            "action": what.action,
            "policy": what.policy,
            "revision": what.revision,
            "at": at,
            "fired_at": at if to.state == "firing" else None,
            "told_at": at if is_told else None,
            "finding": canonical(finding),
            **to._asdict(),
        }
        row = self._connection.execute(INSERT, values).fetchone()
        return int(row[0]) if row else None

    def move(self, alert: Alert, to: Standing, finding: object, *, at: int, is_told: bool) -> bool:
        """Let an alert stand elsewhere; False where it does not stand where it did."""
        was = alert.standing
        fired = at if was.state == "pending" and to.state == "firing" else _micros(alert.fired_at)
        values = {
            "id": alert.alert,
            "fired_at": fired,
            "resolved_at": at if to.state == "resolved" else None,
            "told_at": at if is_told else _micros(alert.told_at),
            "finding": canonical(finding),
            "was_state": was.state,
            "was_streak": was.streak,
            "was_since": -1 if was.since is None else was.since,
            "was_evaluated_at": was.evaluated_at,
            **to._asdict(),
        }
        return self._connection.execute(MOVE, values).rowcount == 1

    def forget(self, alert: int) -> bool:
        """Drop a pending alert that went by."""
        return self._connection.execute(FORGET, {"id": alert}).rowcount == 1

    def act(self, alert: int, acted: int) -> bool:
        """Note what came of a firing alert's action; False where that was noted before."""
        return self._connection.execute(ACT, {"id": alert, "acted": acted}).rowcount == 1

    def tell(self, alert: int, *, at: int) -> bool:
        """Note that an alert is told of; False where it was."""
        return self._connection.execute(TELL, {"id": alert, "at": at}).rowcount == 1

    def acknowledge(self, alert: int, *, at: int, actor: str) -> bool:
        """Note who has seen an alert; False where somebody had."""
        values = {"id": alert, "at": at, "actor": actor}
        return self._connection.execute(ACKNOWLEDGE, values).rowcount == 1

    def is_silenced(self, model_key: int, threshold: str, *, now: int) -> bool:
        """Whether nobody is to be told of a threshold now."""
        values = {"model": model_key, "threshold": threshold, "now": now}
        return bool(self._connection.execute(SILENCED, values).fetchone()[0])

    def silence(self, model_key: int, silence: Silence) -> None:
        """Be silent for a time about one threshold, or about all, instead of until when it was."""
        key = {"model": model_key, "threshold": silence.threshold or ""}
        since, until = to_micros(silence.since), to_micros(silence.until)
        self._connection.execute(UNSILENCE, {**key, "now": since})
        if until > since:
            values = {"since": since, "until": until, "actor": silence.actor}
            self._connection.execute(SILENCE, {**key, **values, "reason": silence.reason})


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else to_micros(instant)


def _alert(row: tuple) -> Alert:  # type: ignore[type-arg]  # mixed columns
    with restored("alerts", row[0]):
        times = [None if at is None else from_micros(at) for at in (*row[10:13], *row[17:19])]
        began, fired, resolved, told, seen = times
        assert began is not None  # for the type checker: the column is
        return Alert(
            alert=row[0],
            model=row[1],
            threshold=row[2],
            version=row[3] or None,
            state=row[4],
            condition=row[5],
            severity=row[6],
            action=row[7],
            policy=row[8],
            revision=row[9],
            began_at=began,
            fired_at=fired,
            resolved_at=resolved,
            standing=Standing(row[4], row[13], row[14], row[15]),
            finding=dict(json.loads(row[16])),
            told_at=told,
            acknowledged_at=seen,
            acknowledged_by=row[19],
            acted=row[20],
            silenced=bool(row[21]),
        )
