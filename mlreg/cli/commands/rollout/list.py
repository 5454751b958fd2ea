"""`mlreg rollout list`."""

from __future__ import annotations

from mlreg.cli.options import LIMIT, NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import RolloutList


def list_(session: SessionOptions, name: NameOptions, limit: int = LIMIT) -> None:
    """List the rollouts, the newest first.

    $ mlreg rollout list
    $ mlreg rollout list sentiment --field rollouts.state
    """
    with session.open_to_read() as registry:
        session.emit(RolloutList(rollouts=registry.rollouts.list(name, limit=limit)))
