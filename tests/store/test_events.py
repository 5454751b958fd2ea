"""The audit trail is a chain: whatever is changed in it is found."""

from __future__ import annotations

import pytest

from mlreg.store.engines.sqlite import sqlite3
from mlreg.store.events import GENESIS, event_hash
from tests.store.conftest import Seeded
from tests.support import drop_triggers, raw

COUNT = 5


@pytest.fixture
def trail(seeded: Seeded) -> Seeded:
    with seeded.store.write() as tx:
        for number in range(COUNT):
            tx.events.append(
                action="activate",
                object="sentiment",
                actor="ada",
                at=1_700_000_000_000_000 + number,
                model_key=seeded.model.key,
                model=seeded.model.name,
                reason=f"reason {number} é" if number % 2 else "",
                before={"share": number / 3} if number else None,
                after={"arms": [1, 2.5, None, {"b": 1, "a": "é"}]},
            )
    return seeded


def first_broken(seeded: Seeded) -> int | None:
    with seeded.store.read() as tx:
        return tx.events.first_broken()


def test_an_untouched_trail_is_whole(trail: Seeded):
    assert first_broken(trail) is None


def test_each_event_carries_the_hash_of_its_content_and_of_the_one_before(trail: Seeded):
    previous = GENESIS
    with trail.store.read() as tx:
        events = tx.events.list()
        assert tx.events.count() == len(events) == COUNT
    for number, event in enumerate(events, start=1):
        assert event.seq == number
        assert event.hash == event_hash(event, previous)
        previous = event.hash


@pytest.mark.parametrize(
    "statement",
    [
        "update events set reason = 'x'",
        "delete from events",
        "insert or replace into events (seq, at, actor, action, object, hash) "
        "values (3, 0, 'x', 'x', 'x', 'x')",
    ],
)
def test_events_can_be_neither_changed_nor_removed(trail: Seeded, statement: str):
    with (
        raw(trail.store.path.parent) as connection,
        pytest.raises(sqlite3.IntegrityError, match="the audit trail cannot be changed"),
    ):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("damage", "where"),
    [
        ("update events set at = at + 1 where seq = 3", 3),
        ("update events set at = 9223372036854775807 where seq = 3", 3),
        ("update events set actor = 'eve' where seq = 3", 3),
        ("update events set action = 'rollback' where seq = 3", 3),
        ("update events set object = 'churn' where seq = 3", 3),
        ("update events set model = null where seq = 3", 3),
        ("update events set reason = 'because' where seq = 3", 3),
        ("update events set before = null where seq = 3", 3),
        ("update events set before = '{\"share\":0.5}' where seq = 3", 3),
        ("update events set before = 'no JSON' where seq = 3", 3),
        ("update events set after = '[' || after || ']' where seq = 3", 3),
        ("update events set hash = 'x' where seq = 3", 3),
        ("update models set name = 'renamed'", 1),
        ("delete from events where seq = 3", 3),
        ("delete from events where seq = 1", 1),
        ("update events set seq = seq + 100 where seq = 5", 5),
        ("update events set seq = -2 where seq = 2; update events set seq = 2 where seq = 3; "
         "update events set seq = 3 where seq = -2", 2),
    ],
)  # fmt: skip
def test_tampering_behind_the_triggers_is_found(trail: Seeded, damage: str, where: int):
    with raw(trail.store.path.parent) as connection:
        drop_triggers(connection)
        connection.executescript(damage)
    assert first_broken(trail) == where


def test_events_can_be_listed_by_model_and_time(trail: Seeded):
    with trail.store.write() as tx:
        other = tx.models.ensure("churn", at=0)
        tx.events.append(
            action="init", object="x", actor="x", at=5, model_key=other.key, model="churn"
        )
    with trail.store.read() as tx:
        assert [e.object for e in tx.events.list(model_key=other.key)] == ["x"]
        assert len(tx.events.list(since=1_700_000_000_000_003)) == 2
