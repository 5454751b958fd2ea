"""`mlreg status`."""

from __future__ import annotations

from mlreg.cli.options import NameOptions
from mlreg.cli.session import SessionOptions


def status(session: SessionOptions, name: NameOptions) -> None:
    """Show who serves, how it does, what is wrong and what comes next.

    Figures are those of the last 24 hours, and the hour that they begin in. More say perf, alerts,
    rollout status, abtest status and next-steps.

    $ mlreg status
    $ mlreg status sentiment --json
    $ mlreg status --field models.alerts.state
    """
    with session.open_to_read() as registry:
        session.emit(registry.status(name))
