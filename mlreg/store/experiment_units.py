"""What each unit of an experiment did, folded from the log by set-based SQL, and sums over it.

An analysis needs sums over users of what each user did. They are kept for each unit, phase and
version, up to a mark in the log and one in the feedback, so that a look reads only what is new.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mlreg.store.connection import Connection

# A fold touches a page for nearly each user it meets, so it waits until many rows share them.
BACKLOG = 25_000

# As large as the pages of 100 000 users, which a fold would else write out half-way.
CACHE_KIB = 65_536

MARKS = "select predictions_upto, feedback_upto from experiments where key = :experiment"
SET_MARKS = """
    update experiments set predictions_upto = :predictions, feedback_upto = :feedback
    where key = :experiment
"""
ENDS = """
    select (select coalesce(max(id), 0) from predictions),
        (select coalesce(max(id), 0) from feedback)
"""
BEHIND = """
    select key, design ->> '$.unit' = 'user', design from experiments
    where state = 'running' and (
        predictions_upto + :backlog <= (select coalesce(max(id), 0) from predictions)
        or feedback_upto + :backlog <= (select coalesce(max(id), 0) from feedback)
    )
"""
TAKES_PART = """
        p.role = 0
        and p.revision in (select revision from experiment_phases where experiment = :experiment)
        and p.version in (select version from experiment_arms where experiment = :experiment)
"""
# Phases alone say what belongs to an experiment, so a count anew may begin at the first row.
STARTED_AT_MARKS = """
    select 0, 0 from experiments where key = :experiment
"""
TABLE_SQL = "select sql from main.sqlite_schema where name = :name"
UNIT = "case when :by_user then coalesce(p.unit, '') else '' end"

FOLD_LOG = """
    insert into experiment_units (experiment, unit, revision, version, requests, failed, latency,
        latency2, confident, confidence, confidence2, priced, cost, cost2)
    select :experiment, :unit, p.revision, p.version, count(*), sum(p.status <> 0),
        sum(case when p.status = 0 then p.latency_us else 0 end),
        total(case when p.status = 0 then 1.0 * p.latency_us * p.latency_us end),
        count(p.confidence), total(p.confidence), total(p.confidence * p.confidence),
        count(p.cost), total(p.cost), total(p.cost * p.cost)
    from predictions p
    where p.id > :after and p.id <= :upto and :takes_part
    group by 2, 3, 4
    on conflict do update set
        requests = requests + excluded.requests, failed = failed + excluded.failed,
        latency = latency + excluded.latency, latency2 = latency2 + excluded.latency2,
        confident = confident + excluded.confident, confidence = confidence + excluded.confidence,
        confidence2 = confidence2 + excluded.confidence2, priced = priced + excluded.priced,
        cost = cost + excluded.cost, cost2 = cost2 + excluded.cost2
"""

# Each row with the one that it replaces, so that a correction becomes a difference.
CORRECTIONS = """
    from feedback f
    join predictions p on p.id = f.prediction
    left join feedback o on o.id = (
        select max(id) from feedback
        where prediction = f.prediction and name = f.name and id < f.id
    )
"""
FOLD_LABELS = """
    insert into experiment_units (experiment, unit, revision, version, labelled, judged, correct)
    select :experiment, :unit, p.revision, p.version, sum(o.id is null),
        sum((f.correct is not null) - (o.correct is not null)),
        sum(coalesce(f.correct, 0) - coalesce(o.correct, 0))
    :corrections
    where f.id > :after and f.id <= :upto and f.name = 'label' and :takes_part
    group by 2, 3, 4
    on conflict do update set labelled = labelled + excluded.labelled,
        judged = judged + excluded.judged, correct = correct + excluded.correct
"""
FOLD_VALUES = """
    insert into experiment_values (experiment, name, unit, revision, version, known, total, total2)
    select :experiment, f.name, :unit, p.revision, p.version, sum(o.id is null),
        total(f.value - coalesce(o.value, 0)),
        total(f.value * f.value - coalesce(o.value * o.value, 0))
    :corrections
    where f.id > :after and f.id <= :upto and f.name in (select value from json_each(:names))
        and :takes_part
    group by 2, 3, 4, 5
    on conflict do update set known = known + excluded.known, total = total + excluded.total,
        total2 = total2 + excluded.total2
"""

PARTS = {":unit": UNIT, ":corrections": CORRECTIONS, ":takes_part": TAKES_PART}

# Users whom one phase sent to two arms: sticky routing does not, so something is broken there.
TORN = """
    select unit, revision from experiment_units
    where experiment = :experiment and unit <> '' group by unit, revision having count(*) > 1
"""
TORN_UNITS = "select count(distinct unit) from (:torn)"
PARTICIPANTS = """
    select count(*), total(first <> last) from (
        select min(version) as first, max(version) as last from experiment_units
        where experiment = :experiment and unit <> '' group by unit
    )
"""
COUNTS = """
    select revision, version, sum(unit <> ''), sum(case when unit = '' then requests else 0 end),
        sum(requests)
    from experiment_units where experiment = :experiment group by revision, version
"""
SUMS = """
    select revision, version, unit = '', total(:k > 0), total(:y), total(:k), total(1.0 * :y * :y),
        total(1.0 * :k * :k), total(1.0 * :y * :k), total(:square)
    from :table
    where experiment = :experiment :named and (unit, revision) not in (:torn)
    group by 1, 2, 3
"""
# What each unit did over all phases and arms, as its distance from the rates, on the scale of the
# averaged arms: the sum of squares is the variance, whatever ties a unit's phases together.
SPREAD = """
    with cells as materialized (
        select value ->> 0 as revision, value ->> 1 as version, value ->> 2 as rate,
            value ->> 3 as in_control, value ->> 4 as in_treatment
        from json_each(:cells)
    )
    select total(c * c), total(t * t), total(c * t), total(c2), total(t2) from (
        select
            total((:y - rate * :k) * in_control) as c,
            total((:y - rate * :k) * in_treatment) as t, 0.0 as c2, 0.0 as t2
        from :table u cross join cells on cells.revision = u.revision and cells.version = u.version
        where experiment = :experiment :named and unit <> '' and (unit, u.revision) not in (:torn)
        group by unit
        union all
        select 0.0, 0.0,
            (:square - 2 * rate * :y + rate * rate * :k) * in_control * in_control,
            (:square - 2 * rate * :y + rate * rate * :k) * in_treatment * in_treatment
        from :table u cross join cells on cells.revision = u.revision and cells.version = u.version
        where experiment = :experiment :named and unit = ''
    )
"""

VALUE = "value:"
UNITS_TABLE, VALUES_TABLE = "experiment_units", "experiment_values"


class Measure(NamedTuple):
    """A metric as a ratio of two sums over units; `square` is of the rows that are units alone."""

    y: str
    k: str
    square: str
    table: str = UNITS_TABLE


MEASURES = {
    "success_rate": Measure("(requests - failed)", "requests", "(requests - failed)"),
    "error_rate": Measure("failed", "requests", "failed"),
    "accuracy": Measure("correct", "judged", "correct"),
    "label_coverage": Measure("labelled", "requests", "labelled"),
    "avg_latency_ms": Measure("latency", "(requests - failed)", "latency2"),
    "avg_confidence": Measure("confidence", "confident", "confidence2"),
    "cost_per_request": Measure("cost", "priced", "cost2"),
}
NAMED_VALUE = Measure("total", "known", "total2", VALUES_TABLE)


class Sums(NamedTuple):
    """Sums over units of y and k, their squares and their product; `n` units have a k above 0."""

    n: float = 0
    y: float = 0
    k: float = 0
    yy: float = 0
    kk: float = 0
    yk: float = 0


class CellCounts(NamedTuple):
    """How many took part in a phase by one version."""

    users: int = 0
    alone: int = 0
    requests: int = 0


Cell = tuple[int, int]


class ExperimentUnits:
    """Folds and sums on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ends(self) -> tuple[int, int]:
        """The newest ids of the log and of the feedback."""
        row = self._connection.execute(ENDS).fetchone()
        return row[0], row[1]

    def marks(self, experiment: int) -> tuple[int, int]:
        """How far the log and the feedback are folded."""
        row = self._connection.execute(MARKS, {"experiment": experiment}).fetchone()
        return row[0], row[1]

    def set_marks(self, experiment: int, predictions: int, feedback: int) -> None:
        """Say how far both are folded."""
        self._connection.execute(
            SET_MARKS,
            {"experiment": experiment, "predictions": predictions, "feedback": feedback},
        )

    def fold(self, experiment: int, *, by_user: bool, names: Sequence[str], limit: int) -> bool:
        """Fold up to `limit` rows of each source; call it in a write. True if rows are left."""
        after, ends = self.marks(experiment), self.ends()
        upto = tuple(min(a + limit, end) for a, end in zip(after, ends, strict=True))
        if upto == after:
            return False
        self.fold_range(experiment, after, (upto[0], upto[1]), by_user=by_user, names=names)
        self.set_marks(experiment, upto[0], upto[1])
        return upto != ends

    def fold_range(
        self,
        experiment: int,
        after: tuple[int, int],
        upto: tuple[int, int],
        *,
        by_user: bool,
        names: Sequence[str],
    ) -> None:
        """Add the rows of a range of the log, and one of the feedback."""
        self._connection.execute(f"pragma cache_size = -{CACHE_KIB}")
        common = {"experiment": experiment, "by_user": by_user}
        if after[0] < upto[0]:
            self._connection.execute(
                _filled(FOLD_LOG, PARTS), common | {"after": after[0], "upto": upto[0]}
            )
        if after[1] < upto[1]:
            window = common | {"after": after[1], "upto": upto[1]}
            self._connection.execute(_filled(FOLD_LABELS, PARTS), window)
            if names:
                self._connection.execute(
                    _filled(FOLD_VALUES, PARTS), window | {"names": json.dumps(list(names))}
                )

    @contextmanager
    def aside(
        self, experiment: int, *, by_user: bool, names: Sequence[str]
    ) -> Iterator[Callable[[tuple[int, int]], None]]:
        """Count an experiment anew from the log, beside the tables, for this connection alone.

        Inside the block every read of this object sees the new count. It yields a function that
        counts on up to marks, which must not go back.
        """
        before = self._connection.execute(STARTED_AT_MARKS, {"experiment": experiment}).fetchone()
        reached = [(before[0], before[1])]

        def fold_to(marks: tuple[int, int]) -> None:
            self.fold_range(experiment, reached[0], marks, by_user=by_user, names=names)
            reached[0] = marks

        for table in (UNITS_TABLE, VALUES_TABLE):
            ddl = self._connection.execute(TABLE_SQL, {"name": table}).fetchone()[0]
            # A temporary table hides the one of the same name.
            self._connection.execute(ddl.replace("CREATE TABLE", "create temp table", 1).replace(
                "create table", "create temp table", 1))  # fmt: skip
        try:
            yield fold_to
        finally:
            for table in (UNITS_TABLE, VALUES_TABLE):
                self._connection.execute(f"drop table temp.{table}")

    def fold_backlogs(self, *, limit: int) -> None:
        """Fold what running experiments are far behind with; call it in a write."""
        rows = self._connection.execute(BEHIND, {"backlog": BACKLOG}).fetchall()
        for key, by_user, design in rows:
            names = value_names(json.loads(design))
            self.fold(key, by_user=bool(by_user), names=names, limit=limit)

    def counts(self, experiment: int) -> dict[Cell, CellCounts]:
        """Who took part, by revision and version."""
        rows = self._connection.execute(COUNTS, {"experiment": experiment})
        return {(row[0], row[1]): CellCounts(*row[2:]) for row in rows}

    def participants(self, experiment: int) -> tuple[int, int, int]:
        """Users; of these, seen in two arms; of these, within one phase."""
        own = {"experiment": experiment}
        users, moved = self._connection.execute(PARTICIPANTS, own).fetchone()
        torn = self._connection.execute(_filled(TORN_UNITS, {":torn": TORN}), own).fetchone()[0]
        return users, int(moved), torn

    def sums(self, experiment: int, metric: str) -> dict[Cell, Sums]:
        """A metric's sums by revision and version; torn users are left out."""
        values = {"experiment": experiment, "name": metric.removeprefix(VALUE)}
        found: dict[Cell, Sums] = {}
        for row in self._connection.execute(_statement(SUMS, metric), values):
            cell, (n, y, k, yy, kk, yk, square) = (row[0], row[1]), row[3:]
            own = Sums(k, y, k, square, k, y) if row[2] else Sums(n, y, k, yy, kk, yk)
            before = found.get(cell, Sums())
            found[cell] = Sums(*(a + b for a, b in zip(before, own, strict=True)))
        return found

    def spread(
        self, experiment: int, metric: str, cells: Sequence[tuple[int, int, float, float, float]]
    ) -> tuple[float, float, float]:
        """Variances of both averaged arms and their covariance, summed over units.

        Args:
            experiment: Its key.
            metric: The measure.
            cells: Revision, version, rate, and what a unit's distance from the rate there weighs
                in the control's and in the treatment's average.
        """
        values = {
            "experiment": experiment,
            "name": metric.removeprefix(VALUE),
            "cells": json.dumps(list(cells)),
        }
        row = self._connection.execute(_statement(SPREAD, metric), values).fetchone()
        return row[0] + row[3], row[1] + row[4], row[2]


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """A statement with its parts put in, which are constants of this module alone."""
    for place, text in parts.items():
        template = template.replace(place, text)
    return template


def value_names(design: Mapping[str, object]) -> list[str]:
    """The named feedback values of a stored design."""
    found = [m["name"] for m in _metrics(design)]
    return sorted({name.removeprefix(VALUE) for name in found if name.startswith(VALUE)})


def _metrics(design: Mapping[str, object]) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = [design["metric"], *design["secondary"]]  # type: ignore[list-item, misc]  # our own JSON
    guardrails: list[dict[str, dict[str, str]]] = design["guardrails"]  # type: ignore[assignment]  # our own JSON
    return listed + [guardrail["metric"] for guardrail in guardrails]


def _statement(template: str, metric: str) -> str:
    """A statement for one measure."""
    measure = NAMED_VALUE if metric.startswith(VALUE) else MEASURES[metric]
    return _filled(
        template,
        {
            ":table": measure.table,
            ":square": measure.square,
            ":named": "and name = :name" if measure.table == VALUES_TABLE else "",
            ":torn": TORN,
            ":y": measure.y,
            ":k": measure.k,
        },
    )
