"""Rollouts and their steps."""

from __future__ import annotations

import json
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from mlreg.clock import from_micros, to_micros
from mlreg.entities.rollouts import Plan, Rollout, Stage, Streak
from mlreg.errors import NotFound
from mlreg.jsonable import canonical, restore
from mlreg.names import safe
from mlreg.store.engines import Connection
from mlreg.store.rows import restored

SELECT = """
    select r.key, r.rollout_id, r.model, m.name, r.version, v.version, r.baseline, b.version,
        r.plan, r.state, r.paused_from, r.attempt, r.revision_before, r.approved, r.failures,
        r.evaluated_at, r.held_at, r.step_at, r.started_at, r.started_by, r.ended_at, r.reason
    from rollouts r join models m on m.key = r.model
    join versions v on v.key = r.version join versions b on b.key = r.baseline
"""
BY_ID = SELECT + " where r.rollout_id = :rollout_id"
OPEN = (
    SELECT
    + """
    where r.state not in ('completed', 'aborted')
        and (cast(:model as bigint) is null or r.model = :model)
    order by r.key
"""
)
NEWEST = (
    SELECT
    + """
    where (cast(:model as bigint) is null or r.model = :model)
    order by r.key desc limit :limit
"""
)
COUNT = "select count(*) from rollouts where model = :model"
STAGES = """
    select s.weight, s.revision, s.started_at from rollout_stages s
    where s.rollout = :rollout and s.attempt = :attempt order by s.place
"""
INSERT = """
    insert into rollouts (rollout_id, model, version, baseline, plan, state, paused_from, attempt,
        revision_before, approved, failures, evaluated_at, held_at, step_at, started_at,
        started_by, ended_at, reason)
    values (:rollout_id, :model, :version, :baseline, :plan, :state, :paused_from, :attempt,
        :revision_before, :approved, :failures, :evaluated_at, :held_at, :step_at, :started_at,
        :started_by, :ended_at, :reason)
    returning key
"""
UPDATE = """
    update rollouts set state = :state, paused_from = :paused_from, attempt = :attempt,
        baseline = :baseline, revision_before = :revision_before, approved = :approved,
        failures = :failures, evaluated_at = :evaluated_at, held_at = :held_at,
        step_at = :step_at, ended_at = :ended_at, reason = :reason
    where key = :key
"""
INSERT_STAGE = """
    insert into rollout_stages (rollout, attempt, place, model, revision, weight, started_at)
    values (:rollout, :attempt, :place, :model, :revision, :weight, :started_at)
"""
LOGGED = """
    select p.at, p.status, p.latency_us, f.correct, f.at from predictions p
    left join feedback f on f.id = (
        select max(l.id) from feedback l where l.prediction = p.id and l.name = 'label'
    )
    where p.id >= :first and p.at >= :since and p.at < :until and p.role = 0
        and p.version in (select key from versions where model = :model)
    order by p.id desc limit :limit
"""

ALL = 2**63 - 1


class Logged(NamedTuple):
    """A live prediction, as far as a simulation needs it; times in microseconds.

    Attributes:
        correct: 1, 0, or None where nobody said.
        told_at: When it was said.
    """

    at: int
    status: int
    latency_us: int
    correct: int | None
    told_at: int | None


class Rollouts:
    """Reads and writes rollouts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, rollout_id: str) -> Rollout:
        """The rollout of this id.

        Raises:
            NotFound: There is none.
        """
        row = None
        if rollout_id.isprintable():  # no id is otherwise, and SQLite takes no lone surrogate
            row = self._connection.execute(BY_ID, {"rollout_id": rollout_id}).fetchone()
        if row is None:
            raise NotFound(
                f"there is no rollout {safe(rollout_id)}", hint="see: mlreg rollout list"
            )
        return self._from_row(row)

    def open(self, model_key: int | None = None) -> list[Rollout]:
        """Those that have not ended, the oldest first."""
        rows = self._connection.execute(OPEN, {"model": model_key}).fetchall()
        return [self._from_row(row) for row in rows]

    def newest(self, model_key: int | None = None, *, limit: int = ALL) -> list[Rollout]:
        """Rollouts, the newest first."""
        values = {"model": model_key, "limit": limit}
        rows = self._connection.execute(NEWEST, values).fetchall()
        return [self._from_row(row) for row in rows]

    def count(self, model_key: int) -> int:
        """How many rollouts a model has had."""
        return int(self._connection.execute(COUNT, {"model": model_key}).fetchone()[0])

    def logged(
        self, model_key: int, *, first: int, since: int, until: int, limit: int
    ) -> list[Logged]:
        """The newest live predictions of a model from an id on, in the order of their times."""
        values = {"model": model_key, "first": first, "since": since, "until": until}
        rows = self._connection.execute(LOGGED, {**values, "limit": limit})
        return sorted((Logged(*row) for row in rows.fetchall()), key=itemgetter(0))

    def insert(self, rollout: Rollout) -> int:
        """Add a rollout; returns its key."""
        values = {
            **_state(rollout),
            "rollout_id": rollout.rollout_id,
            "model": rollout.model_key,
            "version": rollout.version_key,
            "plan": canonical(rollout.plan),
            "started_at": to_micros(rollout.started_at),
            "started_by": rollout.started_by,
        }
        return int(self._connection.execute(INSERT, values).fetchone()[0])

    def update(self, rollout: Rollout) -> None:
        """Write the state of a rollout."""
        self._connection.execute(UPDATE, {**_state(rollout), "key": rollout.key})

    def add_stage(self, rollout: Rollout, revision: int) -> None:
        """Make a revision the step of a rollout that it has just entered."""
        self._connection.execute(
            INSERT_STAGE,
            {
                "rollout": rollout.key,
                "attempt": rollout.attempt,
                "place": rollout.step,
                "model": rollout.model_key,
                "revision": revision,
                "weight": round(rollout.traffic_percent * 100),
                "started_at": to_micros(rollout.step_at),
            },
        )

    def _from_row(self, row: tuple) -> Rollout:  # type: ignore[type-arg]  # mixed columns
        values = {"rollout": row[0], "attempt": row[11]}
        stages = self._connection.execute(STAGES, values).fetchall()
        with restored("rollouts", row[0]):
            return Rollout(
                key=row[0],
                rollout_id=row[1],
                model_key=row[2],
                model=row[3],
                version_key=row[4],
                version=row[5],
                baseline_key=row[6],
                baseline=row[7],
                plan=restore(Plan, json.loads(row[8])),
                state=row[9],
                paused_from=row[10],
                attempt=row[11],
                revision_before=row[12],
                stages=tuple(_stages(stages, row[9])),
                approved=tuple(map(float, json.loads(row[13]))),
                failures={name: Streak(*pair) for name, pair in json.loads(row[14]).items()},
                evaluated_at=None if row[15] is None else from_micros(row[15]),
                held_at=None if row[16] is None else from_micros(row[16]),
                step_at=from_micros(row[17]),
                started_at=from_micros(row[18]),
                started_by=row[19],
                ended_at=None if row[20] is None else from_micros(row[20]),
                reason=row[21],
            )


def _stages(rows: list[tuple[int, int, int]], state: str) -> Iterable[Stage]:
    """The steps; each passed that another one follows."""
    last = {"completed": "pass", "aborted": "fail"}.get(state, "running")
    for place, (weight, revision, at) in enumerate(rows, 1):
        yield Stage(
            traffic_percent=weight / 100,
            revision=revision,
            started_at=from_micros(at),
            verdict=last if place == len(rows) else "pass",  # type: ignore[arg-type]  # one of them
        )


def _state(rollout: Rollout) -> dict[str, object]:
    def micros(at: object) -> int | None:
        return None if at is None else to_micros(at)  # type: ignore[arg-type]  # a time

    return {
        "state": rollout.state,
        "paused_from": rollout.paused_from,
        "attempt": rollout.attempt,
        "baseline": rollout.baseline_key,
        "revision_before": rollout.revision_before,
        "approved": canonical(rollout.approved),
        "failures": canonical({name: tuple(row) for name, row in rollout.failures.items()}),
        "evaluated_at": micros(rollout.evaluated_at),
        "held_at": micros(rollout.held_at),
        "step_at": to_micros(rollout.step_at),
        "ended_at": micros(rollout.ended_at),
        "reason": rollout.reason,
    }
