"""`mlreg alerts show`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument
from mlreg.cli.kit.values import whole_number
from mlreg.cli.session import SessionOptions


def show(
    session: SessionOptions,
    alert: int = argument("ID", "The number of the alert.", whole_number),
) -> None:
    """Show an alert with what it rests on.

    $ mlreg alerts show 3
    $ mlreg alerts show 3 --field finding.sentence
    """
    with session.open_to_read() as registry:
        session.emit(registry.alerts.get(alert))
