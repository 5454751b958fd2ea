"""Confinement: what a process that runs untrusted models is kept from, whatever the model does.

Three walls, each of which goes up where the system has it, and stands when another does not:

- `limits`: no byte into a file, no process, few descriptors, no privileges; on any system.
- `landlock`: no file but libraries is opened, none is changed; Linux 5.13. No TCP; 6.7. No signal
  to others; 6.12.
- `seccomp`: no system call but those that predicting needs; Linux on x86_64 and aarch64.

None can be taken down again. They are raised when all is imported and before the first artifact.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from mlreg.artifacts.confinement.descriptors import Descriptors

WALLS = ("limits", "landlock", "seccomp")
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

_FEW_FILES = 64
# Where the dynamic loader, Python and libraries look when something is imported late or asked
# for the time, a random number or the number of processors. Nothing here is anybody's own.
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/nix/store",
    "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/dev/null", "/dev/urandom",
    "/sys/devices/system/cpu", "/sys/fs/cgroup/cpu.max", "/proc/self/maps",
)  # fmt: skip
_IMPORTED = ("mlreg", "numpy", "scipy", "sklearn", "joblib", "threadpoolctl", "pandas")


class Wall(NamedTuple):
    """Whether a wall stands; if not, why."""

    stands: bool
    detail: str = ""


def raise_walls(wanted: Iterable[str], descriptors: Descriptors) -> dict[str, Wall]:
    """Raise walls around this process, and say which of them stand.

    Args:
        wanted: Names of walls.
        descriptors: Those that the process has, and what it needs them for.
    """
    os.chdir("/")
    raisers: dict[str, Callable[[], None]] = {
        "limits": _limit,
        "landlock": _landlock,
        "seccomp": lambda: _seccomp(descriptors),
    }
    with suppress(OSError):
        _forgo_privileges()
    return {wall: _raised(raisers[wall]) for wall in WALLS if wall in wanted}


def lower(what: int, value: int) -> None:
    """Lower a limit; some systems do not know it, and none lets it be raised again."""
    with suppress(ValueError, OSError):
        hard = resource.getrlimit(what)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (allowed, allowed))


def readable() -> Iterator[str]:
    """What a confined process may still read: libraries, and a few facts about the machine."""
    yield from _SYSTEM
    for home in {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}:
        yield from (f"{home}/lib", f"{home}/lib64")
    yield from (entry for entry in sys.path if entry.endswith("-packages"))
    # What lies elsewhere, such as mlreg in development: the package, and not the project around it.
    for module in filter(None, map(sys.modules.get, _IMPORTED)):
        yield from getattr(module, "__path__", [])


def _raised(raiser: Callable[[], None]) -> Wall:
    try:
        raiser()
    except OSError as error:
        return Wall(False, error.strerror or "unknown error")
    return Wall(True)


def _limit() -> None:
    lower(resource.RLIMIT_FSIZE, 0)
    lower(resource.RLIMIT_NOFILE, _FEW_FILES)
    if all(os.environ.get(name, "1") == "1" for name in THREADS):
        # On Linux this counts threads as well; it does not bind the superuser.
        lower(resource.RLIMIT_NPROC, 0)
    if sys.platform == "linux":
        lower(resource.RLIMIT_MSGQUEUE, 0)


def _forgo_privileges() -> None:
    if sys.platform == "linux":
        from mlreg.artifacts.confinement import kernel

        kernel.forgo_privileges()
        kernel.drop_capabilities()


def _landlock() -> None:
    _check_linux("Landlock")
    from mlreg.artifacts.confinement import landlock

    others = len(os.listdir("/proc/self/task")) - 1
    landlock.restrict(readable())
    if others:
        # It binds the thread that asks for it and those that come after.
        raise OSError(errno.EBUSY, f"{others} threads were there before it")


def _seccomp(descriptors: Descriptors) -> None:
    _check_linux("seccomp")
    from mlreg.artifacts.confinement import seccomp

    seccomp.install(descriptors)


def _check_linux(what: str) -> None:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, f"{what} is part of Linux only")
