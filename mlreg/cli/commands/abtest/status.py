"""`mlreg abtest status`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.completion import complete_experiment
from mlreg.cli.records import ExperimentList
from mlreg.cli.session import SessionOptions


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
    """Say how a test stands, without a look: its state, its split and how long it has run.

    $ mlreg abtest status
    $ mlreg abtest status tone --field experiments.status
    """
    with session.open() as registry:
        named = [registry.experiments.get(test_id)] if test_id is not None else None
        found = registry.experiments.list(state="running") if named is None else named
        session.emit(ExperimentList(experiments=list(found)))
