"""What those who answer need to know of thresholds: when to hold them against the log."""

from __future__ import annotations

from typing import NamedTuple

from mlreg.store.engines import Connection

POLICY_NUMBER = "select coalesce(max(number), 0) from policies where model = :model"
MARK = """
    select e.upto, p.at from evaluations e left join predictions p on p.id = e.upto
    where e.model = :model
"""
CLAIM = """
    insert into evaluations (model, upto) values (:model, :upto)
    on conflict (model) do update set upto = excluded.upto where evaluations.upto = :was
    returning upto
"""
LIVE = """
    select count(*) from predictions
    where id > :after and id <= :upto and role = 0
        and version in (select key from versions where model = :model)
"""
# The failures behind the last answer that was none.
STREAK = """
    select count(*) from predictions
    where id <= :upto and version = :version and role = 0 and id > coalesce((
        select id from predictions
        where id > :after and id <= :upto and version = :version and role = 0 and status = 0
        order by id desc limit 1
    ), :after)
"""


class Mark(NamedTuple):
    """The last prediction of an evaluation, and when it was made; 0 before the first."""

    upto: int
    at: int


class Evaluations:
    """Reads and sets how far the thresholds of models were held against the log."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def policy_number(self, model_key: int) -> int:
        """The number of the policy in force; 0 if there is none."""
        found = self._connection.execute(POLICY_NUMBER, {"model": model_key}).fetchone()
        return int(found[0])

    def mark(self, model_key: int) -> Mark | None:
        """How far a model's thresholds were held against the log; None: never."""
        row = self._connection.execute(MARK, {"model": model_key}).fetchone()
        return Mark(row[0], row[1] or 0) if row else None

    def claim(self, model_key: int, was: int, upto: int) -> bool:
        """Set a model's mark; False where it is not any more what it was."""
        values = {"model": model_key, "was": was, "upto": upto}
        return self._connection.execute(CLAIM, values).fetchone() is not None

    def live(self, model_key: int, after: int, upto: int) -> int:
        """How many live predictions of a model lie between two ids, the second one included."""
        values = {"model": model_key, "after": after, "upto": upto}
        return int(self._connection.execute(LIVE, values).fetchone()[0])

    def streak(self, version_key: int, upto: int, *, farthest: int) -> int:
        """How many live predictions of a version failed in a row, the last one at an id."""
        values = {"version": version_key, "upto": upto, "after": upto - farthest}
        return int(self._connection.execute(STREAK, values).fetchone()[0])
