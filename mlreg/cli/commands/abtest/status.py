"""`mlreg abtest status`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import StandingList


def status(
    session: SessionOptions,
    test_id: str | None = argument(
        "[ID]", "The experiment; else all that run.", complete="experiment"
    ),
) -> None:
    """Say how a test stands, without a look: its split, what its arms have gathered, the last look.

    $ mlreg abtest status
    $ mlreg abtest status tone --field experiments.status
    """
    with session.open_to_read() as registry:
        session.emit(StandingList(experiments=list(registry.experiments.status(test_id))))
