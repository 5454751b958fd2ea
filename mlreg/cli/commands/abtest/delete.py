"""`mlreg abtest delete`."""

from __future__ import annotations

from mlreg.cli.options import DRY_RUN, TEST, AuthorOptions
from mlreg.cli.session import SessionOptions


def delete(
    session: SessionOptions,
    change: AuthorOptions,
    test_id: str = TEST,
    dry_run: bool = DRY_RUN,
) -> None:
    """Delete the draft of a test.

    One that has started stays, with all that it found; end it with stop or conclude.

    $ mlreg abtest delete tone
    """
    from dataclasses import replace

    with session.open() as registry:
        gone = registry.experiments.delete(test_id, change=replace(change, dry_run=dry_run))
        session.emit(gone, said=f"{gone.test_id} {'would be' if dry_run else 'is'} deleted")
