"""The schema, as migrations in `schema/` that are never edited once they are released.

Times are microseconds since 1970, UTC. Invariants are the schema's: gap-free revisions, weights
that sum to a whole, rows that only ever are appended.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlite_utils import Database as UtilsDatabase
from sqlite_utils import Migrations

from mlreg.store.engines.health import SCHEMA
from mlreg.store.engines.sqlite import sqlite3

if TYPE_CHECKING:
    from mlreg.store.engines.sqlite import Database

migrations = Migrations("mlreg")


def _sql(name: str) -> str:
    return files("mlreg.store").joinpath("schema", f"{name}.sql").read_text("utf-8")


@migrations()
def m001_initial(db: UtilsDatabase) -> None:
    """Models, versions, traffic, the log, feedback, summaries and the audit trail."""
    db.executescript(_sql("m001_initial"))


@migrations()
def m002_experiments(db: UtilsDatabase) -> None:
    """Experiments: designs, phases, what each unit did, and receipts."""
    db.executescript(_sql("m002_experiments"))


@migrations()
def m003_ripe_labels_and_tails(db: UtilsDatabase) -> None:
    """Experiments: labels that are due, and answers beyond a cut near a quantile."""
    db.executescript(_sql("m003_ripe_labels_and_tails"))


@migrations()
def m004_seals(db: UtilsDatabase) -> None:
    """Who let a version run any code, with a signature that proves it."""
    db.executescript(_sql("m004_seals"))


@migrations()
def m005_holds(db: UtilsDatabase) -> None:
    """Who holds a model's traffic."""
    db.executescript(_sql("m005_holds"))


@migrations()
def m006_errors_and_classes(db: UtilsDatabase) -> None:
    """How far numbers are off, classes by answer and label, and which way values are better."""
    db.executescript(_sql("m006_errors_and_classes"))


@migrations()
def m007_answers_given_elsewhere(db: UtilsDatabase) -> None:
    """Versions that a program of the user's runs, and thresholds held by those who answer."""
    db.executescript(_sql("m007_answers_given_elsewhere"))


@migrations()
def m008_hooks(db: UtilsDatabase) -> None:
    """Who is told of what happens, and how each delivery went."""
    db.executescript(_sql("m008_hooks"))


@migrations()
def m009_acting(db: UtilsDatabase) -> None:
    """Policies, decisions, alerts, and the lease of the tick."""
    db.executescript(_sql("m009_acting"))


@migrations()
def m010_pairs(db: UtilsDatabase) -> None:
    """What shadows answered to the inputs of live predictions."""
    db.executescript(_sql("m010_pairs"))


@migrations()
def m011_rollouts(db: UtilsDatabase) -> None:
    """Rollouts and their steps."""
    db.executescript(_sql("m011_rollouts"))


@migrations()
def m012_labels_of_equal_age(db: UtilsDatabase) -> None:
    """Experiments: the age at which labels count, and which arm a user has met first."""
    db.executescript(_sql("m012_labels_of_equal_age"))


def migrate(database: Database) -> None:
    """Bring the schema up to this mlreg, all or nothing, under one write lock."""
    with database.write() as connection:
        utils = UtilsDatabase(connection)
        migrations.apply(utils)
        # The hot path compares this number and never imports sqlite-utils.
        connection.execute(f"pragma user_version = {len(migrations.applied(utils))}")


@cache
def expected_schema() -> dict[str, str]:
    """The SQL of each table, index and trigger that the migrations make."""
    connection = sqlite3.connect(":memory:")
    try:
        migrations.apply(UtilsDatabase(connection))
        return dict(connection.execute(SCHEMA).fetchall())
    finally:
        connection.close()


def schema_sql(database: Database) -> str:
    """The DDL of the database, for the documentation."""
    with database.read() as connection:
        return str(UtilsDatabase(connection).schema)
