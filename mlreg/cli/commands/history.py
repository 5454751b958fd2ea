"""`mlreg history`."""

from __future__ import annotations

from mlreg.cli.options import LIMIT, NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import RevisionList


def history(
    session: SessionOptions,
    name: NameOptions,
    limit: int = LIMIT,
) -> None:
    """List the revisions of a model's traffic.

    Each change of traffic is one, the newest first: when, who, why, and the split from then on.

    $ mlreg history sentiment --limit 5
    """
    with session.open_to_read() as registry:
        # The model's own spelling, and its name where none was given.
        model = registry.traffic.current(name).model
        revisions = registry.traffic.history(model, limit=limit)
        session.emit(RevisionList(model=model, revisions=revisions))
