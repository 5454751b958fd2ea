"""`mlreg rollback`."""

from __future__ import annotations

from mlreg.cli.changes import emit_change
from mlreg.cli.kit.parameters import flag, option
from mlreg.cli.kit.values import whole_number
from mlreg.cli.options import LIMIT, ChangeOptions, NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import RollbackList


def rollback(
    session: SessionOptions,
    name: NameOptions,
    change: ChangeOptions,
    to: str | None = option(
        "--to VERSION", "Give this version, which served before, all traffic.", complete="selector"
    ),
    to_revision: int | None = option(
        "--to-revision N", "Take the split of this revision.", whole_number
    ),
    history: bool = flag("--history", "List the rollbacks instead of making one."),
    limit: int = LIMIT,
) -> None:
    """Put an earlier state of the traffic in force again.

    By default the revision before the present one that still can serve. A rollback is a new
    revision, so that a second one undoes the first.

    $ mlreg rollback sentiment --reason "complaints since noon"
    $ mlreg rollback sentiment --to 1.0.0
    $ mlreg rollback sentiment --history
    """
    with session.open() as registry:
        if history:
            session.emit(RollbackList(rollbacks=registry.traffic.rollbacks(name, limit=limit)))
            return
        emit_change(
            session,
            registry,
            lambda: registry.traffic.rollback(
                name, to_version=to, to_revision=to_revision, change=change
            ),
        )
    session.suggest("mlreg history")
