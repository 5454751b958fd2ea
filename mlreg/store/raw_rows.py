"""Rows as they are stored, unread: for checks of what may be damaged, and for putting it right.

Names of tables and columns are constants of the package; values are always bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlreg.store.engines import Connection

Row = dict[str, Any]

MODELS = "select key, name, name_key, salt, next_turn from models order by key"
VERSIONS = """
    select v.key, v.model, m.name, v.model_id, v.version, v.precedence, v.description,
        p.version as parent, v.flavor, v.digest, v.size_bytes, v.signature, v.trusted, v.external,
        v.created_at, v.created_by, v.archived_at, v.deleted_at
    from versions v left join models m on m.key = v.model left join versions p on p.key = v.parent
    order by v.key
"""
METRICS = "select name, value from version_metrics where version = :version order by name"
METADATA = "select name, value from version_metadata where version = :version order by name"
TAGS = "select tag from version_tags where version = :version order by tag"
ALIASES = """
    select a.model, m.name, a.alias, a.version as key, v.version, v.model as owner, v.deleted_at
    from aliases a left join models m on m.key = a.model left join versions v on v.key = a.version
    order by a.model, a.alias
"""
REVISIONS = """
    select r.model, m.name, r.number, r.previous, r.strategy, r.cause, r.reason, r.actor,
        r.evidence, r.created_at, r.salt, f.experiment
    from revisions r left join models m on m.key = r.model
    left join experiment_phases f on f.model = r.model and f.revision = r.number
    order by r.model, r.number
"""
ARMS = """
    select a.version as key, v.model_id, v.version, v.model, a.weight, a.role from arms a
    left join versions v on v.key = a.version
    where a.model = :model and a.revision = :revision order by v.model_id
"""
ARMS_WITHOUT_REVISION = """
    select distinct m.name, a.revision from arms a left join models m on m.key = a.model
    where not exists (select 1 from revisions r where r.model = a.model and r.number = a.revision)
"""
EXPERIMENTS = """
    select e.key, e.test_id, e.id_key, e.model, m.name, e.state, e.design, e.fingerprint, e.salt,
        e.created_at, e.created_by, e.started_at, e.ended_at, e.revision_before, e.verdict,
        e.winner, e.predictions_from, e.predictions_upto, e.feedback_upto, e.ripe_upto, e.cuts,
        e.label_window, e.label_window_fixed
    from experiments e left join models m on m.key = e.model order by e.key
"""
RUNNING = """
    select model, 'experiment' as kind, test_id as id, revision_before from experiments
    where state = 'running'
    union all
    select model, 'rollout' as kind, rollout_id as id, revision_before from rollouts r
    where state not in ('completed', 'aborted') and not exists (
        select 1 from experiments e where e.model = r.model and e.state = 'running'
    )
"""
HOLDS = "select model, kind, id, revision_before from holds"
PHASES = "select revision from experiment_phases where experiment = :experiment order by revision"
EXPERIMENT_ARMS = """
    select a.place, v.model_id from experiment_arms a left join versions v on v.key = a.version
    where a.experiment = :experiment order by a.place
"""
TURNS = """
    select count(*) from predictions p join versions v on v.key = p.version
    where v.model = :model and p.arm_reason = 'round-robin'
"""
VERSION_KEY = "select key from versions where model_id = :model_id"
PHASE_SALT = """
    select e.salt from experiment_phases f join experiments e on e.key = f.experiment
    where f.model = :model and f.revision = :revision
"""


def rows(connection: Connection, query: str, **values: object) -> Iterator[Row]:
    """What a query finds, each row by the names of its columns."""
    cursor = connection.execute(query, values)
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def one(connection: Connection, query: str, **values: object) -> Any:
    """The only value that a query finds, or None."""
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None


def update(
    connection: Connection, table: str, where: Mapping[str, object], values: Mapping[str, object]
) -> None:
    """Set columns of one row."""
    assigned = ", ".join(f"{column} = :new_{column}" for column in values)
    bound = {**{f"new_{column}": value for column, value in values.items()}, **where}
    connection.execute(f"update {table} set {assigned} where {_matching(where)}", bound)  # noqa: S608  # see the module


def delete(connection: Connection, table: str, where: Mapping[str, object]) -> None:
    """Remove rows."""
    connection.execute(f"delete from {table} where {_matching(where)}", where)  # noqa: S608  # see the module


def insert(connection: Connection, table: str, values: Mapping[str, object]) -> None:
    """Add a row."""
    places = ", ".join(f":{column}" for column in values)
    connection.execute(f"insert into {table} ({', '.join(values)}) values ({places})", values)  # noqa: S608  # see the module


def _matching(where: Mapping[str, object]) -> str:
    return " and ".join(f"{column} = :{column}" for column in where)
