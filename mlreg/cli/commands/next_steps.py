"""`mlreg next-steps`."""

from __future__ import annotations

from mlreg.cli.options import NameOptions
from mlreg.cli.session import SessionOptions


def next_steps(session: SessionOptions, name: NameOptions) -> None:
    """Say what will happen when, if nothing changes.

    The same as `mlreg tick --plan`: what the next tick does, and what pending alerts and rollouts
    wait for.

    $ mlreg next-steps
    $ mlreg next-steps sentiment --field upcoming.what
    """
    with session.open_to_read() as registry:
        session.emit(registry.tick(model=name, foresees=True))
