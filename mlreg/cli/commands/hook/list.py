"""`mlreg hook list`."""

from __future__ import annotations

from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import HookList


def list_(session: SessionOptions) -> None:
    """List the hooks, and whether you deliver them.

    Of an address only the host is shown: the rest may be secret.

    $ mlreg hook list
    $ mlreg hook list --field hooks.name
    """
    with session.open_to_read() as registry:
        session.emit(HookList(hooks=registry.hooks.list()))
