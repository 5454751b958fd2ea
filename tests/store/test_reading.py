"""Queries of the caller's own: what they find, and all that they must not do."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from mlreg.entities.queries import Rows
from mlreg.errors import InvalidInput, QueryTooLong, StoreDamaged
from mlreg.registry import Registry
from tests.support import dump

ENDLESS = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"


def test_a_query_finds_columns_and_rows(serving_registry: Registry):
    serving_registry.predictions.predict("great product", unit="ann")
    found = serving_registry.query("select id, unit, cost, x'00ff' as raw from predictions")
    assert found == Rows(columns=("id", "unit", "cost", "raw"), rows=[(1, "ann", None, b"\0\xff")])
    assert list(found) == [{"id": 1, "unit": "ann", "cost": None, "raw": b"\0\xff"}]
    assert len(found) == 1


def test_values_are_given_by_place_or_by_name(serving_registry: Registry):
    sql = "select version from versions where version = "
    assert serving_registry.query(f"{sql} ?", ["2.0.0"]).rows == [("2.0.0",)]
    assert serving_registry.query(f"{sql} :v", {"v": "1.0.0"}).rows == [("1.0.0",)]


def test_a_limit_says_that_there_is_more(serving_registry: Registry):
    sql = "select version from versions order by 1"
    assert serving_registry.query(sql, limit=1) == Rows(
        columns=("version",), rows=[("1.0.0",)], is_cut=True
    )
    assert not serving_registry.query(sql, limit=2).is_cut
    assert not serving_registry.query(sql).is_cut
    with pytest.raises(InvalidInput, match="at least 1, not 0"):
        serving_registry.query(sql, limit=0)


def test_tables_and_columns_can_be_listed(serving_registry: Registry):
    found = {row["table"]: row["columns"] for row in serving_registry.tables()}
    assert found["aliases"] == "model, alias, version"
    assert "predictions" in found
    assert not [name for name in found if name.startswith(("sqlite", "_"))]


@pytest.mark.parametrize(
    "sql",
    [
        "explain query plan select * from models",
        "values (1), (2)",
        "with few as (select 1 as a) select * from few",
        "select j.value from json_each('[1, 2]') as j",
        "select name from pragma_table_info('models')",
        "pragma table_list",
        "select count(*) from sqlite_schema;",
    ],
)
def test_all_kinds_of_reading_are_admitted(serving_registry: Registry, sql: str):
    assert len(serving_registry.query(sql)) > 0


@pytest.mark.parametrize(
    "sql",
    [
        "delete from models",
        "insert into aliases values (1, 'a', 1)",
        "update models set next_turn = 7 returning next_turn",
        "with few as (select 1) delete from models",
        "create table t (x)",
        "create temp table t (x)",
        "create temp view v as select 1",
        "drop table predictions",
        "alter table models rename to m",
        "attach 'other.db' as other",
        "detach main",
        "vacuum",
        "vacuum into 'copy.db'",
        "reindex",
        "analyze",
        "begin",
        "begin immediate",
        "savepoint s",
        "pragma journal_mode = delete",
        "pragma writable_schema = on",
        "pragma query_only = off",
        "pragma user_version = 9",
        "pragma wal_checkpoint(truncate)",
        "pragma temp_store_directory = '/tmp'",
        "select * from pragma_journal_mode",
        "select load_extension('evil.so')",
        "select fts3_tokenizer('simple', x'0000000000000000')",
        "select writefile('evil', 'x')",
        "select 1; delete from models",
        "",
        "-- nothing",
        "selec 1",
        "select * from nothing",
        "select ?",
        "select 1 as a, 2 as a",
        "select abs(-9223372036854775808)",
        "select '\ud800'",
        "select 'a\0b'",
    ],
)
def test_whatever_is_no_reading_is_refused_and_changes_nothing(
    serving_registry: Registry, tmp_path: Path, sql: str
):
    folder = serving_registry.folder
    before, files = dump(folder), sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InvalidInput, match=r"\w"):
        serving_registry.query(sql)
    assert dump(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == files


@pytest.mark.parametrize("value", [object(), 1 << 70, "\ud800"])
def test_a_value_that_sqlite_does_not_know_is_refused(serving_registry: Registry, value: Any):
    with pytest.raises(InvalidInput, match=r"\w"):
        serving_registry.query("select ?", [value])


def test_text_of_others_is_shown_safely_in_errors(serving_registry: Registry):
    with pytest.raises(InvalidInput, match=r"no such table: \\x1b\[2J"):
        serving_registry.query('select * from "\x1b[2J"')


def test_text_that_is_no_unicode_is_read_all_the_same(serving_registry: Registry):
    assert serving_registry.query("select cast(x'41ff' as text) as t").rows == [("A\ufffd",)]


def test_a_query_that_takes_too_long_is_stopped(serving_registry: Registry):
    with pytest.raises(QueryTooLong, match=r"took longer than"):
        serving_registry.query(ENDLESS, seconds=0.2)
    assert serving_registry.query("select 1 as one").rows == [(1,)]


def test_an_interrupt_stops_a_query(serving_registry: Registry):
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        serving_registry.query(ENDLESS, seconds=60)
    timer.join()


def test_a_query_leaves_nothing_behind_on_the_connection_of_the_store(serving_registry: Registry):
    with pytest.raises(InvalidInput, match="only read"):
        serving_registry.query("begin")
    serving_registry.predictions.predict("great product")
    assert serving_registry.query("select count(*) as n from predictions").rows == [(1,)]


def test_a_query_sees_what_was_written_before_and_may_run_inside_a_write(
    serving_registry: Registry,
):
    with serving_registry._context.store.write() as tx:
        tx.models.take_turns(1, 5)
        assert serving_registry.query("select next_turn from models").rows == [(0,)]
    assert serving_registry.query("select next_turn from models").rows == [(5,)]


def test_a_damaged_registry_is_said_to_be_damaged(serving_registry: Registry):
    serving_registry.predictions.predict("great product")
    serving_registry.close()
    path = serving_registry.folder / "registry.db"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreDamaged, match="is damaged"):
        serving_registry.query("select * from predictions")


# --- frames ---------------------------------------------------------------------------------------


def test_without_pandas_a_frame_says_what_to_install(
    serving_registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(InvalidInput, match="a frame needs pandas") as caught:
        serving_registry.query("select 1 as one").frame()
    assert caught.value.hint == "run: pip install pandas"
    with pytest.raises(InvalidInput, match="a frame needs pandas"):
        serving_registry.predictions.frame()


def test_rows_and_the_log_become_frames(serving_registry: Registry):
    pytest.importorskip("pandas")
    answers = list(serving_registry.predictions.predict_many(["great", "hate it"] * 3))
    serving_registry.feedback.record(answers[0].prediction_id, "positive")
    assert serving_registry.query("select 1 as a, 'x' as b").frame().to_dict("list") == {
        "a": [1],
        "b": ["x"],
    }
    log = serving_registry.predictions.frame()
    assert list(log["prediction_id"]) == [answer.prediction_id for answer in answers]
    assert list(log["prediction"]) == [answer.prediction for answer in answers]
    assert log["label"][0] == "positive"
    one = serving_registry.predictions.frame(version="1.0.0")
    assert set(one["model_version"]) == {"1.0.0"}
    assert len(serving_registry.predictions.frame(errors=True)) == 0
