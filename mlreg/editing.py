"""Changes of settings: in a registry's file and in the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlreg import files, user
from mlreg.config import FILE, find_setting
from mlreg.errors import InvalidInput
from mlreg.names import safe

_OWN, _SHOWN = 0o600, 0o644


class Edit(NamedTuple):
    """A change of one setting in a file: what stands there, what will, and the file's new text."""

    path: Path
    before: object
    after: object
    text: str

    def write(self, mode: int = _SHOWN) -> None:
        """Have the file say so, whole or not at all.

        Raises:
            StoreError: The disk does not take it.
        """
        files.replace(self.path, self.text.encode(), mode=mode)


def edit_setting(folder: Path, name: str, raw: str | None) -> Edit:
    """Set a value in a folder's file, or with None take it out; comments stay as they are.

    Nothing is written yet. Whoever writes it holds a lock since before this call.

    Raises:
        InvalidInput: There is no such setting, it cannot be this, or the file cannot be read.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    setting, path = find_setting(name), folder / FILE
    value = None if raw is None else setting.parse(raw, "the command line")
    try:
        document = tomlkit.parse((files.read_small(path) or b"").decode())
    except (files.Unusable, UnicodeDecodeError, TOMLKitError) as problem:
        raise InvalidInput(f"{safe(str(path))} cannot be changed: {problem}") from None
    before = document.unwrap().get(name)
    if value is None:
        document.pop(name, None)
    else:
        document[name] = value
    return Edit(path, before, value, tomlkit.dumps(document))


def write_own_setting(name: str, raw: str | None) -> None:
    """Set a value in the user's own file, or with None take it out.

    Raises:
        InvalidInput: There is no such setting, or it cannot be this.
        KeyUnusable: The user has no home.
        StoreError: The disk does not take it.
    """
    place = user.make_folder()
    with files.locked(place / user.LOCK):
        edit_setting(place, name, raw).write(_OWN)


def as_toml(document: Mapping[str, Any]) -> str:
    """A document as TOML, as people write it."""
    import tomlkit

    return tomlkit.dumps(document)
