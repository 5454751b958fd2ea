"""What every fold does: count a piece of each source beyond its mark, set the mark, and again.

Ids are given in the order of the commits and rows never change, so a piece is a range of ids. Who
folds holds the write lock: each row is counted exactly once.
"""

from __future__ import annotations

from collections.abc import Callable

from mlreg.store.engines import Connection
from mlreg.tallies import Marks

LOG, FEEDBACK = "predictions", "feedback"
_TABLES = (LOG, FEEDBACK, LOG)  # of each mark the table it is in

ENDS = """
    select (select coalesce(max(id), 0) from predictions),
        (select coalesce(max(id), 0) from feedback)
"""
PIECE_END = """
    select max(id) from (select id from :table where id > :after order by id limit :limit) piece
"""
# Each row of the feedback with its prediction, and with the one that it replaces: a correction
# becomes a difference.
CORRECTIONS = """
    from feedback f
    join predictions p on p.id = f.prediction
    left join feedback o on o.id = (
        select max(id) from feedback
        where prediction = f.prediction and name = f.name and id < f.id
    )
"""


def ends(connection: Connection) -> Marks:
    """The newest ids of the log and of the feedback."""
    return Marks(*connection.execute(ENDS).fetchone())


def piece_end(connection: Connection, table: str, after: int, limit: int) -> int | None:
    """The id of the last of the next rows, so many at most; None if there are none."""
    query = PIECE_END.replace(":table", table)
    found: int | None = connection.execute(query, {"after": after, "limit": limit}).fetchone()[0]
    return found


def fold(
    connection: Connection,
    after: Marks,
    last: Marks,
    *,
    limit: int,
    count: Callable[[Marks, Marks], None],
    reach: Callable[[Marks], None],
) -> bool:
    """Fold the next rows of each source; true if some may be left.

    Args:
        connection: Where they are read.
        after: The marks.
        last: How far to go in the end.
        limit: Rows of each source at most.
        count: Counts the rows behind the first marks up to the second ones.
        reach: Sets the marks.
    """

    def upto(table: str, mark: int, end: int) -> int:
        # Fewer ids than the limit are fewer rows; a gap of millions must not be walked in steps.
        if end - mark <= limit:
            return max(mark, end)
        return min(piece_end(connection, table, mark, limit) or end, end)

    reached = Marks(*map(upto, _TABLES, after, last))
    if reached == after:
        return False
    count(after, reached)
    reach(reached)
    return any(mark < end for mark, end in zip(reached, last, strict=True))
