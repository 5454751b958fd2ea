"""`mlreg attach`."""

from __future__ import annotations

from pathlib import Path

from mlreg.cli.commands.register import INPUT, NO_CHECK, TRUST, suggest_next
from mlreg.cli.kit.parameters import argument
from mlreg.cli.options import REF, AuthorOptions
from mlreg.cli.session import SessionOptions, path
from mlreg.entities.versions import InputKind


def attach(
    session: SessionOptions,
    change: AuthorOptions,
    ref: str = REF,
    artifact: Path = argument("ARTIFACT", "A joblib or pickle file.", path),
    input: InputKind | None = INPUT,
    trust: bool = TRUST,
    no_check: bool = NO_CHECK,
) -> None:
    """Give a version that has only metadata its artifact, once.

    $ mlreg attach sentiment@1.1.0 model.joblib
    """
    with session.open(worker=not no_check) as registry:
        version = registry.versions.attach(
            ref, artifact, input=input, trust=trust, check=not no_check, change=change
        )
        session.emit(version)
        suggest_next(session, registry, version)
