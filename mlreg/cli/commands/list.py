"""`mlreg list`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.kit.completion import complete_model
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import VersionList
from mlreg.entities.versions import Status


def list_(
    session: SessionOptions,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            show_default=False,
            help="Only this model.",
            autocompletion=complete_model,
        ),
    ] = None,
    status: Annotated[Status | None, typer.Option("--status", help="Only these.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="T", help="Only with this.")] = None,
) -> None:
    """List versions with their status, traffic and requests.

    $ mlreg list
    $ mlreg list sentiment --status active --json
    """
    with session.open() as registry:
        session.emit(VersionList(models=registry.versions.list(name, status=status, tag=tag)))
