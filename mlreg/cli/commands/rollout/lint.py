"""`mlreg rollout lint`."""

from __future__ import annotations

from mlreg.cli.options import RefOptions
from mlreg.cli.rollouts import DraftOptions
from mlreg.cli.session import SessionOptions


def lint(session: SessionOptions, ref: RefOptions, draft: DraftOptions) -> None:
    """Say what a rollout would do, and what may go wrong with it.

    What is not said the policy of the model says. Nothing is changed.

    $ mlreg rollout lint sentiment@2.0.0 --steps 5,25,50,100 --interval 1h
    """
    with session.open_to_read() as registry:
        session.emit(registry.rollouts.lint(ref, draft))
