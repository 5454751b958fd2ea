"""`mlreg rollout pause`."""

from __future__ import annotations

from mlreg.cli.options import ROLLOUT, ChangeOptions
from mlreg.cli.session import SessionOptions


def pause(session: SessionOptions, change: ChangeOptions, name: str | None = ROLLOUT) -> None:
    """Let the traffic stay as it is for now.

    A check that breaks aborts it all the same.

    $ mlreg rollout pause sentiment
    """
    with session.open() as registry:
        session.emit(registry.rollouts.pause(name, change=change))
