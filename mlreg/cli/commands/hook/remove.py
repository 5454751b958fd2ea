"""`mlreg hook remove`."""

from __future__ import annotations

from mlreg.cli.options import HOOK, MannerOptions
from mlreg.cli.session import SessionOptions


def remove(session: SessionOptions, change: MannerOptions, hook: str = HOOK) -> None:
    """Tell somebody nothing any more: what is still to be delivered is not.

    $ mlreg hook remove hook-1
    """
    with session.open() as registry:
        gone = registry.hooks.remove(hook, change=change)
        session.emit(gone, said=f"{gone.name} {'would be' if change.dry_run else 'is'} removed")
