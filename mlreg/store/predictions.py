"""The prediction log: append-only, ordered by its key."""

from __future__ import annotations

import json
from typing import NamedTuple

from mlreg.clock import from_micros
from mlreg.entities.predictions import PREDICTION_STATUSES, ROLES, LoggedPrediction
from mlreg.store.engines import Connection
from mlreg.store.rows import restored
from mlreg.tallies import Tally, deviation

INSERT = """
    insert into predictions (at, version, revision, role, arm_reason, unit, segment, input, output,
        confidence, latency_us, status, error, cost, is_call)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_REQUEST = """
    insert into requests (model, request_id, prediction, input_digest) values (?, ?, ?, ?)
"""
BY_REQUEST = """
    select prediction, input_digest from requests where model = :model and request_id = :request_id
"""
ROW = """
    select p.id, p.at, m.name, v.version, v.model_id, p.revision, p.role, p.status, p.input,
        p.output, p.confidence,
        case when p.is_call = 1 or p.latency_us <> 0 then p.latency_us end,
        p.unit, p.segment, p.cost, p.arm_reason, p.error, f.label, f.correct
    from predictions p
    join versions v on v.key = p.version
    join models m on m.key = v.model
    left join feedback f on f.id = (
        select max(id) from feedback where prediction = p.id and name = 'label'
    )
"""
REQUEST_OF = "select request_id from requests where prediction = :id"
BY_ID = ROW + " where p.id = :id"
FILTER = """
    where p.id > :after
        and (cast(:model as bigint) is null or v.model = :model)
        and (cast(:version as bigint) is null or p.version = :version)
        and (:errors = 0 or p.status <> 0)
        and (cast(:since as bigint) is null or p.at >= :since)
        and (cast(:until as bigint) is null or p.at < :until)
        and (cast(:unit as text) is null or p.unit = :unit)
"""
NEWEST = ROW + FILTER + " order by p.id desc limit :limit"
FOLLOWING = ROW + FILTER + " order by p.id limit :limit"
LAST_ID = "select coalesce(max(id), 0) from predictions"
TIME_FROM = "select id, at from predictions where id >= :id order by id limit 1"
FIRST_BEYOND = "select min(id) from predictions where id >= :first and at > :than"
NTH_NEWEST = """
    select min(id) from (
        select id from predictions
        where id > :after and version = :version and role = 0 and at < :until
        order by id desc limit :count
    ) newest
"""
LAST_STATUSES = """
    select status from predictions
    where version = :version and role = 0 and at >= :since and id > :after
    order by id desc limit :limit
"""
ANSWERED_INPUT = """
    select input from predictions
    where id > :after and id <= :upto and version = :version and status = 0
        and input is not null
    order by id desc limit 1
"""
OUTPUTS = """
    select id, output, status, version from predictions
    where id in (:each_id)
"""
KINDS = """
    select key, signature ->> 'output' from versions
    where signature ->> 'output' = 'number' or json_array_length(signature -> 'classes') > 0
"""
BY_SEGMENT = """
    select p.version, p.segment ->> :key, count(*), count(*) filter (where p.status <> 0),
        count(f.id), count(f.correct), coalesce(sum(f.correct), 0)
    from predictions p
    join versions v on v.key = p.version
    left join feedback f on f.id = (
        select max(id) from feedback where prediction = p.id and name = 'label'
    )
    where p.id >= :first and v.model = :model and p.role = 0 and p.at >= :since and p.at < :until
    group by 1, 2
"""

# The numbers among them that have a label.
OFF_BY_SEGMENT = """
    select p.version, p.segment ->> :key, p.output, f.label
    from predictions p
    join versions v on v.key = p.version
    join feedback f on f.id = (
        select max(id) from feedback where prediction = p.id and name = 'label'
    )
    where p.id >= :first and v.model = :model and p.role = 0 and p.at >= :since and p.at < :until
        and p.status = 0 and f.correct is null and f.label is not null
"""

# A clock may lag the commit order by a moment; a window looks this far beyond its edge, in µs.
DISORDER = 5_000_000


class Entry(NamedTuple):
    """A row to append, in the order of the columns.

    Attributes:
        latency_us: Of a batch, its share; 0 with `is_call=False` where nobody measured it.
        is_call: False where the row's latency is that of the row before, or is not known.
    """

    at: int
    version: int
    revision: int
    role: int
    arm_reason: str
    unit: str | None
    segment: str | None
    input: str | None
    output: str | None
    confidence: float | None
    latency_us: int
    status: int
    error: str | None
    cost: float | None
    is_call: bool = True


class Outcome(NamedTuple):
    """An answer (JSON), its status, and its version with what that gives: a kind, or not known."""

    output: str | None
    status: int
    kind: str | None
    version: int


class SegmentPlace(NamedTuple):
    """A version, and the value of a segment key."""

    version: int
    segment: str | None


class Predictions:
    """Appends to and reads the log on one connection.

    Attributes:
        added: How many rows it has ever added, those that were rolled back included.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.added = 0

    def append(self, entry: Entry) -> int:
        """Add one row; returns its id."""
        found = self._connection.append(INSERT, entry)
        self.added += 1
        return found

    def append_many(self, entries: list[Entry]) -> range:
        """Add rows; returns their ids, which are consecutive under the write lock."""
        self.added += len(entries)
        return self._connection.append_many(INSERT, entries)

    def remember_request(
        self, model_key: int, request_id: str, prediction: int, digest: str
    ) -> None:
        """Bind a request id to its prediction."""
        self._connection.execute(INSERT_REQUEST, (model_key, request_id, prediction, digest))

    def find_request(self, model_key: int, request_id: str) -> tuple[int, str] | None:
        """The prediction and the input's digest behind a request id, or None."""
        values = {"model": model_key, "request_id": request_id}
        row = self._connection.execute(BY_REQUEST, values).fetchone()
        return (row[0], row[1]) if row else None

    def request_of(self, prediction_id: int) -> str | None:
        """The request id that a prediction came with, or None."""
        row = self._connection.execute(REQUEST_OF, {"id": prediction_id}).fetchone()
        return row[0] if row else None

    def find(self, prediction_id: int) -> LoggedPrediction | None:
        """The row of this id, or None."""
        row = self._connection.execute(BY_ID, {"id": prediction_id}).fetchone()
        return _from_row(row) if row else None

    def newest(
        self,
        *,
        limit: int,
        model_key: int | None = None,
        version_key: int | None = None,
        errors: bool = False,
        since: int | None = None,
        until: int | None = None,
        unit: str | None = None,
        after: int | None = None,
    ) -> list[LoggedPrediction]:
        """The last rows that match, the oldest of them first; with `after`, the next ones."""
        values = {
            "model": model_key,
            "version": version_key,
            "errors": int(errors),
            "since": since,
            "until": until,
            "unit": unit,
            "after": after if after is not None else self.first_id(since) - 1 if since else 0,
            "limit": limit,
        }
        if after is not None:
            return [_from_row(row) for row in self._connection.execute(FOLLOWING, values)]
        rows = self._connection.execute(NEWEST, values).fetchall()
        return [_from_row(row) for row in reversed(rows)]

    def last_id(self) -> int:
        """The newest id; 0 if the log is empty."""
        return int(self._connection.execute(LAST_ID).fetchone()[0])

    def first_id(self, since: int) -> int:
        """An id at or before the first row of a time, found by bisecting the key."""
        low, high = 1, self.last_id() + 1
        while low < high:
            middle = (low + high) // 2
            row = self._connection.execute(TIME_FROM, {"id": middle}).fetchone()
            if row is None or row[1] >= since - DISORDER:
                high = middle
            else:
                low = row[0] + 1
        return low

    def last_older(self, than: int) -> int:
        """The id up to which all rows are at least as old as this time; 0 if none are."""
        values = {"first": self.first_id(than), "than": than}
        beyond = self._connection.execute(FIRST_BEYOND, values).fetchone()[0]
        return self.last_id() if beyond is None else int(beyond) - 1

    def nth_newest(self, version: int, count: int, *, until: int, farthest: int) -> int:
        """The id of the last live prediction but `count - 1` of a version before a time.

        No more than the last `farthest` rows of the log are looked through: where they hold fewer,
        it is the first of these, and where they hold none, an id above all.
        """
        last = self.last_id()
        values = {"after": last - farthest, "version": version, "until": until, "count": count}
        row = self._connection.execute(NTH_NEWEST, values).fetchone()
        return int(row[0] or last + 1)

    def failures_in_a_row(self, version: int, *, since: int, farthest: int, most: int) -> int:
        """How many of the last live predictions of a version failed, up to the last that did not.

        Args:
            version: Its key.
            since: Those before do not count.
            farthest: How many rows of the log are looked through.
            most: After so many it counts no further.
        """
        values = {"version": version, "since": since, "limit": most}
        values["after"] = self.last_id() - farthest
        count = 0
        for (status,) in self._connection.execute(LAST_STATUSES, values):
            if status == 0:
                break
            count += 1
        return count

    def answered_input(self, version: int, *, upto: int, farthest: int) -> object:
        """The last input that a version answered, of so many rows of the log up to one; or None."""
        values = {"version": version, "upto": upto, "after": upto - farthest}
        row = self._connection.execute(ANSWERED_INPUT, values).fetchone()
        return _loaded(row[0]) if row else None

    def outputs(self, ids: list[int]) -> dict[int, Outcome]:
        """What was answered, by id, for those of the ids that exist."""
        kinds = dict(self._connection.execute(KINDS).fetchall())
        query = OUTPUTS.replace(":each_id", self._connection.each_of("ids"))
        rows = self._connection.execute(query, {"ids": self._connection.listed(ids)})
        return {row[0]: Outcome(row[1], row[2], kinds.get(row[3]), row[3]) for row in rows}

    def by_segment(
        self, model_key: int, key: str, *, since: int, until: int
    ) -> dict[SegmentPlace, Tally]:
        """What is known of live predictions by a segment key; reads the rows of the window.

        Counts alone, and how far numbers are off; not their latencies.
        """
        values = {
            "model": model_key,
            "key": self._connection.label(key),
            "first": self.first_id(since),
            "since": since,
            "until": until,
        }
        found: dict[SegmentPlace, Tally] = {}
        for version, segment, *counts in self._connection.execute(BY_SEGMENT, values):
            requests, errors, labelled, judged, correct = counts
            found[SegmentPlace(version, segment)] = tally = Tally(requests=requests, errors=errors)
            tally.judge(labelled=labelled, judged=judged, correct=correct)
        if all(tally.labelled == tally.judged for tally in found.values()):
            return found  # no label is beside a number
        for version, segment, output, label in self._connection.execute(OFF_BY_SEGMENT, values):
            error = deviation(output, label)
            if error is not None:
                found[SegmentPlace(version, segment)].deviate(error, 1)
        return found


def _from_row(row: tuple) -> LoggedPrediction:  # type: ignore[type-arg]  # mixed columns
    with restored("predictions", row[0]):
        return LoggedPrediction(
            prediction_id=row[0],
            time=from_micros(row[1]),
            model=row[2],
            model_version=row[3],
            model_id=row[4],
            revision=row[5],
            role=ROLES[row[6]],
            status=PREDICTION_STATUSES[row[7]],
            input=_loaded(row[8]),
            prediction=_loaded(row[9]),
            confidence=row[10],
            latency_ms=None if row[11] is None else row[11] / 1000,
            unit=row[12],
            segment=json.loads(row[13]) if row[13] else {},
            cost=row[14],
            arm_reason=row[15],
            error=row[16],
            label=_loaded(row[17]),
            correct=None if row[18] is None else bool(row[18]),
        )


def _loaded(text: str | None):  # type: ignore[no-untyped-def]  # whatever JSON was stored
    return None if text is None else json.loads(text)
