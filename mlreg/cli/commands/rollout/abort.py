"""`mlreg rollout abort`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.options import ROLLOUT, ChangeOptions
from mlreg.cli.session import SessionOptions


def abort(session: SessionOptions, change: ChangeOptions, name: str | None = ROLLOUT) -> None:
    """End a rollout, and put the traffic as it was before it.

    It stays so until somebody retries.

    $ mlreg rollout abort sentiment --reason "complaints since noon"
    """
    with session.open() as registry:
        found = registry.rollouts.abort(name, change=change)
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
