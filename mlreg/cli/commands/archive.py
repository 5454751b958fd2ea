"""`mlreg archive`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.options import AuthorOptions, RefArgument
from mlreg.cli.session import SessionOptions


def archive(
    session: SessionOptions,
    ref: RefArgument,
    change: AuthorOptions,
    restore: Annotated[bool, typer.Option("--restore", help="Take it back.")] = False,
) -> None:
    """Retire a version so that it can get no traffic.

    $ mlreg archive sentiment@1.0.0 --reason "superseded"
    $ mlreg archive sentiment@1.0.0 --restore
    """
    with session.open() as registry:
        version = registry.versions.archive(ref, restore=restore, change=change)
        session.emit(version, said=f"{version.ref} is {version.status}")
