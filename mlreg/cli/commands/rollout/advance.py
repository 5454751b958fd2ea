"""`mlreg rollout advance`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.options import ROLLOUT, ChangeOptions
from mlreg.cli.session import SessionOptions


def advance(session: SessionOptions, change: ChangeOptions, name: str | None = ROLLOUT) -> None:
    """Put the next step in force now.

    Neither its time nor its samples are waited for; a step that needs approval waits for that.

    $ mlreg rollout advance sentiment --reason "quiet night"
    """
    with session.open() as registry:
        found = registry.rollouts.advance(name, change=change)
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
