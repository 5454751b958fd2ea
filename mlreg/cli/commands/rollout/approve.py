"""`mlreg rollout approve`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.options import ROLLOUT, ChangeOptions
from mlreg.cli.session import SessionOptions


def approve(session: SessionOptions, change: ChangeOptions, name: str | None = ROLLOUT) -> None:
    """Agree to the step that waits for it.

    Where the plan names approvers, it has to be one of them.

    $ mlreg rollout approve sentiment --actor maria
    """
    with session.open() as registry:
        found = registry.rollouts.approve(name, change=change)
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
