"""`mlreg audit`."""

from __future__ import annotations

from mlreg.cli.kit.values import moment
from mlreg.cli.options import MODEL, SINCE
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import EventList


def audit(
    session: SessionOptions,
    model: str | None = MODEL,
    since: str | None = SINCE,
) -> None:
    """List who changed what, when and why.

    With --json one event a line, each with the state before and after, and a hash that covers the
    event and the hash of the one before it.

    $ mlreg audit --model sentiment --since 7d
    $ mlreg audit --json > audit.jsonl
    """
    with session.open_to_read() as registry:
        events = registry.audit.events(model=model, since=moment(since))
        session.emit_all(events, EventList(events=events))
