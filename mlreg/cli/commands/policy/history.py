"""`mlreg policy history`."""

from __future__ import annotations

from mlreg.cli.options import LIMIT, NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import PolicyList


def history(session: SessionOptions, name: NameOptions, limit: int = LIMIT) -> None:
    """List the policies of a model.

    $ mlreg policy history sentiment
    $ mlreg policy history sentiment --field policies.reason
    """
    with session.open_to_read() as registry:
        model = registry.policies.current(name).model
        found = registry.policies.history(model, limit=limit)
        session.emit(PolicyList(model=model, policies=found))
