"""Changes of traffic: made, then shown with what was before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlreg import clock
from mlreg.entities.documents import RevisionChange, Sentence

if TYPE_CHECKING:
    from mlreg.cli.session import Session
    from mlreg.entities.traffic import Revision
    from mlreg.registry import Registry


def emit_change(session: Session, registry: Registry, change: Callable[[], Revision]) -> None:
    """Make a change of traffic and show it; people also see the split before it."""
    started = clock.from_micros(clock.now())
    after = change()
    if session.is_for_people:
        show_change(session, registry, after, is_new=after.created_at >= started)
    else:
        session.emit(after)


def show_change(session: Session, registry: Registry, after: Revision, *, is_new: bool) -> None:
    """Show people a change of traffic, with the split before it and what happened beside it."""
    past = registry.traffic.history(after.model, limit=2)
    before = next((revision for revision in past if revision.number < after.number), None)
    told = registry.audit.events(model=after.model, since=after.created_at) if is_new else []
    beside = [event for event in told if event.time == after.created_at]
    session.emit(RevisionChange(before=before, after=after, is_new=is_new, beside=beside))


def show_split(session: Session, registry: Registry, model: str, *, dry_run: bool) -> None:
    """Show people what a command beside its result has done to a model's traffic."""
    if session.is_for_people and not dry_run:
        after, *past = registry.traffic.history(model, limit=2)
        session.emit(Sentence(text=""))
        before = past[0] if past else None
        session.emit(RevisionChange(before=before, after=after, is_new=True, beside=[]))
