"""`mlreg next`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument
from mlreg.cli.options import PRE
from mlreg.cli.session import SessionOptions


def next_(
    session: SessionOptions,
    name: str = argument("NAME", "The model.", complete="model"),
    pre: str | None = PRE,
) -> None:
    """Say which versions could be registered next.

    $ mlreg next sentiment
    $ mlreg next sentiment --pre rc
    $ mlreg register sentiment@$(mlreg next sentiment --field minor) model.joblib
    """
    with session.open_to_read() as registry:
        session.emit(registry.versions.next(name, pre=pre))
