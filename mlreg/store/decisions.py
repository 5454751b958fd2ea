"""Policies, decisions and the lease of the tick."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import from_micros, to_micros
from mlreg.entities.decisions import Decision, Policy
from mlreg.jsonable import canonical, loads
from mlreg.store.engines import Connection
from mlreg.store.rows import restored

if TYPE_CHECKING:
    from mlreg.store.models import ModelRow

POLICY = """
    select number, document, reason, actor, created_at from policies
    where model = :model order by number desc limit 1
"""
POLICY_OF_NUMBER = """
    select number, document, reason, actor, created_at from policies
    where model = :model and number = :number
"""
POLICIES = """
    select number, document, reason, actor, created_at from policies
    where model = :model order by number desc limit :limit
"""
IN_FORCE = """
    select m.key, m.name, m.salt, p.number, p.document, p.reason, p.actor, p.created_at
    from models m join policies p on p.model = m.key
    where p.number = (select max(number) from policies where model = m.key)
        and (cast(:model as bigint) is null or m.key = :model)
    order by m.name
"""
INSERT_POLICY = """
    insert into policies (model, number, previous, document, reason, actor, created_at)
    values (:model, :number, :previous, :document, :reason, :actor, :at)
"""
POLICY_NUMBER = "select max(number) from policies where model = :model"
SELECT = """
    select d.number, d.at, m.name, d.what, d.object, d.outcome, d.why, d.findings, d.policy,
        d.revision, d.engine, d.actor
    from decisions d left join models m on m.key = d.model
"""
ONE = SELECT + " where d.number = :number"
NEWEST = (
    SELECT
    + """
    where (cast(:model as bigint) is null or d.model = :model)
        and (cast(:object as text) is null or d.object = :object)
        and (cast(:since as bigint) is null or d.at >= :since)
    order by d.number desc limit :limit
"""
)
INSERT = """
    insert into decisions (number, at, model, what, object, outcome, why, findings, policy,
        revision, engine, actor)
    values ((select coalesce(max(number), 0) + 1 from decisions), :at, :model, :what, :object,
        :outcome, :why, :findings, :policy, :revision, :engine, :actor)
    returning number
"""
IS_ROLLING_OUT = """
    select exists (select 1 from rollouts where state not in ('completed', 'aborted'))
"""
LAST_TICK = "select at, actor from ticks"
TAKE = """
    update ticks set holder = :holder, taken_at = :at, until = :until
    where holder in ('', :holder) or not (taken_at <= :at and :at < until)
    returning holder
"""
HOLDER = "select holder from ticks"
RELEASE = "update ticks set holder = '', taken_at = 0, until = 0 where holder = :holder"
TICKED = (
    "update ticks set at = :at, actor = :actor where at is null or at <> :at or actor <> :actor"
)

ALL = 2**63 - 1


class LastTick(NamedTuple):
    """When the last tick over all models was, and by whom."""

    at: int | None
    actor: str


class Decisions:
    """Reads and appends policies and decisions on one connection, and lends the tick's lease."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def policy(self, model: ModelRow, number: int | None = None) -> Policy | None:
        """The policy of this number, else the one in force; number 0 before the first."""
        if number is None:
            row = self._connection.execute(POLICY, {"model": model.key}).fetchone()
            return _policy(model, row or (0, "{}", "", "", 0))
        values = {"model": model.key, "number": number}
        row = self._connection.execute(POLICY_OF_NUMBER, values).fetchone()
        return _policy(model, row) if row else None

    def policy_number(self, model_key: int) -> int:
        """The number of the policy in force; 0 if there is none."""
        row = self._connection.execute(POLICY_NUMBER, {"model": model_key}).fetchone()
        return row[0] or 0

    def policies(self, model: ModelRow, *, limit: int = ALL) -> list[Policy]:
        """The policies of a model, the newest first."""
        values = {"model": model.key, "limit": limit}
        return [_policy(model, row) for row in self._connection.execute(POLICIES, values)]

    def in_force(self, model_key: int | None = None) -> list[tuple[ModelRow, Policy]]:
        """Each model that has a policy, or the one that is asked for, with that in force."""
        from mlreg.store.models import ModelRow

        found = []
        for row in self._connection.execute(IN_FORCE, {"model": model_key}):
            model = ModelRow(*row[:3])
            found.append((model, _policy(model, row[3:])))
        return found

    def put_policy(self, policy: Policy) -> None:
        """Put a policy in force."""
        self._connection.execute(
            INSERT_POLICY,
            {
                "model": policy.model_key,
                "number": policy.number,
                "previous": policy.number - 1 or None,
                "document": canonical(policy.document),
                "reason": policy.reason,
                "actor": policy.actor,
                "at": to_micros(policy.created_at),
            },
        )

    def append(self, decision: Decision, model_key: int | None) -> int:
        """Add a decision, in the transaction of what it did; returns its number."""
        values = {
            "at": to_micros(decision.time),
            "model": model_key,
            "what": decision.what,
            "object": decision.object,
            "outcome": decision.outcome,
            "why": decision.why,
            "findings": canonical(decision.findings),
            "policy": decision.policy,
            "revision": decision.revision,
            "engine": decision.engine,
            "actor": decision.actor,
        }
        return int(self._connection.execute(INSERT, values).fetchone()[0])

    def find(self, number: int) -> Decision | None:
        """The decision of this number, or None."""
        row = self._connection.execute(ONE, {"number": number}).fetchone()
        return _decision(row) if row else None

    def newest(
        self,
        *,
        model_key: int | None = None,
        object: str | None = None,
        since: int | None = None,
        limit: int = ALL,
    ) -> list[Decision]:
        """Decisions, the newest first: of one model, on one object, from a time on."""
        values = {"model": model_key, "object": object, "since": since, "limit": limit}
        return [_decision(row) for row in self._connection.execute(NEWEST, values)]

    def is_rolling_out(self) -> bool:
        """Whether any rollout is open: asked by those who would rather not import what it takes."""
        return bool(self._connection.execute(IS_ROLLING_OUT).fetchone()[0])

    def last_tick(self) -> LastTick:
        """The last tick over all models."""
        return LastTick(*self._connection.execute(LAST_TICK).fetchone())

    def take_lease(self, holder: str, *, at: int, until: int) -> str | None:
        """Take the tick's lease, or keep it; returns who has it if that is somebody else.

        A lease of the future counts for nothing: then a clock was wrong.
        """
        values = {"holder": holder, "at": at, "until": until}
        if self._connection.execute(TAKE, values).fetchone():
            return None
        return str(self._connection.execute(HOLDER).fetchone()[0])

    def release_lease(self, holder: str) -> None:
        """Give the lease back, if it still is this holder's."""
        self._connection.execute(RELEASE, {"holder": holder})

    def ticked(self, *, at: int, actor: str) -> None:
        """Note that a tick over all models has come to its end."""
        self._connection.execute(TICKED, {"at": at, "actor": actor})


def _policy(model: ModelRow, row: tuple) -> Policy:  # type: ignore[type-arg]  # mixed columns
    with restored("policies", f"{row[0]} of {model.name}"):
        document = loads(row[1])
        if not isinstance(document, dict):
            raise TypeError("a policy is an object")
        return Policy(
            model_key=model.key,
            model=model.name,
            number=row[0],
            document=document,
            reason=row[2],
            actor=row[3],
            created_at=from_micros(row[4]),
        )


def _decision(row: tuple) -> Decision:  # type: ignore[type-arg]  # mixed columns
    with restored("decisions", row[0]):
        return Decision(
            number=row[0],
            time=from_micros(row[1]),
            model=row[2],
            what=row[3],
            object=row[4],
            outcome=row[5],
            why=row[6],
            findings=tuple(dict(finding) for finding in json.loads(row[7])),
            policy=row[8],
            revision=row[9],
            engine=row[10],
            actor=row[11],
        )
