"""Folding the log into what each unit of an experiment did, by set-based SQL.

A look needs sums over users of what each user did. They are kept for each unit, phase and version,
up to marks in the log and the feedback, so that a look reads only what is new.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from mlreg.store.engines import Connection, Cursor
from mlreg.store.folds import ends, fold
from mlreg.store.rows import restored
from mlreg.store.unit_columns import (
    FROM_LOG,
    UNITS_TABLE,
    VALUES_TABLE,
    Wanted,
    own_name,
    wanted,
)
from mlreg.store.unit_labels import UnitLabels
from mlreg.store.unit_rows import ADDED, OWN, filled, run
from mlreg.tallies import Cuts, Marks

# A fold touches a page for nearly each user it meets, so it waits until many rows share them.
BACKLOG = 25_000

# A cut near a quantile is chosen once, from the first answers, when there are so many of them.
CUT_FROM, CUT_AMONG = 1_000, 10_000

MARKS = """
    select predictions_upto, feedback_upto, ripe_upto from experiments where key = :experiment
"""
SET_MARKS = """
    update experiments set predictions_upto = :predictions, feedback_upto = :feedback,
        ripe_upto = :ripe
    where key = :experiment
"""
BEHIND = """
    select key, design from experiments
    where state = 'running' and (
        predictions_upto + :backlog <= (select coalesce(max(id), 0) from predictions)
        or feedback_upto + :backlog <= (select coalesce(max(id), 0) from feedback)
    )
"""
# A row that feedback has made before has met no prediction yet.
FOLD_LOG = """
    insert into experiment_units (experiment, unit, revision, version, first_id, :columns)
    select :experiment, :unit, p.revision, p.version, min(p.id), :sums
    from predictions p
    where p.id > :after and p.id <= :upto and :takes_part
    group by 2, 3, 4
    on conflict (experiment, unit, revision, version) do update set :added,
        first_id = case when experiment_units.first_id > 0 then experiment_units.first_id
            else excluded.first_id end
"""

FOLD_TAIL = f"""
    {OWN}
    select :experiment, cast(:name as text), :unit, p.revision, p.version, count(*),
        1.0 * count(*) filter (where p.latency_us > :cut),
        1.0 * count(*) filter (where p.latency_us > :cut)
    from predictions p
    where p.id > :after and p.id <= :upto and :takes_part and :timed
    group by 3, 4, 5 {ADDED}
"""  # noqa: S608  # constants of this module
CUTS = "select cuts, predictions_from from experiments where key = :experiment"
SET_CUTS = "update experiments set cuts = :cuts where key = :experiment"
FIRST_LATENCIES = """
    select latency_us from (
        select p.latency_us from predictions p
        where p.id > :after and p.id <= :upto and p.status = 0 and :takes_part
            and (p.is_call = 1 or p.latency_us <> 0)
        order by p.id limit :among
    ) first_of_all order by latency_us
"""

# Sums of floating-point numbers differ by the order of adding.
ROUNDING = 1e-9
DIFFERING = """
    select (
        select count(*) from :stored m left join :beside n on :same
        where m.experiment = :experiment and (n.experiment is null or :other)
    ) + (
        select count(*) from :beside n left join :stored m on :same
        where n.experiment = :experiment and m.experiment is null
    )
"""
TAKE_OVER = (
    "delete from :stored where experiment = :experiment",
    "insert into :stored select * from :beside where experiment = :experiment",
)


class UnitFolds:
    """Folds on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.labels = UnitLabels(connection)

    def ends(self) -> tuple[int, int]:
        """The newest ids of the log and of the feedback."""
        return ends(self._connection)[:2]

    def marks(self, experiment: int) -> Marks:
        """How far an experiment is folded."""
        row = self._connection.execute(MARKS, {"experiment": experiment}).fetchone()
        return Marks(*row)

    def cuts(self, experiment: int) -> Cuts:
        """By metric the latency in microseconds beyond which answers are counted; maybe none."""
        return self._cuts(experiment)[0]

    def fold(self, experiment: int, what: Wanted, *, limit: int, ripe: int | None = None) -> bool:
        """Fold up to `limit` rows of each source; call it in a write. True if rows are left.

        Args:
            experiment: Its key.
            what: What its design needs.
            limit: Rows of each source at most.
            ripe: The newest id whose label is due; None leaves these as they are.
        """

        def count(after: Marks, upto: Marks) -> None:
            cuts = self._decided_cuts(experiment, what, after, upto)
            self.fold_range(experiment, what, after, upto, cuts=cuts, window=window)

        window = self.labels.window(experiment, what)
        marks, (predictions, feedback) = self.marks(experiment), self.ends()
        return fold(
            self._connection,
            marks,
            Marks(predictions, feedback, max(marks.ripe, min(ripe or 0, predictions))),
            limit=limit,
            count=count,
            reach=lambda upto: self._reach(experiment, upto),
        )

    def _reach(self, experiment: int, marks: Marks) -> None:
        self._connection.execute(SET_MARKS, {"experiment": experiment, **marks._asdict()})

    def fold_range(
        self,
        experiment: int,
        what: Wanted,
        after: Marks,
        upto: Marks,
        *,
        cuts: Cuts,
        window: int | None,
    ) -> None:
        """Add the rows of a range of the log, and one of the feedback."""
        self._connection.make_room()
        common = {"experiment": experiment, "by_user": what.by_user}
        self._fold_log(what.columns, common, after.predictions, upto.predictions)
        self._fold_tails(common, after.predictions, upto.predictions, cuts)
        self.labels.fold_range(what, common, after, upto, window)

    def fold_backlogs(self, *, limit: int) -> None:
        """Fold what running experiments are far behind with; call it in a write."""
        rows = self._connection.execute(BEHIND, {"backlog": BACKLOG}).fetchall()
        if rows:
            from mlreg.store.designs import load_design

            for key, design in rows:
                self.fold(key, wanted(load_design(design, key)), limit=limit)

    @contextmanager
    def aside(self, experiment: int, what: Wanted) -> Iterator[Callable[[Marks, int | None], None]]:
        """Count an experiment anew from the log, beside the tables, for this connection alone.

        Inside the block every read of this connection sees the new count. It yields a function
        that counts on up to marks, which must not go back, with labels of an age.
        """
        # Phases alone say what belongs to an experiment, so it may begin at the first row.
        reached, cuts = Marks(0, 0, 0), self.cuts(experiment)
        last: int | None = None

        def fold_to(marks: Marks, window: int | None) -> None:
            nonlocal reached, last
            if window != last:
                self.labels.forget(experiment, what)
                reached, last = reached._replace(ripe=0), window
            self.fold_range(experiment, what, reached, marks, cuts=cuts, window=window)
            reached = marks

        with self._connection.twins(UNITS_TABLE, VALUES_TABLE):
            yield fold_to

    def differing(self, experiment: int) -> int:
        """Inside `aside`: how many rows are not what was counted anew."""
        found = 0
        for table in (UNITS_TABLE, VALUES_TABLE):
            columns = self._connection.columns(table)
            parts = {
                ":same": " and ".join(f"m.{c} = n.{c}" for c, is_key, _ in columns if is_key),
                ":other": " or ".join(_other(c, e) for c, is_key, e in columns if not is_key),
            }
            own = {"experiment": experiment, "rounding": ROUNDING}
            query = filled(DIFFERING, parts | self._both(table))
            found += int(self._connection.execute(query, own).fetchone()[0])
        return found

    def take_over(self, experiment: int, upto: Marks) -> None:
        """Inside `aside`, in a write: put what was counted anew in the place of what is stored."""
        own = {"experiment": experiment}
        for table in (UNITS_TABLE, VALUES_TABLE):
            for statement in TAKE_OVER:
                self._connection.execute(filled(statement, self._both(table)), own)
        self._reach(experiment, upto)

    def _both(self, table: str) -> dict[str, str]:
        """Inside `aside`: a table as it is stored, and the one that hides it."""
        connection = self._connection
        return {
            ":stored": f"{connection.stored}.{table}",
            ":beside": f"{connection.beside}.{table}",
        }

    def _fold_log(
        self,
        columns: Sequence[str],
        common: Mapping[str, object],
        after: int,
        upto: int,
    ) -> None:
        if after >= upto or not columns:
            return
        parts = {
            ":columns": ", ".join(columns),
            ":sums": ", ".join(FROM_LOG[column] for column in columns),
            ":added": ", ".join(f"{c} = {UNITS_TABLE}.{c} + excluded.{c}" for c in columns),
        }
        self._execute(filled(FOLD_LOG, parts), {**common, "after": after, "upto": upto})

    def _fold_tails(self, common: Mapping[str, object], after: int, upto: int, cuts: Cuts) -> None:
        """Count the answers that took longer than each cut."""
        for name, cut in cuts.items():
            window = {"after": after, "upto": upto, "name": own_name(name), "cut": cut}
            self._execute(FOLD_TAIL, {**common, **window})

    def _cuts(self, experiment: int) -> tuple[Cuts, int]:
        """The cuts, and the id after which the experiment began."""
        stored, start = self._connection.execute(CUTS, {"experiment": experiment}).fetchone()
        with restored("experiments", experiment):
            return (json.loads(stored) if stored else {}), start

    def _decided_cuts(self, experiment: int, what: Wanted, after: Marks, upto: Marks) -> Cuts:
        """The cuts; once there are answers enough they are chosen, and what was folded is cut."""
        if not what.quantiles:
            return {}
        cuts, start = self._cuts(experiment)
        if cuts:
            return cuts
        values = {"experiment": experiment, "after": start, "upto": upto.predictions}
        rows = self._execute(FIRST_LATENCIES, values | {"among": CUT_AMONG})
        latencies = [row[0] for row in rows]
        if len(latencies) < CUT_FROM:
            return {}
        cuts = {name: latencies[int(q * len(latencies))] for name, q in what.quantiles.items()}
        self._connection.execute(SET_CUTS, {"experiment": experiment, "cuts": json.dumps(cuts)})
        common = {"experiment": experiment, "by_user": what.by_user}
        self._fold_tails(common, start, after.predictions, cuts)
        return cuts

    def _execute(self, template: str, values: Mapping[str, object]) -> Cursor:
        return run(self._connection, template, values)


def _other(column: str, is_exact: bool) -> str:
    ours, theirs = f"m.{column}", f"n.{column}"
    if is_exact:
        return f"{ours} <> {theirs}"
    sizes = ("1.0", f"abs({ours})", f"abs({theirs})")
    return " and ".join(f"abs({ours} - {theirs}) > :rounding * {size}" for size in sizes)
