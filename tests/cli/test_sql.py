"""`mlreg sql`: queries of one's own, for people and for programs."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run

ENDLESS = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"


def test_people_get_a_table(serving: Run):
    found = serving("sql", "select version, 7 as n, null as z from versions order by 1")
    assert (found.code, found.err) == (0, "")
    assert found.out.split() == ["version", "n", "z", "1.0.0", "7", "-", "2.0.0", "7", "-"]
    assert serving("sql", "select * from feedback").out == "no rows\n"


def test_programs_get_one_object_a_line_or_one_field(serving: Run):
    sql = "select version, x'00ff' as raw from versions order by 1"
    assert serving("sql", sql, "--json").records == [
        {"version": "1.0.0", "raw": "00ff"},
        {"version": "2.0.0", "raw": "00ff"},
    ]
    assert serving("sql", sql, "--field", "version").out == "1.0.0\n2.0.0\n"
    assert serving("sql", "select * from feedback", "--json").out == ""


def test_without_a_query_it_lists_tables_and_columns(serving: Run):
    tables = {row["table"]: row["columns"] for row in serving("sql", "--json").records}
    assert tables["aliases"] == "model, alias, version"


def test_values_stand_for_question_marks_and_the_query_may_come_from_stdin(serving: Run):
    sql = "select version from versions where version = ?"
    assert serving("sql", sql, "2.0.0", "--field", "version").out == "2.0.0\n"
    assert serving("sql", "-", "--field", "a", input="select 'x' as a").out == "x\n"


def test_people_see_a_thousand_rows_and_hear_of_more(serving: Run):
    many = (
        "with recursive n(x) as (select 1 union all select x + 1 from n limit 1500) select x from n"
    )
    found = serving("sql", many)
    assert len(found.out.splitlines()) == 1001
    assert found.err == "there are more than these 1,000 rows: see --limit\n"
    assert len(serving("sql", many, "--json").records) == 1500
    assert len(serving("sql", many, "--csv").out.splitlines()) == 1501
    assert len(serving("sql", many, "-n", "3", "--json").records) == 3
    assert serving("sql", many, "-n", "1500").err == ""


def test_csv_is_nothing_that_a_spreadsheet_would_run(serving: Run):
    sql = """
        select '=1+1' as "=f", '+1 x' as p, '-5' as n, -5 as i, '@x' as a, char(9) || 'x' as t,
            null as z, 'a,"b"' as q, x'0a' as b
    """
    found = serving("sql", sql, "--csv")
    assert found.out == ('\'=f,p,n,i,a,t,z,q,b\n\'=1+1,\'+1 x,-5,-5,\'@x,\'\tx,,"a,""b""",0a\n')
    assert serving("sql", sql, "--csv", "--json").code == 2


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("delete from models", "a query may only read"),
        ("selec", 'near "selec": syntax error'),
        ("select * from nowhere", "no such table: nowhere"),
        ("select 1; select 2", "one statement at a time"),
        ("", "has no statement"),
    ],
)
def test_a_wrong_query_ends_with_2_and_what_sqlite_says(serving: Run, sql: str, said: str):
    found = serving("sql", sql)
    assert found.code == 2
    assert said in found.err
    assert found.out == ""
    assert '"invalid_input"' in serving("sql", sql, "--json").err


def test_hostile_text_is_shown_by_escapes(serving: Run):
    found = serving("sql", "select char(27) || '[2J' as x, char(8238) as y")
    assert "\x1b" not in found.out
    assert "\\x1b[2J" in found.out
    assert "\\u202e" in found.out


def test_a_query_without_end_ends_at_its_time_limit(serving: Run):
    found = serving("sql", ENDLESS, "--timeout", "1s")
    assert found.code == 6
    assert "took longer than 1 second" in found.err
    assert serving("sql", "select 1", "--timeout", "soon").code == 2
