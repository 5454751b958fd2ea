"""`mlreg next`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.kit.completion import complete_model
from mlreg.cli.session import SessionOptions


def next_(
    session: SessionOptions,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The model.", autocompletion=complete_model)
    ],
) -> None:
    """Say which versions could be registered next.

    $ mlreg next sentiment
    $ mlreg register sentiment@$(mlreg next sentiment --field minor) model.joblib
    """
    with session.open() as registry:
        session.emit(registry.versions.next(name))
