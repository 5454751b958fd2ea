"""The invariants are the schema's: raw SQL cannot break them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mlreg.errors import Conflict
from mlreg.store.engines.migrations import migrate, migrations, schema_sql
from mlreg.store.engines.sqlite import sqlite3
from mlreg.store.store import SCHEMA_VERSION, Store
from tests.store.conftest import Seeded, revision_of
from tests.support import drop_triggers, raw

ROOT = Path(__file__).parents[2]

# Registries have been made by these texts, down to the comments: `doctor` compares them.
APPLIED = {
    "m001_initial": "69d77fa11add6ba5",
    "m002_experiments": "18716e56c8ef541a",
    "m003_ripe_labels_and_tails": "a79fb191be9dd54d",
    "m004_seals": "f10653fbf1045c13",
    "m005_holds": "e28f172721b34704",
    "m006_errors_and_classes": "892994ce85f36c04",
    "m007_answers_given_elsewhere": "423111a201b62302",
    "m008_hooks": "e001fc24edcc9523",
    "m009_acting": "d87cda859d6c085f",
    "m010_pairs": "441e4c03d02daed0",
    "m011_rollouts": "209b3a51fb0134e4",
    "m012_labels_of_equal_age": "e2eebc3cfd3941f4",
}


def test_the_text_of_a_migration_that_was_applied_stays():
    found = {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in (ROOT / "mlreg/store/schema").glob("m*.sql")
    }
    assert found == APPLIED


def attempt(seeded: Seeded, *statements: str) -> None:
    """Run SQL as somebody with a shell would, in one transaction."""
    with raw(seeded.store.path.parent) as connection:
        connection.execute("pragma foreign_keys = on")
        connection.execute("begin immediate")
        for statement in statements:
            connection.execute(statement)
        connection.execute("commit")


def revise(number: int, previous: int | None, strategy: str = "random") -> str:
    before = "null" if previous is None else previous
    values = f"1, {number}, {before}, '{strategy}', 'raw', 'x', 0"
    columns = "model, number, previous, strategy, cause, actor, created_at"
    return f"insert into revisions ({columns}) values ({values})"  # noqa: S608


def arm(revision: int, version: int, weight: int, role: str = "live") -> str:
    return f"insert into arms values (1, {revision}, {version}, {weight}, '{role}')"  # noqa: S608


@pytest.fixture
def revised(seeded: Seeded) -> Seeded:
    """Revision 1 in force, 80 to 20."""
    with seeded.store.write() as tx:
        tx.traffic.append(revision_of(seeded, 1, 8000, 2000), {})
    return seeded


def test_the_schema_version_is_the_number_of_migrations(store: Store):
    assert len(list(migrations.pending(_utils(store)))) == 0
    assert len(migrations.applied(_utils(store))) == SCHEMA_VERSION


def _utils(store: Store):
    from sqlite_utils import Database

    return Database(store.database.connection())


def test_migrating_again_changes_nothing(store: Store):
    before = schema_sql(store.database)
    migrate(store.database)
    assert schema_sql(store.database) == before


def test_every_table_of_ours_is_strict(store: Store):
    rows = store.database.connection().execute("pragma table_list").fetchall()
    loose = {row[1] for row in rows if row[0] == "main" and not row[5]}
    assert {name for name in loose if not name.startswith("sqlite_")} == {"_sqlite_migrations"}


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        pytest.param(
            [arm(2, 1, 8000), arm(2, 2, 1999), revise(2, 1)], "must sum to 10000", id="sum"
        ),
        pytest.param([arm(2, 1, 8000), arm(2, 2, 2001), revise(2, 1)], "must sum", id="too-much"),
        pytest.param([arm(3, 1, 10_000), revise(3, 2)], "FOREIGN KEY", id="gap"),
        pytest.param([revise(3, 1)], "CHECK", id="skips-its-previous"),
        pytest.param([revise(2, None)], "CHECK", id="no-previous"),
        pytest.param([revise(0, None)], "CHECK", id="zero"),
        pytest.param([revise(1, None)], "cannot be changed", id="twice"),
        pytest.param([revise(2, 1, "canary")], "CHECK", id="strategy"),
        pytest.param([arm(2, 1, 10_000)], "FOREIGN KEY", id="arm-without-revision"),
        pytest.param([arm(1, 1, 1)], "a revision cannot be changed", id="later-arm"),
        pytest.param([arm(2, 99, 10_000), revise(2, 1)], "FOREIGN KEY", id="unknown-version"),
        pytest.param([arm(2, 1, 0), revise(2, 1)], "CHECK", id="zero-weight"),
        pytest.param([arm(2, 1, 10_001), revise(2, 1)], "CHECK", id="beyond-the-whole"),
        pytest.param([arm(2, 1, -1), revise(2, 1)], "CHECK", id="negative"),
        pytest.param([arm(2, 1, 1, "dead"), revise(2, 1)], "CHECK", id="role"),
        pytest.param(["update revisions set reason = 'x'"], "cannot be changed", id="update"),
        pytest.param(["delete from revisions"], "cannot be deleted", id="delete"),
        pytest.param(["update arms set weight = 5000"], "cannot be changed", id="update-arm"),
        pytest.param(["delete from arms"], "cannot be changed", id="delete-arm"),
        pytest.param(
            ["insert or replace into arms values (1, 1, 1, 5000, 'live')"],
            "cannot be changed",
            id="replace-arm",
        ),
        pytest.param(
            [revise(1, None).replace("insert", "insert or replace", 1)],
            "cannot be changed",
            id="replace-revision",
        ),
    ],
)
def test_no_sql_can_break_a_revision(revised: Seeded, statements: list[str], reason: str):
    with pytest.raises(sqlite3.DatabaseError, match=reason):
        attempt(revised, *statements)
    with revised.store.read() as tx:
        now = tx.traffic.current(revised.model)
        assert (now.number, [a.weight for a in now.arms]) == (1, [8000, 2000])
        assert tx.traffic.broken() == []


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([arm(2, 1, 2000), revise(2, 1)], id="lone-arm-of-any-weight"),
        pytest.param([revise(2, 1)], id="nobody"),
        pytest.param([arm(2, 1, 10_000), arm(2, 2, 0, "shadow"), revise(2, 1)], id="with-shadow"),
    ],
)
def test_a_lone_arm_nobody_and_shadows_are_states_too(revised: Seeded, statements: list[str]):
    attempt(revised, *statements)
    with revised.store.read() as tx:
        assert tx.traffic.number(revised.model.key) == 2
        assert tx.traffic.broken() == []


@pytest.mark.parametrize(
    "damage",
    [
        "update arms set weight = 7999 where version = 1",
        "delete from arms where version = 1 and revision = 1; "
        "update revisions set number = 3, previous = 2 where number = 1",
    ],
)
def test_a_revision_broken_behind_the_triggers_is_found(revised: Seeded, damage: str):
    with raw(revised.store.path.parent) as connection:
        drop_triggers(connection)
        connection.execute("pragma ignore_check_constraints = on")
        connection.executescript(damage)
    with revised.store.read() as tx:
        assert tx.traffic.broken()


def test_the_store_reports_a_broken_rule_as_a_conflict(seeded: Seeded):
    with (
        pytest.raises(Conflict, match="must sum to 10000 basis points"),
        seeded.store.write() as tx,
    ):
        tx.traffic.append(revision_of(seeded, 1, 8000, 1000), {})


NEW_VERSION = "insert into versions (model_id, model, version, precedence, created_at, created_by) "
NEW_PREDICTION = (
    "insert into predictions (at, version, revision, role, arm_reason, latency_us, status, "
    "output, error) "
)
NEW_FEEDBACK = "insert into feedback (at, prediction, name, label, value, actor) "


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (NEW_VERSION + "values ('model-000000000000', 1, '1.0.0', '', 0, 'x')", "UNIQUE"),
        (NEW_VERSION + "values ('../etc', 1, '3.0.0', '', 0, 'x')", "CHECK"),
        ("update versions set digest = 'abc'", "CHECK"),
        ("update versions set digest = hex(zeroblob(32))", "CHECK"),
        ("insert into models values (2, 'Sentiment', 'sentiment', '', 0, 0)", "UNIQUE"),
        ("insert into aliases values (1, 'champion', 99)", "FOREIGN KEY"),
        (NEW_PREDICTION + "values (0, 1, 1, 0, '', 1, 0, null, null)", "CHECK"),
        (NEW_PREDICTION + "values (0, 1, 1, 0, '', 1, 1, '1', 'x')", "CHECK"),
        (NEW_PREDICTION + "values (0, 99, 1, 0, '', 1, 0, '1', null)", "FOREIGN KEY"),
        (NEW_FEEDBACK + "values (0, 99, 'label', '1', null, 'x')", "FOREIGN KEY"),
        (NEW_FEEDBACK + "values (0, 1, 'label', null, 1.0, 'x')", "CHECK"),
        (NEW_FEEDBACK + "values (0, 1, 'label', null, null, 'x')", "CHECK"),
        ("insert into watermarks values ('other', 0)", "CHECK"),
    ],
)
def test_no_sql_can_write_a_row_that_makes_no_sense(seeded: Seeded, statement: str, reason: str):
    with pytest.raises(sqlite3.IntegrityError, match=reason):
        attempt(seeded, statement)


def test_a_number_of_the_log_is_never_given_out_twice(seeded: Seeded):
    insert = NEW_PREDICTION + "values (0, 1, 1, 0, '', 1, 0, '1', null)"
    attempt(seeded, insert, insert, "delete from predictions", insert)
    with seeded.store.read() as tx:
        assert tx.predictions.last_id() == 3


DECIDED = (
    "insert into decisions (number, at, what, object, outcome, why, engine, actor) "
    "values (1, 0, 'rollback', 'sentiment', 'done', '', '1', 'x')"
)
POLICY = (
    "insert into policies (model, number, previous, document, actor, created_at) "
    "values (1, {}, {}, '{{}}', 'x', 0)"
)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("update decisions set why = 'x'", "a decision cannot be changed"),
        ("delete from decisions", "a decision cannot be deleted"),
        (DECIDED.replace("insert", "insert or replace", 1), "a decision cannot be changed"),
        ("update policies set actor = 'eve'", "a policy cannot be changed"),
        ("delete from policies", "a policy cannot be deleted"),
        (POLICY.format(1, "null"), "a policy cannot be changed"),
        (POLICY.format(3, 2), "FOREIGN KEY"),
        (POLICY.format(3, 1), "CHECK"),
        ("insert into ticks (key) values (2)", "CHECK"),
    ],
)
def test_what_was_decided_stays(seeded: Seeded, statement: str, reason: str):
    attempt(seeded, DECIDED, POLICY.format(1, "null"))
    with pytest.raises(sqlite3.DatabaseError, match=reason):
        attempt(seeded, statement)
