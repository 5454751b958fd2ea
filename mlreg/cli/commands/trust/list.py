"""`mlreg trust list`."""

from __future__ import annotations

from mlreg.cli.session import SessionOptions


def list_(session: SessionOptions) -> None:
    """List the versions that may run any code, and whose word you take for it.

    $ mlreg trust list
    $ mlreg trust list --field versions.standing
    """
    with session.open() as registry:
        session.emit(registry.trust.list())
