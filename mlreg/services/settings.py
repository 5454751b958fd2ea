"""Changes of a registry's settings: each is an event of the audit trail."""

from __future__ import annotations

from pathlib import Path

from mlreg import clock
from mlreg.config import DATABASE, VITAL, load_settings
from mlreg.editing import edit_setting
from mlreg.entities.traffic import Change
from mlreg.errors import InvalidInput
from mlreg.names import check_text
from mlreg.ownership import check_own
from mlreg.services.context import system_user
from mlreg.store.store import Store

_TIMEOUT = 15.0


def change_setting(folder: Path, name: str, raw: str | None, change: Change) -> None:
    """Set a value in the registry's file, or with None take it out, and record that.

    The file may hold a value that is wrong: this is how it is mended.

    Raises:
        NotFound: There is no such model.
        InvalidInput: There is no such setting, it cannot be this, or the file cannot be read.
        ArtifactUntrusted: Other users could change the registry.
        StoreError: The file or the audit trail cannot be written.
    """
    if not load_settings(None).flag("allow_shared"):
        check_own(folder, VITAL)
    actor = check_text(change.actor or _actor(folder), "actor", longest=256)
    store = Store(folder / DATABASE, timeout=_TIMEOUT)
    try:
        # The store's lock is the file's too: of two who write at once, the second sees the first.
        with store.write() as tx:
            if name == "model" and raw:
                tx.models.get(raw)  # it has to be there
            edit = edit_setting(folder, name, raw)
            if edit.before == edit.after:
                return
            tx.events.append(
                action="config",
                object=name,
                actor=actor,
                at=clock.now(),
                reason=check_text(change.reason, "reason"),
                before={name: edit.before},
                after={name: edit.after},
            )
            edit.write()
    finally:
        store.close()


def _actor(folder: Path) -> str:
    try:
        return load_settings(folder).text("actor") or system_user()
    except InvalidInput:
        return system_user()
