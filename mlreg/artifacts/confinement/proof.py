"""What a confined process can still reach: it tries, and says what worked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def attempt_all(path: str) -> list[str]:
    """Try what a hostile model would, harmlessly; name what was not denied.

    Args:
        path: A file that does not exist, where the user may make one.
    """
    attempts: dict[str, Callable[[], object]] = {
        "make a file": lambda: os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600)),
        "read a file": lambda: Path("/etc/passwd").open("rb").close(),
        "open a socket": _open_socket,
        "start a process": _start_process,
        "signal its parent": lambda: os.kill(os.getppid(), 0),
    }
    return [name for name, attempt in attempts.items() if _works(attempt)]


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _open_socket() -> None:
    import socket

    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def _start_process() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
