"""Whether the audit trail is whole, and tells of all there is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlreg.names import safe
from mlreg.services.checks.findings import Examination, Problems
from mlreg.store.raw_rows import EXPERIMENTS, REVISIONS, VERSIONS, rows

if TYPE_CHECKING:
    from mlreg.services.checks.trail import Sealed
    from mlreg.store.engines import Connection


def audit(exam: Examination, found: Problems) -> str:
    """The chain of hashes, and rows that no event tells of."""
    sealed = exam.sealed
    with exam.context.store.read() as tx:
        untold = list(_untold(sealed, tx.connection))
    for place in dict.fromkeys(sealed.broken):
        found.add(f"the hash of event {place} does not fit")
    if sealed.count == 0:
        found.add("there are no events, not even that of init")
    for what in untold:
        found.add(f"no event tells of {safe(what)}")
    return f"{sealed.count} events, each hash fits"


def _untold(sealed: Sealed, connection: Connection) -> Iterable[str]:
    for row in rows(connection, REVISIONS):
        if (row["model"], row["number"]) not in sealed.revisions:
            yield f"{row['name']} revision {row['number']}"
    for row in rows(connection, VERSIONS):
        if row["model_id"] not in sealed.versions:
            yield f"{row['name']}@{row['version']}"
    for row in rows(connection, EXPERIMENTS):
        if row["test_id"] not in sealed.experiments:
            yield f"experiment {row['test_id']}"
