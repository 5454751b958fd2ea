"""`mlreg rollout resume`."""

from __future__ import annotations

from mlreg.cli.options import ROLLOUT, ChangeOptions
from mlreg.cli.session import SessionOptions


def resume(session: SessionOptions, change: ChangeOptions, name: str | None = ROLLOUT) -> None:
    """Go on with a rollout that is paused.

    $ mlreg rollout resume sentiment
    """
    with session.open() as registry:
        session.emit(registry.rollouts.resume(name, change=change))
