"""`mlreg alerts`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import flag
from mlreg.cli.options import LIMIT, MODEL
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import AlertList
from mlreg.errors import InvalidInput


def listing(
    session: SessionOptions,
    model: str | None = MODEL,
    active: bool = flag("--active", "Those alone that are pending or firing: the default."),
    history: bool = flag("--history", "Those that are over as well."),
    limit: int = LIMIT,
) -> None:
    """List, acknowledge and silence alerts.

    An alert is pending while a threshold is broken for less long than it says, fires then, and is
    over when the threshold has held for as long again.

    $ mlreg alerts
    $ mlreg alerts --history --field alerts.threshold
    $ mlreg alerts ack 3
    $ mlreg alerts silence sentiment --for 2h --reason "the upstream is down"
    """
    if active and history:
        raise InvalidInput("--active and --history exclude one another")
    with session.open_to_read() as registry:
        found = registry.alerts.list(model=model, is_active=not history, limit=limit)
        none = "no alerts" if history else "no alert is pending or firing"
        session.emit(AlertList(alerts=found), said=None if found else none)
