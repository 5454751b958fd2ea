"""Which rows of the log belong to an experiment, and to which of its units."""

from __future__ import annotations

from collections.abc import Mapping

from mlreg.store.engines import Connection, Cursor
from mlreg.store.unit_columns import TIMED

TAKES_PART = """
        p.role = 0
        and p.revision in (select revision from experiment_phases where experiment = :experiment)
        and p.version in (select version from experiment_arms where experiment = :experiment)
"""
UNIT = "case when :by_user then coalesce(p.unit, '') else '' end"
# Sums that are kept under a name of their own: of feedback values, of errors, of slow answers.
ADDED = """
    on conflict (experiment, name, unit, revision, version) do update set
        known = experiment_values.known + excluded.known,
        total = experiment_values.total + excluded.total,
        total2 = experiment_values.total2 + excluded.total2
"""
OWN = """
    insert into experiment_values (experiment, name, unit, revision, version, known, total, total2)
"""
NO_PARTS: Mapping[str, str] = {}


def run(
    connection: Connection,
    template: str,
    values: Mapping[str, object],
    more: Mapping[str, str] = NO_PARTS,
) -> Cursor:
    """Execute a statement about rows of an experiment."""
    parts = {
        **more,
        ":timed": TIMED,
        ":unit": UNIT,
        ":takes_part": TAKES_PART,
        ":each_name": connection.each_of("names"),
    }
    return connection.execute(filled(template, parts), values)


def filled(template: str, parts: Mapping[str, str]) -> str:
    """A statement with its parts put in, which are constants of this package alone."""
    for place, text in parts.items():
        template = template.replace(place, text)
    return template
