"""Sums over the units of an experiment: who took part, and what a verdict is computed from."""

from __future__ import annotations

from collections.abc import Sequence

from mlreg.metrics import sums_of
from mlreg.store.engines import Connection
from mlreg.store.unit_columns import VALUES_TABLE, place_of
from mlreg.store.unit_rows import TAKES_PART
from mlreg.tallies import CellCounts, Sums

# Users whom one phase sent to two arms: sticky routing does not, so something is broken there.
TORN_UNITS = """
    select count(distinct unit) from (
        select unit from experiment_units
        where experiment = :experiment and unit <> '' group by unit, revision having count(*) > 1
    ) torn
"""
# Of the same, phase by phase, by the arm they met first, whose row begins first in the log: how
# many they are, and what they did in all arms.
TORN = """
    with torn as materialized (
        select unit, revision, min(first_id) as first_id from experiment_units
        where experiment = :experiment and unit <> ''
        group by unit, revision having count(*) > 1
    ), users as materialized (
        select f.revision, f.version,
            (select coalesce(sum(1.0 * :y), 0.0) from :table u where :theirs) as y,
            (select coalesce(sum(1.0 * :k), 0.0) from :table u where :theirs) as k
        from torn t join experiment_units f on f.experiment = :experiment and f.unit = t.unit
            and f.revision = t.revision and f.first_id = t.first_id
    )
    select revision, version, count(*), sum(case when k > 0 then 1.0 else 0.0 end), sum(y), sum(k),
        sum(y * y), sum(k * k), sum(y * k)
    from users group by revision, version
"""
THEIRS = "u.experiment = :experiment and u.unit = t.unit and u.revision = t.revision :named"
# Of a row `u`: whether its phase sent its user to another arm as well. By key, so that many such
# users cost no more than few.
IS_TORN = """exists (
        select 1 from experiment_units o
        where o.experiment = :experiment and o.unit = u.unit and o.revision = u.revision
            and o.version <> u.version
    )"""
PARTICIPANTS = """
    select count(*), count(*) filter (where first <> last) from (
        select min(version) as first, max(version) as last from experiment_units
        where experiment = :experiment and unit <> '' group by unit
    ) users
"""
COUNTS = """
    select revision, version, count(*) filter (where unit <> ''),
        sum(case when unit = '' then requests else 0 end), sum(requests)
    from experiment_units where experiment = :experiment group by revision, version
"""
REQUESTS = """
    select version, sum(requests) from (
        select version, requests from experiment_units where experiment = :experiment
        union all
        select p.version, count(*) from predictions p
        where p.id > (select predictions_upto from experiments where key = :experiment)
            and :takes_part
        group by 1
    ) counted group by 1
"""
SUMS = """
    select revision, version, unit = '', sum(case when :k > 0 then 1.0 else 0.0 end), sum(1.0 * :y),
        sum(1.0 * :k), sum(1.0 * :y * :y), sum(1.0 * :k * :k), sum(1.0 * :y * :k),
        sum(1.0 * :square)
    from :table u
    where experiment = :experiment :named and (unit = '' or not :is_torn)
    group by 1, 2, 3
"""
# What each unit did over all phases and arms, as its distance from the rates, on the scale of the
# averaged arms: the sum of squares is the variance, whatever ties a unit's phases together.
SPREAD = """
    with cells (revision, version, rate, in_control, in_treatment) as materialized (
        values :cells
    )
    select coalesce(sum(c * c), 0.0), coalesce(sum(t * t), 0.0), coalesce(sum(c * t), 0.0),
        coalesce(sum(c2), 0.0), coalesce(sum(t2), 0.0), coalesce(sum(has_c), 0),
        coalesce(sum(has_t), 0)
    from (
        select
            sum((:y - rate * :k) * in_control) as c, sum((:y - rate * :k) * in_treatment) as t,
            0.0 as c2, 0.0 as t2,
            max(case when :k > 0 and in_control <> 0 then 1 else 0 end) as has_c,
            max(case when :k > 0 and in_treatment <> 0 then 1 else 0 end) as has_t
        from :table u cross join cells
        where cells.revision = u.revision and cells.version = u.version
            and experiment = :experiment :named and unit <> '' and not :is_torn
        group by unit
        union all
        select 0.0, 0.0,
            (:square - 2 * rate * :y + rate * rate * :k) * in_control * in_control,
            (:square - 2 * rate * :y + rate * rate * :k) * in_treatment * in_treatment,
            case when in_control <> 0 then :k else 0 end,
            case when in_treatment <> 0 then :k else 0 end
        from :table u cross join cells
        where cells.revision = u.revision and cells.version = u.version
            and experiment = :experiment :named and unit = ''
    ) spread
"""
# The types of one, by the name of what is bound.
CELL = {"revision": "bigint", "version": "bigint", "rate": "double precision",
        "in_control": "double precision", "in_treatment": "double precision"}  # fmt: skip


Cell = tuple[int, int]


class UnitSums:
    """Sums on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def counts(self, experiment: int) -> dict[Cell, CellCounts]:
        """Who took part, by revision and version."""
        rows = self._connection.execute(COUNTS, {"experiment": experiment})
        return {(row[0], row[1]): CellCounts(*row[2:]) for row in rows}

    def requests(self, experiment: int) -> dict[int, int]:
        """Predictions by version, folded or not."""
        query = REQUESTS.replace(":takes_part", TAKES_PART)
        return dict(self._connection.execute(query, {"experiment": experiment}).fetchall())

    def participants(self, experiment: int) -> tuple[int, int, int]:
        """Users; of these, seen in two arms; of these, within one phase."""
        own = {"experiment": experiment}
        users, moved = self._connection.execute(PARTICIPANTS, own).fetchone()
        torn = self._connection.execute(TORN_UNITS, own).fetchone()[0]
        return users, int(moved), torn

    def torn(self, experiment: int, metric: str) -> dict[Cell, tuple[int, Sums]]:
        """Users whom one phase sent to two arms, by revision and the version met first.

        Returns:
            How many they are, and the metric's sums over them.
        """
        values = {"experiment": experiment, "name": place_of(metric).name}
        rows = self._connection.execute(_statement(TORN, metric), values)
        return {(row[0], row[1]): (row[2], Sums(*row[3:])) for row in rows}

    def sums(self, experiment: int, metric: str) -> dict[Cell, Sums]:
        """A metric's sums by revision and version; torn users are left out."""
        values = {"experiment": experiment, "name": place_of(metric).name}
        found: dict[Cell, Sums] = {}
        for row in self._connection.execute(_statement(SUMS, metric), values):
            cell, (n, y, k, yy, kk, yk, square) = (row[0], row[1]), row[3:]
            own = Sums(k, y, k, square, k, y) if row[2] else Sums(n, y, k, yy, kk, yk)
            before = found.get(cell, Sums())
            found[cell] = Sums(*(a + b for a, b in zip(before, own, strict=True)))
        return found

    def spread(
        self, experiment: int, metric: str, cells: Sequence[tuple[int, int, float, float, float]]
    ) -> tuple[float, float, float, int, int]:
        """Variances of both averaged arms and their covariance, summed over units; their units.

        Args:
            experiment: Its key.
            metric: The measure.
            cells: Revision, version, rate, and what a unit's distance from the rate there weighs
                in the control's and in the treatment's average.
        """
        if not cells:
            return 0.0, 0.0, 0.0, 0, 0
        values: dict[str, object] = {"experiment": experiment, "name": place_of(metric).name}
        listed = []
        for n, cell in enumerate(cells):
            values |= {f"{name}_{n}": part for name, part in zip(CELL, cell, strict=True)}
            casts = (f"cast(:{name}_{n} as {kind})" for name, kind in CELL.items())
            listed.append(f"({', '.join(casts)})")
        query = _statement(SPREAD, metric).replace(":cells", ", ".join(listed))
        row = self._connection.execute(query, values).fetchone()
        return row[0] + row[3], row[1] + row[4], row[2], int(row[5]), int(row[6])


def _statement(template: str, metric: str) -> str:
    """A statement for one measure; its parts are constants of this package alone."""
    sums, table = sums_of(metric), place_of(metric).table
    parts = {
        ":theirs": THEIRS,
        ":table": table,
        ":square": sums.square,
        ":named": "and name = :name" if table == VALUES_TABLE else "",
        ":is_torn": IS_TORN,
        ":y": sums.y,
        ":k": sums.k,
    }
    for place, text in parts.items():
        template = template.replace(place, text)
    return template
