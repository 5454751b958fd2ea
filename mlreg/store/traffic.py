"""Revisions and their arms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from mlreg.clock import from_micros, to_micros
from mlreg.entities.traffic import Arm, Hold, Revision
from mlreg.jsonable import canonical
from mlreg.store.engines import Connection
from mlreg.store.models import ModelRow
from mlreg.store.rows import restored

NEWEST = """
    select number, strategy, cause, reason, actor, created_at, salt from revisions
    where model = :model order by number desc limit 1
"""
ONE = """
    select number, strategy, cause, reason, actor, created_at, salt from revisions
    where model = :model and number = :number
"""
HISTORY = """
    select number, strategy, cause, reason, actor, created_at, salt from revisions
    where model = :model order by number desc limit :limit
"""
HOLD = "select kind, id, revision_before from holds where model = :model"
TAKE = """
    insert into holds (model, kind, id, revision_before)
    values (:model, :kind, :id, :revision_before)
"""
HAS_ROLLOUTS = """
    select exists (select 1 from rollouts where state not in ('completed', 'aborted'))
"""
RELEASE = "delete from holds where model = :model"
NEWEST_NUMBER = "select max(number) from revisions where model = :model"
LAST_LIVE = """
    select max(revision) from arms
    where model = :model and version = :version and role = 'live'
"""
ARMS = """
    select a.version, v.model_id, v.version, a.weight, a.role from arms a
    join versions v on v.key = a.version
    where a.model = :model and a.revision = :revision
    order by v.precedence, v.key
"""
SERVING_SINCE = """
    select v.version, min(r.created_at) from revisions r
    join (
        select a.version, coalesce((
            select max(b.number) from revisions b
            where b.model = :model and not exists (
                select 1 from arms c where c.model = b.model and c.revision = b.number
                    and c.version = a.version and c.role = 'live'
            )
        ), 0) as absent
        from arms a where a.model = :model and a.role = 'live'
            and a.revision = (select max(number) from revisions where model = :model)
    ) v on r.model = :model and r.number > v.absent
    group by v.version
"""
INSERT_ARM = """
    insert into arms (model, revision, version, weight, role)
    values (:model, :revision, :version, :weight, :role)
"""
INSERT = """
    insert into revisions (model, number, previous, strategy, cause, reason, actor, evidence,
        created_at, salt)
    values (:model, :number, :previous, :strategy, :cause, :reason, :actor, :evidence, :at,
        nullif(:salt, (select salt from models where key = :model)))
"""
ROLLBACKS = """
    select r.number, r.evidence from revisions r
    where r.model = :model and r.cause = 'rollback' order by r.number desc limit :limit
"""
# Critical alerts, as far as they fired.
ALARMS = """
    select version, fired_at, resolved_at from alerts
    where model = :model and severity = 'critical' and fired_at is not null order by id
"""
BROKEN = """
    select m.name, r.number from revisions r join models m on m.key = r.model
    where (r.number > 1 and not exists (
            select 1 from revisions p where p.model = r.model and p.number = r.number - 1
        ))
        or (select count(*) > 1 and sum(weight) <> 10000 from arms a
            where a.model = r.model and a.revision = r.number and a.role = 'live')
"""

ALL = 2**63 - 1


class Alarm(NamedTuple):
    """A critical alert about a version, or where that is empty about a model.

    Attributes:
        resolved_at: None while it fires.
    """

    version: str
    fired_at: int
    resolved_at: int | None

    def concerns(self, revision: Revision, began: int, ended: int) -> bool:
        """Whether it fired about a revision that was in force in this time."""
        is_about = not self.version or any(arm.version == self.version for arm in revision.live)
        is_over = self.resolved_at is not None and self.resolved_at <= began
        return is_about and self.fired_at < ended and not is_over


class Traffic:
    """Reads and appends revisions on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hold(self, model_key: int) -> Hold | None:
        """Who holds a model's traffic, or None."""
        row = self._connection.execute(HOLD, {"model": model_key}).fetchone()
        return Hold(*row) if row else None

    def take(self, model_key: int, hold: Hold) -> None:
        """Hold a model's traffic, which nobody holds."""
        self._connection.execute(TAKE, {"model": model_key, **hold._asdict()})

    def release(self, model_key: int) -> None:
        """Let go of a model's traffic."""
        self._connection.execute(RELEASE, {"model": model_key})

    def has_rollouts(self) -> bool:
        """Whether a rollout is under way; this module is there already, and theirs is not."""
        return bool(self._connection.execute(HAS_ROLLOUTS).fetchone()[0])

    def number(self, model_key: int) -> int:
        """The number of the revision in force; 0 if there is none."""
        row = self._connection.execute(NEWEST_NUMBER, {"model": model_key}).fetchone()
        return row[0] or 0

    def last_live(self, model_key: int, version_key: int) -> int | None:
        """The number of the newest revision in which a version answered; None if it never did."""
        values = {"model": model_key, "version": version_key}
        found: int | None = self._connection.execute(LAST_LIVE, values).fetchone()[0]
        return found

    def current(self, model: ModelRow) -> Revision:
        """The revision in force; number 0 and no arms before the first."""
        row = self._connection.execute(NEWEST, {"model": model.key}).fetchone()
        if row is None:
            return _from_row(model, (0, "random", "", "", "", 0, None), ())
        return self._revision(model, row)

    def find(self, model: ModelRow, number: int) -> Revision | None:
        """The revision of this number, or None."""
        values = {"model": model.key, "number": number}
        row = self._connection.execute(ONE, values).fetchone()
        return self._revision(model, row) if row else None

    def history(self, model: ModelRow, *, limit: int = ALL) -> list[Revision]:
        """The revisions, the newest first."""
        rows = self._connection.execute(HISTORY, {"model": model.key, "limit": limit}).fetchall()
        return [self._revision(model, row) for row in rows]

    def serving_since(self, model_key: int) -> dict[int, int]:
        """Since when each version that serves now has done so without a break."""
        return dict(self._connection.execute(SERVING_SINCE, {"model": model_key}).fetchall())

    def append(self, revision: Revision, evidence: Mapping[str, object]) -> None:
        """Put a revision in force."""
        key = {"model": revision.model_key, "revision": revision.number}
        for arm in revision.arms:
            self._connection.execute(
                INSERT_ARM,
                {**key, "version": arm.version_key, "weight": arm.weight, "role": arm.role},
            )
        self._connection.execute(
            INSERT,
            {
                "model": revision.model_key,
                "number": revision.number,
                "previous": revision.previous_revision,
                "strategy": revision.strategy,
                "cause": revision.cause,
                "reason": revision.reason,
                "actor": revision.actor,
                "evidence": canonical(evidence),
                "at": to_micros(revision.created_at),
                "salt": revision.salt,
            },
        )

    def rollbacks(self, model: ModelRow, *, limit: int = ALL) -> list[tuple[Revision, dict]]:  # type: ignore[type-arg]  # JSON object
        """Revisions caused by a rollback with their evidence, the newest first."""
        values = {"model": model.key, "limit": limit}
        rows = self._connection.execute(ROLLBACKS, values).fetchall()
        found = [
            (self.find(model, number), _evidence(model, number, text)) for number, text in rows
        ]
        return [(revision, evidence) for revision, evidence in found if revision]

    def alarms(self, model_key: int) -> list[Alarm]:
        """The critical alerts of a model that fire or have fired."""
        return [Alarm(*row) for row in self._connection.execute(ALARMS, {"model": model_key})]

    def broken(self) -> list[str]:
        """Revisions that break an invariant, which the schema should make impossible."""
        return [f"{name} revision {number}" for name, number in self._connection.execute(BROKEN)]

    def _revision(self, model: ModelRow, row: tuple) -> Revision:  # type: ignore[type-arg]  # mixed columns
        arms = self._connection.execute(ARMS, {"model": model.key, "revision": row[0]})
        return _from_row(model, row, tuple(_arm(*arm) for arm in arms))


def _evidence(model: ModelRow, number: int, text: str) -> dict:  # type: ignore[type-arg]  # JSON object
    with restored("revisions", f"{number} of {model.name}"):
        return dict(json.loads(text))


def _arm(key: int, model_id: str, version: str, weight: int, role: str) -> Arm:
    return Arm(
        version_key=key,
        model_id=model_id,
        version=version,
        weight=weight,
        role="live" if role == "live" else "shadow",
    )


def _from_row(model: ModelRow, row: tuple, arms: tuple[Arm, ...]) -> Revision:  # type: ignore[type-arg]  # mixed columns
    with restored("revisions", f"{row[0]} of {model.name}"):
        return Revision(
            model_key=model.key,
            model=model.name,
            number=row[0],
            strategy=row[1],
            salt=row[6] or model.salt,
            cause=row[2],
            reason=row[3],
            actor=row[4],
            created_at=from_micros(row[5]),
            arms=arms,
        )
