"""`mlreg attach`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli.commands.register import InputOption, NoCheckOption, TrustOption
from mlreg.cli.options import AuthorOptions, RefArgument
from mlreg.cli.session import SessionOptions, path


def attach(
    session: SessionOptions,
    ref: RefArgument,
    artifact: Annotated[
        Path, typer.Argument(metavar="ARTIFACT", parser=path, help="A joblib or pickle file.")
    ],
    change: AuthorOptions,
    input: InputOption = None,  # the option's name
    trust: TrustOption = False,
    no_check: NoCheckOption = False,
) -> None:
    """Give a version that has only metadata its artifact, once.

    $ mlreg attach sentiment@1.1.0 model.joblib
    """
    with session.open(worker=not no_check) as registry:
        version = registry.versions.attach(
            ref, artifact, input=input, trust=trust, check=not no_check, change=change
        )
        session.emit(version)
    session.suggest(f"mlreg activate {version.ref}")
