"""Artifacts on their way in: stored under their digest, looked at, dropped if unwanted."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlreg.entities.versions import InputKind, Signature
from mlreg.errors import Conflict, MlregError, MlregWarning
from mlreg.services.context import Context
from mlreg.services.version_details import confirm
from mlreg.store.versions import StoredArtifact

if TYPE_CHECKING:
    from mlreg.artifacts.objects import Stored
    from mlreg.services.trust import Trust


def take_in(
    context: Context,
    artifact: object,
    *,
    trust: Trust | None,
    check: bool,
    kind: InputKind | None,
) -> StoredArtifact:
    """Store an artifact's bytes and find out what they are.

    Args:
        context: The registry.
        artifact: A path, bytes, or a fitted object.
        trust: Who seals it, where it may run any code.
        check: Whether it is loaded to see what it is.
        kind: What it takes, where that was said.
    """
    if trust is not None:
        trust.prepare()
    stored, is_trusted = _stored(context, artifact), trust is not None
    try:
        flavor, signature = "sklearn", Signature(input=kind or "text")
        if check:
            flavor, signature, notes = context.runner.inspect(stored.digest, trusted=is_trusted)
            signature = confirm(signature, kind)
            for note in notes:
                warnings.warn(note, MlregWarning, stacklevel=5)
    except BaseException:
        if stored.created:
            discard(context, stored.digest)
        raise
    return StoredArtifact(flavor, stored.digest, stored.size_bytes, signature, is_trusted)


def check_object(context: Context, stored: StoredArtifact) -> None:
    """Make sure that the bytes are there still, under the lock.

    Raises:
        Conflict: Another process has dropped the same bytes between our storing and this lock.
    """
    if not context.objects.exists(stored.digest):
        raise Conflict("another process removed the same artifact just now", hint="try again")


def drop_unused(context: Context, stored: StoredArtifact | None) -> None:
    """Drop what was taken in for nothing."""
    if stored:
        with suppress(MlregError):  # the error under way says more than a leftover object
            discard(context, stored.digest)


def discard(context: Context, digest: str) -> None:
    """Drop an object that no version uses."""
    # Under the write lock, so that nobody can begin to use the object meanwhile.
    with context.store.write() as tx:
        if not tx.versions.is_object_used(digest):
            context.objects.discard(digest)


def _stored(context: Context, artifact: object) -> Stored:
    if isinstance(artifact, str | Path):
        limit = int(context.settings.number("max_artifact_mb")) << 20
        return context.objects.put_file(Path(artifact), max_bytes=limit)
    if isinstance(artifact, bytes):
        return context.objects.put_bytes(artifact)
    from mlreg.artifacts.pickling import dump

    return context.objects.put_bytes(dump(artifact))
