"""`mlreg doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.session import SessionOptions
from mlreg.errors import ArtifactError, StoreError

_ARTIFACTS = "artifacts"


def doctor(
    session: SessionOptions,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First work out the summaries anew from the log.")
    ] = False,
) -> None:
    """Check that the registry holds what it promises.

    Ends with 0 where nothing failed, with 5 where only artifacts did, else with 6. Warnings do
    not count.

    $ mlreg doctor
    """
    with session.open() as registry:
        if rebuild:
            registry.health.rebuild_summaries()
        diagnosis = registry.health.check()
        session.emit(diagnosis)
    failed = [finding for finding in diagnosis.findings if finding.state == "failed"]
    if failed:
        kind = ArtifactError if {f.check for f in failed} == {_ARTIFACTS} else StoreError
        count = "a check" if len(failed) == 1 else f"{len(failed)} checks"
        message = f"{count} failed; {failed[0].check}: {failed[0].detail}"
        raise kind(message, hint="restore what is damaged from a backup, or register it again")
