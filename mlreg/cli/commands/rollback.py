"""`mlreg rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.changes import emit_change
from mlreg.cli.kit.completion import complete_selector
from mlreg.cli.options import ChangeOptions, LimitOption, NameArgument, parser, whole_number
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import RollbackList


def rollback(
    session: SessionOptions,
    change: ChangeOptions,
    name: NameArgument = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="Give this version, which served before, all traffic.",
            autocompletion=complete_selector,
        ),
    ] = None,
    to_revision: Annotated[
        int | None,
        typer.Option(
            "--to-revision",
            metavar="N",
            parser=parser(whole_number),
            help="Take the split of this revision.",
        ),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="List the rollbacks instead of making one.")
    ] = False,
    limit: LimitOption = 20,
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
