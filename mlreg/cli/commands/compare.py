"""`mlreg compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.kit.completion import complete_ref
from mlreg.cli.options import RefArgument
from mlreg.cli.session import SessionOptions


def compare(
    session: SessionOptions,
    left: RefArgument,
    right: Annotated[
        str,
        typer.Argument(
            metavar="REF", help="The one to compare it with.", autocompletion=complete_ref
        ),
    ],
) -> None:
    """Compare two versions, metric by metric, offline and live.

    $ mlreg compare sentiment@1.0.0 sentiment@2.0.0
    """
    with session.open() as registry:
        session.emit(registry.performance.compare(left, right))
