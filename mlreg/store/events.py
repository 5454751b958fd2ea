"""The audit trail: appended in the transaction of the change, chained by hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mlreg.clock import from_micros, isoformat
from mlreg.entities.audit import Event
from mlreg.errors import StoreDamaged
from mlreg.jsonable import canonical, jsonable
from mlreg.store.engines import Connection
from mlreg.store.rows import restored

GENESIS = "0" * 64

SELECT = """
    select e.seq, e.at, e.actor, e.action, e.object, m.name, e.reason, e.before, e.after, e.hash
    from events e left join models m on m.key = e.model
"""
CHAIN = SELECT.replace("e.hash", "e.hash, e.model") + " order by e.seq"
FILTERED = (
    SELECT
    + """
    where (cast(:model as bigint) is null or e.model = :model)
        and (cast(:since as bigint) is null or e.at >= :since)
    order by e.seq
"""
)
NEWEST = SELECT + " where e.action = :action and e.model = :model order by e.seq desc limit 1"
AFTER = SELECT + " where e.seq > :after order by e.seq limit :limit"
LAST = "select seq, hash from events order by seq desc limit 1"
# The chain shows what was changed in it, but not that its end was cut off: these rows do.
UNRECORDED = """
    select m.name || ' revision ' || left_over.number from (
        select model, number from revisions
        except
        select model, cast(after ->> 'revision' as bigint) from events where :is_json
    ) left_over
    join models m on m.key = left_over.model
    union all
    select m.name || '@' || v.version from (
        select model_id from versions
        except
        select after ->> 'model_id' from events where :is_json
    ) left_over
    join versions v on v.model_id = left_over.model_id
    join models m on m.key = v.model
"""
ALIASED = "select after from events where model = :model and action = 'alias' and object = :object"
INSERT = """
    insert into events (seq, at, actor, action, object, model, reason, before, after, hash)
    values (:seq, :at, :actor, :action, :object, :model, :reason, :before, :after, :hash)
"""


class Link(NamedTuple):
    """A link of the chain of events.

    Attributes:
        place: Where it has to stand.
        model_key: The model that the event is about.
        event: What it says; None if that cannot be read.
        fits: Whether its hash follows from what it says and from the event before.
        is_sound: Whether it follows at least with the model's name as the event itself tells it:
            then the model was renamed, and the event is as it was written.
    """

    place: int
    model_key: int | None
    event: Event | None
    fits: bool
    is_sound: bool


class Events:
    """Reads and appends events on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._fresh: list[Event] = []

    def append(
        self,
        *,
        action: str,
        object: str,  # the JSON key of the contract
        actor: str,
        at: int,
        model_key: int | None = None,
        model: str | None = None,
        reason: str = "",
        before: object = None,
        after: object = None,
    ) -> None:
        """Add an event; call it inside the transaction of the change that it records."""
        last = self._connection.execute(LAST).fetchone() or (0, GENESIS)
        event = Event(
            seq=last[0] + 1,
            time=from_micros(at),
            actor=actor,
            action=action,
            object=object,
            model=model,
            reason=reason,
            before=_state(before),
            after=_state(after),
            hash="",
        )
        event = replace(event, hash=event_hash(event, last[1]))
        self._fresh.append(event)
        self._connection.execute(
            INSERT,
            {
                "seq": event.seq,
                "at": at,
                "actor": actor,
                "action": action,
                "object": object,
                "model": model_key,
                "reason": reason,
                "before": None if before is None else canonical(event.before),
                "after": None if after is None else canonical(event.after),
                "hash": event.hash,
            },
        )

    def take_fresh(self) -> Sequence[Event]:
        """What was appended since this was last asked, as at the end of a transaction."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def unrecorded(self) -> list[str]:
        """Revisions and versions that no event tells of."""
        query = UNRECORDED.replace(":is_json", self._connection.is_json("after"))
        return [name for (name,) in self._connection.execute(query)]

    def after(self, seq: int, *, limit: int) -> Sequence[Event]:
        """The events behind this number, in order."""
        rows = self._connection.execute(AFTER, {"after": seq, "limit": limit})
        return [_from_row(row) for row in rows]

    def list(self, *, model_key: int | None = None, since: int | None = None) -> list[Event]:
        """Events in order, of one model or of all, from a time on."""
        values = {"model": model_key, "since": since}
        return [_from_row(row) for row in self._connection.execute(FILTERED, values)]

    def newest(self, action: str, model_key: int) -> Event | None:
        """The newest event of a kind about a model, or None."""
        row = self._connection.execute(NEWEST, {"action": action, "model": model_key}).fetchone()
        return _from_row(row) if row else None

    def has_worn(self, model_key: int, ref: str, alias: str) -> bool:
        """Whether a version ever had an alias."""
        rows = self._connection.execute(ALIASED, {"model": model_key, "object": ref})
        return any((_loaded(text) or {}).get("alias") == alias for (text,) in rows)

    def first_broken(self) -> int | None:
        """The first event whose hash does not follow from its content and the one before."""
        return next((link.place for link in self.chain() if not link.fits), None)

    def chain(self) -> Iterator[Link]:
        """All events in order, each with whether it follows from the one before."""
        previous, place, names = GENESIS, 1, dict[int, str]()
        for *row, model_key in self._connection.execute(CHAIN):
            event = told = _readable(tuple(row))
            fits = event is not None and _follows(event, previous, place)
            if event is not None and model_key is not None and not fits:
                told = replace(event, model=names.setdefault(model_key, _told_name(event)))
            is_sound = fits or (told is not None and _follows(told, previous, place))
            yield Link(place, model_key, told, fits=fits, is_sound=is_sound)
            previous, place = row[9], row[0] + 1

    def count(self) -> int:
        """How many events there are."""
        return int(self._connection.execute("select count(*) from events").fetchone()[0])


def event_hash(event: Event, previous: str) -> str:
    """SHA-256 over the hash of the event before and this event's fields, in canonical JSON."""
    content = [
        previous,
        event.seq,
        isoformat(event.time),
        event.actor,
        event.action,
        event.object,
        event.model,
        event.reason,
        event.before,
        event.after,
    ]
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def _readable(row: tuple) -> Event | None:  # type: ignore[type-arg]  # mixed columns
    try:
        return _from_row(row)
    except StoreDamaged:
        return None


def _follows(event: Event, previous: str, place: int) -> bool:
    return event.seq == place and event.hash == event_hash(event, previous)


def _told_name(event: Event) -> str:
    """The model's name as its first event tells it, which is that of a version."""
    return event.object.partition("@")[0]


def _state(value: object) -> Mapping[str, object] | None:
    plain = jsonable(value)
    return plain if isinstance(plain, dict) else None


def _loaded(text: str | None) -> Mapping[str, object] | None:
    if text is None:
        return None
    state = json.loads(text)
    if not isinstance(state, dict):
        raise TypeError("the state in an event is an object")
    return state


def _from_row(row: tuple) -> Event:  # type: ignore[type-arg]  # mixed columns
    with restored("events", row[0]):
        return Event(
            seq=row[0],
            time=from_micros(row[1]),
            actor=row[2],
            action=row[3],
            object=row[4],
            model=row[5],
            reason=row[6],
            before=_loaded(row[7]),
            after=_loaded(row[8]),
            hash=row[9],
        )
