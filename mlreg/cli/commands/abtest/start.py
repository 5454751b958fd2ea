"""`mlreg abtest start`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.options import TEST, ChangeOptions
from mlreg.cli.session import SessionOptions


def start(
    session: SessionOptions,
    change: ChangeOptions,
    test_id: str = TEST,
) -> None:
    """Freeze the design of a test and put its split in force.

    From here on the design has a fingerprint and cannot be changed. The split is a new revision
    of the model's traffic.

    $ mlreg abtest start tone --reason "approved by Maria"
    """
    with session.open() as registry:
        found = registry.experiments.start(test_id, change=change)
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
    session.suggest(f"mlreg abtest analyze {test_id}")
