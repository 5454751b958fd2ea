"""What a row of the log or of the feedback can never be, asked of all of them piece by piece."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import DAY
from mlreg.store.engines import Connection, Cursor
from mlreg.store.folds import piece_end
from mlreg.store.predictions import DISORDER
from mlreg.tallies import LARGEST_MEASURE

if TYPE_CHECKING:
    from mlreg.store.store import Store

_PIECE = 20_000
_YEAR = 365 * DAY
LATEST = 230 * _YEAR  # about the year 2200

# Ids are given in the order of the commits and never left out: a gap was a row.
GAPS = """
    select before, id from (
        select id, coalesce(lag(id) over (order by id), :after) as before from :table
        where id > :after and id <= :upto
    ) found where id > before + 1
"""
END = "select coalesce(max(id), 0) from :table"
# How these tell what they ask of columns of JSON, which is each engine's own.
_JSON = re.compile(r":(is_json|is_object|same_json)\(([^)]+)\)")
PREDICTIONS = f"""
    select id, problem from (select p.id, case
        when v.key is null then 'its version does not exist'
        when p.role = 0 and not exists (
            select 1 from arms a where a.model = v.model and a.revision = p.revision
                and a.version = p.version and a.role = 'live'
        ) then 'its version had no traffic in revision ' || p.revision
        when p.revision <> 0 and not exists (
            select 1 from revisions r where r.model = v.model and r.number = p.revision
        ) then 'there is no revision ' || p.revision
        when p.at not between 0 and {LATEST} then 'its time is out of range'
        when p.latency_us < 0 then 'its latency is negative'
        when p.confidence not between 0 and 1 then 'its confidence is ' || p.confidence
        when abs(p.cost) > {LARGEST_MEASURE} then 'its cost is ' || p.cost
        when not :is_json(p.output) then 'its output is no JSON'
        when not :is_json(p.input) then 'its input is no JSON'
        when not :is_json(p.segment) then 'its segment is no JSON'
        when not :is_object(p.segment) then 'its segment is no object'
    end as problem
    from predictions p left join versions v on v.key = p.version
    where p.id > :after and p.id <= :upto) found where problem is not null
"""  # noqa: S608  # numbers of this package
FEEDBACK = f"""
    select id, problem from (select f.id, case
        when p.id is null then 'prediction ' || f.prediction || ' does not exist'
        when f.at not between 0 and {LATEST} then 'its time is out of range'
        when not :is_json(f.label) then 'its label is no JSON'
        when abs(f.value) > {LARGEST_MEASURE} then 'its value is ' || f.value
    end as problem
    from feedback f left join predictions p on p.id = f.prediction
    where f.id > :after and f.id <= :upto) found where problem is not null
"""  # noqa: S608  # numbers of this package
# Windows are found by bisecting the key, so the clock must not have gone back far.
DISORDERED = f"""
    select id, 'was logged before an earlier one: the clock was set back, or the time changed'
    from (
        select id, at, lag(at) over (order by id) as before from predictions
        where id >= :after and id <= :upto
    ) found where at < before - {DISORDER}
"""  # noqa: S608  # a number of this package
# A judgement may be given together with a label that says otherwise, but seldom is.
CONTRADICTED = """
    select f.id, 'its judgement of prediction ' || p.id || ' is not what label and answer give'
    from feedback f join predictions p on p.id = f.prediction
    where f.id > :after and f.id <= :upto and f.name = 'label' and f.correct is not null
        and p.status = 0 and :is_json(f.label) and :is_json(p.output)
        and (f.correct = 1) <> :same_json(f.label, p.output)
"""
REQUESTS = """
    select r.request_id from requests r
    left join predictions p on p.id = r.prediction left join versions v on v.key = p.version
    where v.model is null or v.model <> r.model limit :limit
"""


class Odd(NamedTuple):
    """A row that cannot be, or one that is unlikely."""

    table: str
    row: int
    problem: str
    is_possible: bool = False


_QUESTIONS = {
    "predictions": ((PREDICTIONS, False), (DISORDERED, True)),
    "feedback": ((FEEDBACK, False), (CONTRADICTED, True)),
}


def examine(store: Store, table: str) -> Iterator[tuple[int, list[Odd]]]:
    """Read a table in pieces; yields of each how many rows it has, and the odd ones."""
    after = 0
    while True:
        with store.read() as tx:
            ask = _Asking(tx.connection, table)
            upto = piece_end(tx.connection, table, after, _PIECE)
            if upto is None:
                yield 0, ask.cut_off(after)
                return
            window = {"after": after, "upto": upto}
            odd = [
                Odd(table, row, problem, is_possible)
                for query, is_possible in _QUESTIONS[table]
                for row, problem in ask.all(query, **window)
            ]
            odd += [_gap(table, first + 1, last - 1) for first, last in ask.all(GAPS, **window)]
        yield upto - after, odd
        after = upto


def lost_requests(store: Store, limit: int) -> list[str]:
    """Request ids whose prediction is another model's or not there."""
    with store.read() as tx:
        return [row[0] for row in tx.connection.execute(REQUESTS, {"limit": limit})]


class _Asking:
    """Questions about one table."""

    def __init__(self, connection: Connection, table: str) -> None:
        self._connection = connection
        self._table = table

    def all(self, query: str, **values: int) -> Cursor:
        query = query.replace(":table", self._table)
        return self._connection.execute(_JSON.sub(self._said_of, query), values)

    def _said_of(self, said: re.Match[str]) -> str:
        condition: str = getattr(self._connection, said[1])(*said[2].split(", "))
        return condition

    def one(self, query: str, **values: int) -> tuple:  # type: ignore[type-arg]  # mixed columns
        row: tuple = self.all(query, **values).fetchone()  # type: ignore[type-arg]  # mixed columns
        return row

    def cut_off(self, reached: int) -> list[Odd]:
        """Rows that were there behind the last one, by the counter of the table."""
        last, counter = self.one(END)[0], self._connection.counter(self._table)
        if counter > last >= reached:
            return [_gap(self._table, last + 1, counter)]
        if counter < last:
            return [Odd(self._table, last, f"the counter of ids stands at {counter} only")]
        return []


def _gap(table: str, first: int, last: int) -> Odd:
    what = "is missing" if first == last else f"and all up to {last} are missing"
    return Odd(table, first, what)
