"""`mlreg sql`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mlreg.cli.kit.parameters import argument, flag, option
from mlreg.cli.kit.values import STDIN
from mlreg.cli.kit.values import limit as row_limit
from mlreg.cli.session import Session, SessionOptions
from mlreg.clock import parse_duration
from mlreg.entities.documents import RowSet
from mlreg.errors import InvalidInput

if TYPE_CHECKING:
    from mlreg.entities.queries import Rows

_FOR_PEOPLE = 1000


def sql(
    session: SessionOptions,
    query: str | None = argument(
        "[QUERY]", "One statement that reads, - for stdin; left out: list tables and columns."
    ),
    values: list[str] | None = argument("[VALUE]...", "What stands for each ? of the query."),
    limit: int | None = option(
        "-n --limit N",
        "How many rows at most.",
        row_limit,
        show_default="1000 for people, all for programs",
    ),
    timeout: str = option("--timeout TIME", "How long it may take: 90s, 10m.", default="60s"),
    csv: bool = flag("--csv", "Print the rows as CSV."),
) -> None:
    """Read the registry with a query of your own.

    It can change nothing. The tables are described in docs/schema.md; times are microseconds since
    1970. With --json each row is one object on a line of its own.

    $ mlreg sql
    $ mlreg sql "select status, count(*) as n from predictions group by status"
    $ mlreg sql "select id, output from predictions where unit = ?" alice --json
    $ mlreg sql "select * from feedback" --csv > feedback.csv
    """
    if csv and not session.is_for_people:
        raise InvalidInput("--csv goes with neither --json nor --field")
    for_programs = csv or not session.is_for_people
    most = limit or (None if for_programs else _FOR_PEOPLE)
    seconds = parse_duration(timeout).total_seconds()
    with session.open_to_read() as registry:
        if query is None:
            found = registry.tables()
        else:
            text = sys.stdin.read() if query == STDIN else query
            found = registry.query(text, values or (), limit=most, seconds=seconds)
    _print(session, found, csv=csv)


def _print(session: Session, found: Rows, *, csv: bool) -> None:
    if csv:
        from mlreg.cli.stdout import write
        from mlreg.cli.streams.spreadsheets import csv_text

        write(csv_text(found))
    else:
        records = [{name: _plain(value) for name, value in row.items()} for row in found]
        session.emit_all(records, RowSet(columns=found.columns, rows=found.rows))
    if found.is_cut:
        session.note(f"there are more than these {len(found):,} rows: see --limit")


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
