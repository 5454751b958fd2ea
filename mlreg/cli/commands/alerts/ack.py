"""`mlreg alerts ack`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument
from mlreg.cli.kit.values import whole_number
from mlreg.cli.options import AuthorOptions
from mlreg.cli.session import SessionOptions


def ack(
    session: SessionOptions,
    change: AuthorOptions,
    alert: int = argument("ID", "The number of the alert.", whole_number),
) -> None:
    """Say that you have seen an alert and look after it.

    $ mlreg alerts ack 3 --reason "rolling out a fix"
    """
    with session.open() as registry:
        session.emit(registry.alerts.acknowledge(alert, change=change))
