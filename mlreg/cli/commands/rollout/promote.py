"""`mlreg rollout promote`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.options import ROLLOUT, ChangeOptions
from mlreg.cli.session import SessionOptions


def promote(session: SessionOptions, change: ChangeOptions, name: str | None = ROLLOUT) -> None:
    """Skip the rest: give the version all traffic for good.

    Nothing is waited for, and there is no bake; approvers of a step still to come have to agree.

    $ mlreg rollout promote sentiment --reason "tested elsewhere"
    """
    with session.open() as registry:
        found = registry.rollouts.promote(name, change=change)
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
