"""`mlreg abtest conclude`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.kit.parameters import flag
from mlreg.cli.options import TEST, ChangeOptions
from mlreg.cli.session import SessionOptions


def conclude(
    session: SessionOptions,
    change: ChangeOptions,
    test_id: str = TEST,
    promote_winner: bool = flag("--promote-winner", "Give the winner all traffic."),
    force: bool = flag("--force", "Also without a verdict or against a gate; needs --reason."),
) -> None:
    """End a test with its verdict.

    Without one it is refused: exit code 11 where more data is needed, 10 where a gate failed.

    $ mlreg abtest conclude tone --promote-winner
    $ mlreg abtest conclude tone --force --reason "the season is over"
    """
    with session.open() as registry:
        found = registry.experiments.conclude(
            test_id, promote_winner=promote_winner, force=force, change=change
        )
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
