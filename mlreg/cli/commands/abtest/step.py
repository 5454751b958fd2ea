"""`mlreg abtest step`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import percent
from mlreg.cli.options import TEST, ChangeOptions
from mlreg.cli.session import SessionOptions


def step(
    session: SessionOptions,
    change: ChangeOptions,
    test_id: str = TEST,
    to: float | None = option(
        "--to PCT", "Share of the treatments; else ten points more than now.", percent
    ),
) -> None:
    """Give the treatment of a canary more of the traffic.

    Each step is a revision and a phase of its own: the phases are compared within themselves, so
    that a change of the weights does not look like an effect.

    $ mlreg abtest step tone
    $ mlreg abtest step tone --to 50 --reason "no errors since Monday"
    """
    with session.open() as registry:
        found = registry.experiments.step(test_id, to=to, change=change)
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
