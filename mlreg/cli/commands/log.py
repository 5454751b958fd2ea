"""`mlreg log`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.options import LimitOption, ModelOption, SinceOption, VersionOption, moment
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import PredictionLog


def log(
    session: SessionOptions,
    model: ModelOption = None,
    version: VersionOption = None,
    since: SinceOption = None,
    errors: Annotated[bool, typer.Option("--errors", help="Only failed ones.")] = False,
    limit: LimitOption = 20,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with new ones as they come, until Ctrl-C.")
    ] = False,
) -> None:
    """List logged predictions.

    The newest ones, the oldest of them first. With --follow and --json it is one object a line.

    $ mlreg log --errors --since 24h
    $ mlreg log -n 3 --json
    $ mlreg log --follow
    """
    with session.open() as registry:
        rows = registry.predictions.log(
            model=model, version=version, errors=errors, since=moment(since), limit=limit
        )
        if follow:
            from mlreg.cli.streams.following import follow_log

            follow_log(session, registry, rows, model=model, version=version, errors=errors)
        else:
            session.emit(PredictionLog(predictions=rows))
