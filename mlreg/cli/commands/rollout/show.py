"""`mlreg rollout show`."""

from __future__ import annotations

from mlreg.cli.options import ROLLOUT
from mlreg.cli.session import SessionOptions


def show(session: SessionOptions, name: str | None = ROLLOUT) -> None:
    """Show the plan of a rollout, its state and its steps.

    $ mlreg rollout show sentiment
    $ mlreg rollout show 'sentiment#1' --field plan.checks
    """
    with session.open_to_read() as registry:
        session.emit(registry.rollouts.get(name))
