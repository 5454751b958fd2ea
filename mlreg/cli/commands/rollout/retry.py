"""`mlreg rollout retry`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.options import ROLLOUT, ChangeOptions
from mlreg.cli.session import SessionOptions


def retry(session: SessionOptions, change: ChangeOptions, name: str | None = ROLLOUT) -> None:
    """Begin a rollout that was aborted once more.

    It begins at its first step, with evidence of its own.

    $ mlreg rollout retry sentiment --reason "the upstream was down"
    """
    with session.open() as registry:
        found = registry.rollouts.retry(name, change=change)
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
