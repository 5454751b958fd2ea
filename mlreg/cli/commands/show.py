"""`mlreg show`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.kit.completion import complete_ref
from mlreg.cli.session import SessionOptions


def show(
    session: SessionOptions,
    ref: Annotated[
        str | None,
        typer.Argument(
            metavar="[REF]",
            show_default=False,
            help="A version (name@1.2.0, an id), or a model's name.",
            autocompletion=complete_ref,
        ),
    ] = None,
) -> None:
    """Show everything about a version, or about a model.

    $ mlreg show sentiment@champion
    $ mlreg show sentiment
    """
    with session.open() as registry:
        if ref and ("@" in ref or ref.startswith(("model-", "models:"))):
            session.emit(registry.versions.get(ref))
        else:
            session.emit(registry.versions.overview(ref))
