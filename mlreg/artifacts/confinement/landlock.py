"""Landlock: from here on this thread, and all that it starts, opens only what was named before.

Linux 5.13 and later have it. What a ruleset handles and no rule grants is denied for good; each
version of the interface handles more, and an older kernel is asked for what it knows.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from mlreg.artifacts.confinement import kernel

# One number on all machines.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ASK_VERSION = 1
_BENEATH = 1

_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
# By the version that brought them: to execute, write, read, list, remove and make (13 rights), to
# move between folders, to truncate, to control devices.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
# To bind and to connect TCP sockets.
_NETWORK_RIGHTS = {4: 0b11}
# Abstract Unix sockets and signals stay among those who are restricted alike.
_SCOPES = {6: 0b11}


def version() -> int:
    """The version of the interface.

    Raises:
        OSError: There is none.
    """
    return kernel.call(_CREATE, None, 0, _ASK_VERSION)


def handled(abi: int) -> tuple[int, int, int]:
    """All that this version can deny: rights to files and to the network, and what is scoped."""
    kinds = (_FILE_RIGHTS, _NETWORK_RIGHTS, _SCOPES)
    files, network, scopes = (
        sum(bits for since, bits in kind.items() if since <= abi) for kind in kinds
    )
    return files, network, scopes


def restrict(readable: Iterable[str]) -> int:
    """Deny everything but reading these files and what lies beneath these folders.

    Returns:
        The version of the interface.

    Raises:
        OSError: The kernel has no Landlock, or it is switched off.
    """
    abi = version()
    attributes = (ctypes.c_uint64 * 3)(*handled(abi))
    ruleset = kernel.call(_CREATE, attributes, ctypes.sizeof(attributes), 0)
    try:
        for path in readable:
            _grant(ruleset, path)
        kernel.call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _grant(ruleset: int, path: str) -> None:
    """Let a path be read; one that does not exist needs no rule."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        # `struct landlock_path_beneath_attr`, which is packed.
        rule = struct.pack("=Qi", _READ_FILE | (_READ_FOLDER if is_folder else 0), handle)
        kernel.call(_ADD, ruleset, _BENEATH, ctypes.c_char_p(rule), 0)
    finally:
        os.close(handle)
