"""What people say about a version, changed afterwards: its bytes and its number never are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlreg.entities.traffic import Change
from mlreg.entities.versions import Version
from mlreg.errors import InvalidInput, NotFound
from mlreg.names import safe
from mlreg.services.context import Context
from mlreg.services.version_details import check_details, tell


def describe(
    context: Context,
    ref: str,
    *,
    description: str | None,
    metrics: Mapping[str, float],
    tags: Iterable[str],
    untag: Iterable[str],
    change: Change,
) -> Version:
    """Keep what is said, and tell of it in the audit trail if that changes anything."""
    said = check_details(metrics, {}, tags, description or "")
    with context.store.write() as tx:
        before = context.version(tx, ref)
        gone = set(untag)
        if both := gone & set(said.tags):
            raise InvalidInput(f"the tag {safe(min(both))} is both given and taken away")
        if missing := gone - set(before.tags):
            raise NotFound(f"{before.ref} has no tag {safe(min(missing))}")
        fresh = [tag for tag in said.tags if tag not in before.tags]
        if description is not None:
            tx.versions.describe(before.key, said.description)
        tx.versions.drop_details(before.key, metrics=said.metrics, tags=gone)
        tx.versions.insert_details(before.key, metrics=said.metrics, metadata={}, tags=fresh)
        after = tx.versions.by_key(before.key)
        if after != before:
            tell(context, tx, "edit", after, change, before=before, after=after)
        return after
