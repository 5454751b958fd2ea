"""Feedback: an append-only trail in which the newest row of a prediction and name counts."""

from __future__ import annotations

from typing import NamedTuple

from mlreg.store.engines import Connection

INSERT = """
    insert into feedback (at, prediction, name, label, correct, value, actor)
    values (?, ?, ?, ?, ?, ?, ?)
"""
NEWEST = """
    select f.prediction, f.name, f.label, f.correct, f.value from feedback f
    join (
        select max(id) as id from feedback
        where prediction in (:each_id) group by prediction, name
    ) newest on newest.id = f.id
"""
TRAIL = """
    select at, name, label, correct, value, actor from feedback
    where prediction = :prediction order by id
"""

# Of the first predictions of versions in a time, which are the oldest: when the first word came.
DELAYS = """
    select p.at, (select min(at) from feedback where prediction = p.id)
    from predictions p
    where p.id >= :first and p.at < :until and p.role = 0 and p.version in (:each_version)
    order by p.id limit :among
"""
DELAYS_AMONG = 2_000


class FeedbackRow(NamedTuple):
    """A row to append, in the order of the columns."""

    at: int
    prediction: int
    name: str
    label: str | None
    correct: int | None
    value: float | None
    actor: str

    @property
    def content(self) -> tuple[str | None, int | None, float | None]:
        """What the row says; two rows that say the same are duplicates."""
        return self.label, self.correct, self.value


class FeedbackTrail:
    """Appends to and reads the trail on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, rows: list[FeedbackRow]) -> None:
        """Add rows in order."""
        self._connection.executemany(INSERT, rows)

    def newest(
        self, predictions: list[int]
    ) -> dict[tuple[int, str], tuple[str | None, int | None, float | None]]:
        """What counts now, by prediction and name."""
        query = NEWEST.replace(":each_id", self._connection.each_of("ids"))
        rows = self._connection.execute(query, {"ids": self._connection.listed(predictions)})
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}

    def trail(self, prediction: int) -> list[FeedbackRow]:
        """All that was ever said about a prediction, in order."""
        rows = self._connection.execute(TRAIL, {"prediction": prediction})
        return [FeedbackRow(row[0], prediction, *row[1:]) for row in rows]

    def delays(
        self, versions: list[int], *, first: int, until: int
    ) -> list[tuple[int, int | None]]:
        """Of the first live predictions from an id on their time, and when feedback came first."""
        query = DELAYS.replace(":each_version", self._connection.each_of("versions"))
        values = {"first": first, "until": until, "among": DELAYS_AMONG}
        versions_listed = {"versions": self._connection.listed(versions)}
        return self._connection.execute(query, values | versions_listed).fetchall()
