"""Whether a registry is this user's: looked at before anything in it is believed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from mlreg.errors import ArtifactUntrusted
from mlreg.files import OTHERS_WRITE, stranger
from mlreg.names import safe

_REACH = 0o011


def check_own(folder: Path, inside: Iterable[str]) -> None:
    """Refuse a registry that others on this machine could fill with what they like.

    The folder and each file of it must be this user's or root's, and nobody else may write to
    them; nor may others be able to put another folder in its place from above.

    Args:
        folder: The registry's.
        inside: The names in it that matter, as far as they exist.

    Raises:
        ArtifactUntrusted: Something is somebody else's, or they can write to it.
    """
    place = os.fspath(folder)  # text: this is on the way of each command
    status = _look(place, OTHERS_WRITE)
    # Who cannot enter the folder cannot write to what is in it, whatever its mode says.
    mode = OTHERS_WRITE if status is None or status.st_mode & _REACH else 0
    for name in inside:
        _look(f"{place}/{name}", mode)
    above, below = os.path.dirname(os.path.realpath(place)), ""
    while above != below:
        if _can_be_swapped_in(os.stat(above)):
            raise _refused(place, above, "can be written by other users", "+t")
        above, below = os.path.dirname(above), above


def _look(path: str, mode: int) -> os.stat_result | None:
    """The status of what is there, if it is ours, and so is a link that leads to it."""
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            _refuse(path, stranger(status, 0))
            status = os.stat(path)
            mode = OTHERS_WRITE
    except FileNotFoundError:
        return None
    _refuse(path, stranger(status, mode))
    return status


def _refuse(path: str, problem: str) -> None:
    if problem:
        raise _refused(path, path, problem, "go-w")


def _refused(what: str, where: str, problem: str, change: str) -> ArtifactUntrusted:
    return ArtifactUntrusted(
        f"other users could change the registry {safe(what)}: {safe(where)} {problem}",
        hint=f"use one of your own, or make it yours and run: chmod {change} {safe(where)}; "
        "MLREG_ALLOW_SHARED=true accepts it",
    )


def _can_be_swapped_in(above: os.stat_result) -> bool:
    """Whether others can rename what lies in this folder: not where it has the sticky bit.

    A group of one's own, which many systems give each user, is nobody else.
    """
    if above.st_mode & stat.S_ISVTX:
        return False
    by_group = above.st_mode & stat.S_IWGRP and above.st_gid not in (0, os.getegid())
    return bool(above.st_mode & stat.S_IWOTH or by_group)
