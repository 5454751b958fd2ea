"""Every statement of the store is in the SQL that SQLite and PostgreSQL share.

They are not listed here: a run through the store tells what it executes, and its modules tell what
they hold. What lies in the engine room is SQLite's own.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import mlreg.store
from mlreg.metrics import COVERAGES, known_metrics
from mlreg.registry import Registry
from mlreg.store.engines.connections import SqliteConnection
from mlreg.store.engines.migrations import expected_schema
from mlreg.store.refolding import refold, refolding
from mlreg.store.store import Store
from mlreg.store.unit_columns import FROM_LOG, Wanted
from tests import postgres
from tests.damage import DAMAGE, START, build
from tests.store.conftest import Seeded, seed
from tests.store.test_experiments import NAMES, answer, begin, said
from tests.support import DATABASE, Clock, raw

pytestmark = [pytest.mark.process, pytest.mark.slow]

STORE = Path(mlreg.store.__file__).parent
ENGINES = STORE / "engines"
MODULES = [path for path in sorted(STORE.glob("*.py")) if path.stem != "__init__"]
SQL = re.compile(r"\s*(with|select|insert|update|delete)\b")
WANTED = Wanted(
    by_user=True,
    columns=tuple(FROM_LOG),
    names=("clicks", "stars"),
    quantiles={"p95_latency_ms": 0.95},
    window=10,
    derived=(
        (":mae", "label", "absolute"),
        (":rmse", "label", "squared"),
        (":bias", "label", "signed"),
        (":sizes:value:stars", "stars", "size_value"),
    ),
)


class Executed(NamedTuple):
    """A statement, the values of its first run, and the line of the store that ran it."""

    sql: str
    values: Any
    place: tuple[str, int]


class Trace:
    """What the store executes, but for the engine room."""

    def __init__(self) -> None:
        self.statements: dict[str, Executed] = {}
        self.places: set[tuple[str, int]] = set()

    def listen(self, name: str) -> Callable[..., Any]:
        """A method of a connection that takes down what it is called with."""
        own = getattr(SqliteConnection, name)

        def method(connection: SqliteConnection, sql: str, values: Any = (), /) -> Any:
            frame = sys._getframe(1)
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(STORE) and not path.is_relative_to(ENGINES):
                place = path.name, frame.f_lineno
                self.places.add(place)
                self.statements.setdefault(sql, Executed(sql, values, place))
            return own(connection, sql, values)

        return method


def log(seeded: Seeded) -> None:
    """Two phases of an experiment: users, torn ones too, requests alone, failures, truth."""
    units = ["ann", "ben", "eva", "kim", None]
    entries = [
        answer(
            units[n % 5], 1 + (n % 7 + n // 40) % 2, 1 + n % 2, latency_us=500 + 37 * n,
            status=int(n % 11 == 0), confidence=n % 8 / 8, cost=n / 4 if n % 3 else None,
        )._replace(
            at=n, output="3.25" if n % 11 else None, segment='{"land": "de"}' if n % 4 else None
        )
        for n in range(80)
    ]  # fmt: skip
    with seeded.store.write() as tx:
        tx.predictions.append(entries[0])
        ids = tx.predictions.append_many(entries[1:])
        tx.feedback.append([said(n, "label", (None, 0, 1)[n % 3]) for n in ids])
        tx.feedback.append([said(n, "stars", n % 5) for n in ids[::2]])
        tx.feedback.append([said(n, "label", 1) for n in ids[::5]])
        off = [said(n, "label", 1)._replace(label=f"{n}.5", correct=None) for n in ids[::9]]
        tx.feedback.append(off)
        assert tx.feedback.newest([1, 2])
        assert tx.predictions.outputs([1, 2])
        tx.pairs.append([(1, 2, 3)])
        assert tx.pairs.families([1]) == {1: (3,), 3: (1,)}
        assert tx.pairs.asked(2, [1, 2]) == {1}


def fold_and_read(seeded: Seeded, key: int) -> None:
    """Fold, read all sums, and count everything anew beside the tables."""
    with seeded.store.write() as tx:
        folds, units = tx.experiments.folds, tx.experiments.units
        assert folds.labels.delays(key, "label")
        assert tx.feedback.delays([1, 2], first=1, until=80)
        folds.labels.set_window(key, WANTED._replace(window=None), 5)
        folds.labels.fix_window(key)
        while folds.fold(key, WANTED, limit=30, ripe=70):
            pass
        while tx.summaries.fold(limit=30):
            pass
        folds.fold_backlogs(limit=1)
        for name in (*known_metrics(), *COVERAGES, "value:stars", "value_coverage:stars"):
            units.sums(key, name)
            units.spread(key, name, [(1, 1, 0.5, 1.0, 0.0), (2, 2, 0.5, 0.0, 1.0)])
            if name not in COVERAGES:
                units.torn(key, name)
        units.counts(key), units.requests(key), units.participants(key)
        tx.summaries.request_counts(), tx.summaries.all_time(1)
        tx.summaries.edge(first_id=1, last_id=80, since=0, until=80)
        tx.predictions.by_segment(seeded.model.key, "land", since=0, until=80)
        with folds.aside(key, WANTED) as fold_to, tx.summaries.aside():
            fold_to(folds.marks(key), WANTED.window)
            assert folds.differing(key) == 0
            folds.take_over(key, folds.marks(key))
    with refolding(expected_schema()) as anew:
        with seeded.store.read() as tx:
            anew.begin(tx.connection)
        assert sum(refold(seeded.store, anew)) > 0
        assert anew.differences(1) == []
        with seeded.store.write() as tx:
            anew.put(tx.connection)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trace, Path]:
    """What a run through the store executes, and the folder of a database with rows."""
    trace, folder = Trace(), tmp_path_factory.mktemp("traced")
    with pytest.MonkeyPatch.context() as patched:
        for name in ("execute", "executemany", "append", "append_many"):
            patched.setattr(SqliteConnection, name, trace.listen(name), raising=False)
        patched.setattr("mlreg.store.unit_folds.CUT_FROM", 10)
        patched.setattr("mlreg.store.unit_folds.BACKLOG", 10)
        store = Store(folder / DATABASE, timeout=5, create=True)
        seeded = seed(store)
        key = begin(seeded)
        log(seeded)
        fold_and_read(seeded, key)
        store.close()
        damaged = build(tmp_path_factory.mktemp("damaged"))
        for name in ("no summaries", "alias to nowhere", "trust", "arms gone"):
            DAMAGE[name].do(damaged)
        with Registry(damaged, actor="tester", clock=Clock(START + 10**9)) as registry:
            registry.health.repair()
    return trace, folder


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    installed = postgres.installation()
    if installed is None:
        pytest.skip("no wheel with a PostgreSQL for this platform")
    pytest.importorskip("psycopg")
    with postgres.server(installed) as found:
        yield found


@pytest.fixture
def server(address: str) -> Iterator[Any]:
    """A connection to a schema of its own."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
        postgres.make_tables(connection, list(expected_schema().values()))
        yield connection


def constants() -> Iterator[tuple[str, str]]:
    """The statements, and templates of statements, that modules of the store hold."""
    for path in MODULES:
        module = importlib.import_module(f"mlreg.store.{path.stem}")
        for name, value in vars(module).items():
            for text in value if isinstance(value, tuple) else (value,):
                if name.isupper() and isinstance(text, str) and SQL.match(text):
                    yield f"{path.name}: {name}", text

    for path, call in calls():
        written = call.args[0]
        if isinstance(written, ast.Constant) and SQL.match(str(written.value)):
            yield f"{path.name}, line {call.lineno}", str(written.value)


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Where modules of the store run statements."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="execute" | "executemany"), args=[_, *_]):
                    yield path, node


def is_within(template: str, executed: str) -> bool:
    """Whether a statement was made of this template, whose parts are written like values."""
    reached = 0
    for part in re.split(r":[a-z_]+(?:\([^)]*\))?", template):
        found = executed.find(" ".join(part.split()), reached)
        if found < 0:
            return False
        reached = found
    return True


def refused(server: Any, sql: str) -> str | None:
    """Why PostgreSQL does not prepare a statement; None if it does."""
    import psycopg

    try:
        server.execute(f"prepare one as {postgres.numbered(sql)}")
        server.execute("deallocate one")
    except psycopg.Error as error:
        return f"{error}\n{sql}"
    return None


def test_postgresql_prepares_every_statement(traced: tuple[Trace, Path], server: Any):
    trace, _ = traced
    executed = [" ".join(sql.split()) for sql in trace.statements]
    unfilled = [
        (name, text)
        for name, text in constants()
        if not any(is_within(text, sql) for sql in executed)
    ]
    # Before the twins hide the tables: what no run has filled must be a statement as it stands.
    problems = [f"{name}: {why}" for name, text in unfilled if (why := refused(server, text))]
    for table in ("experiment_units", "experiment_values"):
        server.execute(f"create temp table {table} (like public.{table} including all)")
    server.execute("create temp table stored as select * from summaries")
    statements = [sql for sql in trace.statements if SQL.match(sql)]
    problems += [why for sql in statements if (why := refused(server, sql))]
    assert not problems, "\n\n".join(problems)
    assert len(statements) > 100


def test_postgresql_refuses_what_only_sqlite_knows(server: Any):
    assert refused(server, "select id from predictions where id > :after and status = ?") is None
    assert "total" in (refused(server, "select total(id) from predictions") or "")
    assert "group" in (refused(server, "select version, count(*) from predictions") or "").lower()


def test_each_statement_put_together_where_it_is_run_is_run(traced: tuple[Trace, Path]):
    trace, _ = traced
    for path, call in calls():
        if isinstance(call.args[0], ast.JoinedStr):
            lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
            reached = any((path.name, line) in trace.places for line in lines)
            assert reached, f"no run reaches {path.name}, line {call.lineno}"


# --- the same figures on both --------------------------------------------------------------------

FOLDS = ("insert into experiment_units", "insert into experiment_values")


def copy_rows(folder: Path, server: Any) -> None:
    server.execute("set session_replication_role = replica")  # in any order of the tables
    with raw(folder) as connection:
        tables = "select name from sqlite_schema where type = 'table' and name not like '%sqlite%'"
        for (table,) in connection.execute(tables).fetchall():
            rows = connection.execute(f"select * from {table}").fetchall()  # noqa: S608
            if rows:
                places = ", ".join(["%s"] * len(rows[0]))
                with server.cursor() as cursor:
                    cursor.executemany(f"insert into {table} values ({places})", rows)  # noqa: S608


def comparable(rows: list[tuple]) -> list[tuple]:
    """Rows in an order of their own; numbers of all kinds as floats of nine digits."""

    def plain(value: Any) -> Any:
        if isinstance(value, str | bytes) or value is None:
            return value
        return float(f"{float(value):.9g}")

    return sorted((tuple(map(plain, row)) for row in rows), key=repr)


def both(folder: Path, server: Any, sql: str, values: Any = ()) -> tuple[list, list]:
    with raw(folder) as connection:
        ours = connection.execute(sql, values).fetchall()
    return comparable(ours), comparable(
        server.execute(postgres.bound(sql), postgres.values(values)).fetchall()
    )


def test_both_engines_find_the_same(traced: tuple[Trace, Path], server: Any):
    from psycopg.types.json import set_json_loads

    trace, folder = traced
    set_json_loads(lambda text: text if isinstance(text, str) else text.decode(), server)
    copy_rows(folder, server)
    found = 0
    for sql, values, place in trace.statements.values():
        is_beside = re.search(r"\b(main|temp)\.|\bstored\b", sql)
        if SQL.match(sql) and sql.split()[0] in ("select", "with") and not is_beside:
            ours, theirs = both(folder, server, sql, values)
            assert ours == theirs, f"{place}: {sql}"
            found += bool(ours)
    assert found > 50


def test_both_engines_fold_to_the_same_sums(traced: tuple[Trace, Path], server: Any):
    trace, folder = traced
    copy_rows(folder, server)
    server.execute("delete from experiment_units")
    server.execute("delete from experiment_values")
    folds = [e for sql, e in trace.statements.items() if sql.strip().startswith(FOLDS)]
    whole = [e for e in folds if "requests" not in e.sql or "confident" in e.sql]
    for sql, values, _ in whole:
        # Predictions come of age before anything is heard of them; what is heard is then counted.
        upto = 70 if ":heard" in sql else 10**6
        whole_log = {"after": 0, "upto": upto, "heard": 0, "ripe": 70}
        for name in NAMES if values.get("name") in NAMES else [values.get("name")]:
            own = {"name": name, "said": name} if name in NAMES else {}
            server.execute(postgres.bound(sql), {**values, **whole_log, **own})
    for table in ("experiment_units", "experiment_values"):
        ours, theirs = both(folder, server, f"select * from {table}")  # noqa: S608
        assert ours == theirs != []
