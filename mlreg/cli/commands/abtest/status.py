"""`mlreg abtest status`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.kit.completion import complete_experiment
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import StandingList


def status(
    session: SessionOptions,
    test_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            show_default=False,
            help="The experiment; else all that run.",
            autocompletion=complete_experiment,
        ),
    ] = None,
) -> None:
    """Say how a test stands, without a look: its split, what its arms have gathered, the last look.

    $ mlreg abtest status
    $ mlreg abtest status tone --field experiments.status
    """
    with session.open() as registry:
        session.emit(StandingList(experiments=list(registry.experiments.status(test_id))))
