"""What each user did in a stretch of the log, where users were split and not requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mlreg.metrics import VALUE, sums_of, value_name
from mlreg.store.engines import Connection
from mlreg.store.unit_columns import FROM_FEEDBACK, FROM_LOG

_TAKE_PART = """
    p.id >= :first and p.id <= :last and p.at >= :since and p.at < :until and p.role = 0
        and p.revision in (:each_revision) and p.version in (:each_version)
"""
# A request without a user stands alone.
_BY_UNIT = "p.version, p.revision, p.unit, case when p.unit is null then p.id end"
UNITS = """
    select version, revision, unit, :sums from (
        select p.version, p.revision, p.unit, :columns,
            count(*) as ripe, count(f.id) as ripe_labelled, count(f.correct) as judged,
            coalesce(sum(f.correct), 0) as correct
        from predictions p
        left join feedback f on f.id = (
            select max(id) from feedback where prediction = p.id and name = 'label'
        )
        where :take_part
        group by :by_unit
    ) units
"""
FED_BACK = """
    select p.version, p.revision, p.unit, coalesce(sum(:said), 0.0), count(:said),
        coalesce(sum((:said) * (:said)), 0.0)
    from predictions p
    join feedback f on f.id = (
        select max(id) from feedback where prediction = p.id and name = :name
    )
    where :take_part
    group by :by_unit
"""


class Stretch(NamedTuple):
    """Rows of the log: of ids, of a time, and of these revisions and versions of one model."""

    first: int
    last: int
    since: int
    until: int
    revisions: Sequence[int]
    versions: Sequence[int]


class UnitSum(NamedTuple):
    """A measure of one unit in a revision: its numerator, denominator, and summed squares."""

    version: int
    revision: int
    unit: str | None
    y: float
    k: float
    square: float


class Users:
    """Reads on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sums(self, stretch: Stretch, measures: Sequence[str]) -> dict[str, list[UnitSum]]:
        """Measures of a stretch, by user; a measure is a metric's name or a label's coverage."""
        own = [name for name in measures if sums_of(name).own]
        plain = [name for name in measures if name not in own]
        return self._plain(stretch, plain) | {name: self._own(stretch, name) for name in own}

    def _plain(self, stretch: Stretch, measures: Sequence[str]) -> dict[str, list[UnitSum]]:
        wanted = [part for name in measures for part in _parts(name)]
        statement = _filled(UNITS, {
            ":sums": ", ".join(f"1.0 * {part}" for part in wanted),
            ":columns": ", ".join(f"{how} as {column}" for column, how in FROM_LOG.items()),
        })  # fmt: skip
        found: dict[str, list[UnitSum]] = {name: [] for name in measures}
        for version, revision, unit, *sums in self._rows(statement, stretch):
            for place, name in enumerate(measures):
                y, k, square = sums[3 * place : 3 * place + 3]
                found[name].append(UnitSum(version, revision, unit, y, k, square))
        return found

    def _own(self, stretch: Stretch, measure: str) -> list[UnitSum]:
        said = FROM_FEEDBACK[sums_of(measure).own].replace(":row", "f")
        name = value_name(measure) if measure.startswith(VALUE) else "label"
        rows = self._rows(_filled(FED_BACK, {":said": said}), stretch, name=name)
        return [UnitSum(*row) for row in rows]

    def _rows(self, statement: str, stretch: Stretch, **more: object) -> list[tuple[Any, ...]]:
        statement = _filled(statement, {
            ":take_part": _TAKE_PART,
            ":by_unit": _BY_UNIT,
            ":each_revision": self._connection.each_of("revisions"),
            ":each_version": self._connection.each_of("versions"),
        })  # fmt: skip
        lists = {
            "revisions": self._connection.listed(stretch.revisions),
            "versions": self._connection.listed(stretch.versions),
        }
        return list(self._connection.execute(statement, stretch._asdict() | lists | more))


def _parts(measure: str) -> tuple[str, str, str]:
    sums = sums_of(measure)
    return sums.y, sums.k, sums.square


def _filled(template: str, parts: dict[str, str]) -> str:
    """A statement with its parts put in, which are constants of this package alone."""
    for place, text in parts.items():
        template = template.replace(place, text)
    return template
