"""The few calls of the Linux kernel for which Python has no function."""

from __future__ import annotations

import ctypes
import os
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522
# Reading beyond modes: without it the superuser finds no library in the home of somebody else.
_CAP_DAC_READ_SEARCH = 2
_CAPGET = {"x86_64": 125, "aarch64": 90}


def call(number: int, *arguments: Any) -> int:
    """Make a system call; integers go as machine words.

    Raises:
        OSError: The kernel refuses.
    """
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def forgo_privileges() -> None:
    """No program that this process starts gains any, and nobody else may look into it."""
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0)):
        if _prctl(option, value):
            raise OSError(ctypes.get_errno(), "privileges cannot be given up")


def drop_capabilities() -> None:
    """Give up what the superuser may beyond others, but for reading."""
    number = _CAPGET.get(os.uname().machine)
    if number is None:
        return
    capability = 0
    while not _prctl(_PR_CAPBSET_DROP, capability):
        capability += 1
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable, for the lower 32 and then for the others.
    held = (ctypes.c_uint32 * 6)()
    call(number, header, held)
    kept = held[1] & 1 << _CAP_DAC_READ_SEARCH
    call(number + 1, header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0))


def _prctl(option: int, value: int) -> int:
    rest = (ctypes.c_ulong(each) for each in (value, 0, 0, 0))
    result: int = _libc.prctl(ctypes.c_int(option), *rest)
    return result
