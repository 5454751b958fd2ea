"""`mlreg abtest stop`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.options import TEST, ChangeOptions
from mlreg.cli.session import SessionOptions


def stop(
    session: SessionOptions,
    change: ChangeOptions,
    test_id: str = TEST,
) -> None:
    """End a test without a verdict and put the traffic as it was.

    $ mlreg abtest stop tone --reason "the labels are wrong"
    """
    with session.open() as registry:
        found = registry.experiments.stop(test_id, change=change)
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
