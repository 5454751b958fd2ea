"""`mlreg abtest assign`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import option
from mlreg.cli.options import TEST
from mlreg.cli.session import SessionOptions


def assign(
    session: SessionOptions,
    test_id: str = TEST,
    user: str | None = option("--user U", "Whom it is about."),
) -> None:
    """Say which arm of a test answers, for a program that runs its own models.

    $ mlreg abtest assign tone --user u17
    $ mlreg abtest assign tone --user u17 --field version
    """
    with session.open() as registry:
        session.emit(registry.external.assign(test_id, unit=user))
