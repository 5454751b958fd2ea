"""What is the user's own and no registry's: `~/.config/mlreg`, with settings, a key, and whom it
trusts.

A process without a home reads nothing and goes on; only what needs the key then fails.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mlreg import files
from mlreg.errors import KeyUnusable
from mlreg.names import safe

FOLDER = "mlreg"
KEY = "key"
LOCK = ".lock"
KEY_BYTES = 32
_NO_HOME = "this user has no home, and so no place for settings or a key"


def folder() -> Path | None:
    """`$XDG_CONFIG_HOME/mlreg`, else `~/.config/mlreg`; None for a user without a home."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):
        home = os.environ.get("HOME", "")
        home = home if os.path.isabs(home) else _home_of_account()
        base = os.path.join(home, ".config") if home else ""
    return Path(base, FOLDER) if base else None


def _home_of_account() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return ""


def make_folder() -> Path:
    """The user's folder, made if need be, for this user alone.

    Raises:
        KeyUnusable: The user has no home.
        StoreError: It cannot be made.
    """
    found = folder()
    if found is None:
        raise KeyUnusable(_NO_HOME, hint="set HOME or XDG_CONFIG_HOME")
    with files.disk_errors(found):
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def read(path: Path, mode: int = files.OTHERS_WRITE) -> bytes | None:
    """A file of the user's folder; None where there is none, or the way to it is barred.

    Args:
        path: The file.
        mode: The bits of its mode that nobody else may have.

    Raises:
        files.Unusable: It, or its folder, is somebody else's or open to them, or it is no file.
    """
    try:
        above = path.parent.stat()
    except OSError:
        return None  # such as for a daemon that was started with the home of somebody else
    if not os.access(path.parent, os.X_OK):
        return None
    data = files.read_small(path, check=lambda status: files.stranger(status, mode))
    if data is not None and (problem := files.stranger(above)):
        raise files.Unusable(f"lies in a folder that {problem}")
    return data


def find_key() -> bytes | None:
    """The user's secret key; None where none was made yet.

    Raises:
        KeyUnusable: There is one, and it is damaged or others can read it.
    """
    place = folder()
    if place is None:
        return None
    path = place / KEY
    try:
        data = read(path, files.OTHERS_READ)
    except files.Unusable as problem:
        raise KeyUnusable(
            f"your key {safe(str(path))} {problem}",
            hint=f"make it yours alone: chmod 600 {safe(str(path))}; if others have seen it, "
            "remove it: a new one is made, and what it trusted has to be accepted again",
        ) from None
    if data is not None and len(data) != KEY_BYTES:
        raise KeyUnusable(
            f"your key {safe(str(path))} is damaged: it has {len(data)} bytes and not {KEY_BYTES}",
            hint="restore it from a backup, or remove it: a new one is made, and what it trusted "
            "has to be accepted again",
        )
    return data


def ensure_key() -> bytes:
    """The user's secret key, made when it is first needed.

    Raises:
        KeyUnusable: It is damaged, others can read it, or there is no place for one.
        StoreError: It cannot be written.
    """
    found = find_key()
    if found is not None:
        return found
    place = make_folder()
    with files.locked(place / LOCK):
        found = find_key()  # another process may have made it meanwhile
        if found is None:
            found = os.urandom(KEY_BYTES)
            files.replace(place / KEY, found, mode=stat.S_IRUSR | stat.S_IWUSR)
    return found
