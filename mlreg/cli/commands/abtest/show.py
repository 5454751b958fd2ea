"""`mlreg abtest show`."""

from __future__ import annotations

from mlreg.cli.options import TEST
from mlreg.cli.session import SessionOptions


def show(session: SessionOptions, test_id: str = TEST) -> None:
    """Show the whole design of a test, its state and its phases.

    $ mlreg abtest show tone
    $ mlreg abtest show tone --field design.alpha
    """
    with session.open_to_read() as registry:
        session.emit(registry.experiments.get(test_id))
