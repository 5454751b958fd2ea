"""Pairs: a live prediction and what a shadow answered to the same input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mlreg.entities.shadows import Meeting
from mlreg.store.engines import Connection

INSERT = "insert into pairs (live, version, shadow) values (?, ?, ?)"
LIVES = "select live from pairs where version = :version and live in (:each_id)"
AMONG = "select live, shadow from pairs where live in (:each_id)"
FAMILIES = """
    select live, shadow from pairs where live in (
        select live from pairs where shadow in (:each_id)
    )
"""
LOSE = """
    insert into shadow_losses (version, reason, number) values (:version, :reason, :number)
    on conflict (version, reason) do update set number = shadow_losses.number + excluded.number
"""
LOSSES = "select reason, number from shadow_losses where version = :version order by reason"
ASKED = """
    select v.key, count(*) filter (where s.arm_reason = 'shadow'), count(*) from pairs p
    join versions v on v.key = p.version
    join predictions s on s.id = p.shadow
    join predictions l on l.id = p.live
    where p.live >= :first and v.model = :model and l.at >= :since
    group by v.key order by v.key
"""
FOLLOWED = """
    select coalesce(sum(s.requests), 0) from summaries s
    join versions v on v.key = s.version
    join arms a on a.model = v.model and a.revision = s.revision
    where a.version = :version and a.role = 'shadow' and s.grain = 0 and s.role = 0
"""
FOLLOWED_SINCE = """
    select count(*) from predictions p
    join versions v on v.key = p.version
    join arms a on a.model = v.model and a.revision = p.revision
    where p.id >= :first and p.at >= :since and p.role = 0
        and a.version = :version and a.role = 'shadow'
"""
_PAIRED = """
    from pairs p
    join predictions l on l.id = p.live
    join predictions s on s.id = p.shadow
    left join feedback fl on fl.id = (
        select max(id) from feedback where prediction = p.live and name = 'label'
    )
    left join feedback fs on fs.id = (
        select max(id) from feedback where prediction = p.shadow and name = 'label'
    )
    where p.live >= :first and p.version = :shadow and l.version = :live
        and l.at >= :since and l.at < :until
"""
OPPONENTS = """
    select p.version, l.version, count(*) from pairs p
    join predictions l on l.id = p.live
    join versions v on v.key = p.version
    where p.live >= :first and v.model = :model and l.at >= :since and l.at < :until
    group by 1, 2 order by 1, 3 desc, 2
"""
MEETINGS = f"""
    select case when :by_answer = 1 then cast(l.output as text) end,
        case when :by_answer = 1 then cast(s.output as text) end,
        case when l.status = 0 then 0 else 1 end, case when s.status = 0 then 0 else 1 end,
        case when cast(l.output as text) = cast(s.output as text) then 1 else 0 end,
        fl.correct, fs.correct, count(*),
        count(*) filter (where s.arm_reason <> 'shadow'),
        count(l.confidence), coalesce(sum(l.confidence), 0),
        count(s.confidence), coalesce(sum(s.confidence), 0)
    {_PAIRED}
    group by 1, 2, 3, 4, 5, 6, 7
"""
LABELLED_NUMBERS = f"""
    select l.output, s.output, fl.label
    {_PAIRED} and l.status = 0 and s.status = 0 and fl.label is not null and fs.label is not null
"""
LATENCIES = f"""
    select l.latency_us, s.latency_us
    {_PAIRED} and l.status = 0 and s.status = 0 and l.is_call = 1 and s.is_call = 1
        and s.arm_reason = 'shadow'
    order by p.live desc limit :limit
"""
# By a lot that has nothing to do with what was answered: a sample that favoured one of the two
# would decide between them by how it was drawn.
DISAGREEMENTS = f"""
    select p.live, p.shadow, l.at, l.input, l.unit, l.output, s.output, l.confidence, s.confidence
    {_PAIRED} and fl.id is null and (l.status = 0 or s.status = 0)
        and (cast(l.output as text) <> cast(s.output as text) or l.status <> s.status)
    order by (p.live % 1000003) * 611953 % 1000003, p.live limit :limit
"""
_OF_OTHERS = """
    from predictions p
    join versions v on v.key = p.version
    where p.id > :after and p.id <= :upto and v.model = :model and p.version <> :version
        and p.role = 0 and p.at >= :since and p.at < :until
"""
KEPT = f"""
    select 1 {_OF_OTHERS} and cast(p.input as text) not like '"blake2b:________:%"'
    limit 1
"""
_UNASKED = "and not exists (select 1 from pairs where live = p.id and version = :version)"
UNASKED = f"""
    select p.id, p.revision, p.unit, p.segment, p.input {_OF_OTHERS} {_UNASKED}
    order by p.id limit :limit
"""
COUNT_UNASKED = f"select count(*) {_OF_OTHERS} {_UNASKED}"


class Sides(NamedTuple):
    """Which pairs: of a shadow with a live version, in a stretch of time, in microseconds.

    Attributes:
        first: An id at or before the first row of the stretch.
    """

    shadow: int
    live: int
    first: int
    since: int
    until: int


class Apart(NamedTuple):
    """A pair of answers (JSON) that differ; `live` and `shadow` are the predictions."""

    live: int
    shadow: int
    at: int
    input: str | None
    unit: str | None
    live_output: str | None
    shadow_output: str | None
    live_confidence: float | None
    shadow_confidence: float | None


class Unasked(NamedTuple):
    """A live prediction that a version was not asked about."""

    id: int
    revision: int
    unit: str | None
    segment: str | None
    input: str | None


class Stretch(NamedTuple):
    """Live predictions of a model that a version could be asked about.

    Attributes:
        after: The id behind which they begin; `upto` is the last one.
    """

    model: int
    version: int
    since: int
    until: int
    after: int
    upto: int


class Pairs:
    """Appends to and reads the pairs on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, rows: list[tuple[int, int, int]]) -> None:
        """Pair live predictions with those of a version: (live, version, shadow) of each."""
        self._connection.executemany(INSERT, rows)

    def asked(self, version: int, lives: list[int]) -> set[int]:
        """Those of some live predictions that a version was asked about."""
        rows = self._listed(LIVES, lives, version=version)
        return {row[0] for row in rows}

    def families(self, ids: list[int]) -> dict[int, tuple[int, ...]]:
        """For each prediction that is part of a pair, all others about the same input."""
        rows = {*self._listed(AMONG, ids), *self._listed(FAMILIES, ids)}
        members: dict[int, set[int]] = {}
        for live, shadow in rows:
            members.setdefault(live, {live}).add(shadow)
        return {one: tuple(sorted(family - {one})) for family in members.values() for one in family}

    def lose(self, version: int, reason: str, number: int) -> None:
        """Count inputs that a shadow was not asked."""
        self._connection.execute(LOSE, {"version": version, "reason": reason, "number": number})

    def losses(self, version: int) -> dict[str, int]:
        """How many inputs a shadow was not asked, by why."""
        return dict(self._connection.execute(LOSSES, {"version": version}).fetchall())

    def followed(self, version: int, *, first: int, since: int) -> int:
        """How many live predictions were made from some time on while a version was a shadow."""
        values = {"version": version}
        if since:
            values |= {"first": first, "since": since}
        sql = FOLLOWED_SINCE if since else FOLLOWED  # the summaries know all time at once
        return int(self._connection.execute(sql, values).fetchone()[0])

    def counts(self, model: int, *, first: int, since: int) -> dict[int, tuple[int, int]]:
        """How often each version was asked behind an answer of some time on, and in all."""
        values = {"model": model, "first": first, "since": since}
        rows = self._connection.execute(ASKED, values)
        return {version: (behind, whole) for version, behind, whole in rows}

    def opponents(self, model: int, *, first: int, since: int, until: int) -> list[Sides]:
        """Which versions were asked the same inputs as which."""
        values = {"model": model, "first": first, "since": since, "until": until}
        rows = self._connection.execute(OPPONENTS, values)
        return [Sides(shadow, live, first, since, until) for shadow, live, _ in rows]

    def meetings(self, sides: Sides, *, by_answer: bool) -> list[Meeting]:
        """How often which outcomes met."""
        values = {**sides._asdict(), "by_answer": int(by_answer)}
        return [Meeting(*row) for row in self._connection.execute(MEETINGS, values)]

    def numbers(self, sides: Sides) -> Iterator[tuple[float, float, float]]:
        """Live answer, shadow's answer and label of each pair that has a label."""
        for row in self._connection.execute(LABELLED_NUMBERS, sides._asdict()):
            values = [json.loads(text) for text in row]
            if all(isinstance(value, int | float) for value in values):
                yield float(values[0]), float(values[1]), float(values[2])

    def latencies(self, sides: Sides, *, limit: int) -> list[tuple[int, int]]:
        """Latencies of the newest pairs that were asked alike, in microseconds."""
        values = {**sides._asdict(), "limit": limit}
        return self._connection.execute(LATENCIES, values).fetchall()

    def disagreements(self, sides: Sides, *, limit: int) -> list[Apart]:
        """Pairs without a label whose answers differ, by lot."""
        values = {**sides._asdict(), "limit": limit}
        return [Apart(*row) for row in self._connection.execute(DISAGREEMENTS, values)]

    def unasked(self, stretch: Stretch, *, limit: int) -> list[Unasked]:
        """The first live predictions that a version was not asked about."""
        values = {**stretch._asdict(), "limit": limit}
        return [Unasked(*row) for row in self._connection.execute(UNASKED, values)]

    def keeps_any(self, stretch: Stretch) -> bool:
        """Whether the log has an input in it at all, asked already or not."""
        return self._connection.execute(KEPT, stretch._asdict()).fetchone() is not None

    def count_unasked(self, stretch: Stretch) -> int:
        """How many those are."""
        return int(self._connection.execute(COUNT_UNASKED, stretch._asdict()).fetchone()[0])

    def _listed(self, sql: str, ids: list[int], **values: object) -> list[tuple]:  # type: ignore[type-arg]  # mixed columns
        query = sql.replace(":each_id", self._connection.each_of("ids"))
        found: Mapping[str, object] = {"ids": self._connection.listed(ids), **values}
        return self._connection.execute(query, found).fetchall()
