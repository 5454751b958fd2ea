"""`mlreg abtest assign`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.options import ExperimentArgument
from mlreg.cli.session import SessionOptions


def assign(
    session: SessionOptions,
    test_id: ExperimentArgument,
    user: Annotated[
        str | None, typer.Option("--user", metavar="U", help="Whom it is about.")
    ] = None,
) -> None:
    """Say which arm of a test answers, for a program that runs its own models.

    $ mlreg abtest assign tone --user u17
    $ mlreg abtest assign tone --user u17 --field version
    """
    with session.open() as registry:
        session.emit(registry.external.assign(test_id, unit=user))
