"""`mlreg promote`."""

from __future__ import annotations

from mlreg.cli.changes import emit_change
from mlreg.cli.options import ChangeOptions, RefOptions
from mlreg.cli.session import SessionOptions


def promote(
    session: SessionOptions,
    ref: RefOptions,
    change: ChangeOptions,
) -> None:
    """Give a version all traffic and the alias champion.

    What served before stays the target of the next rollback.

    $ mlreg promote sentiment@2.0.0 --reason "accuracy +4 points, p = 0.003"
    """
    with session.open() as registry:
        emit_change(session, registry, lambda: registry.traffic.promote(ref, change=change))
    session.suggest("mlreg rollback, to undo it")
