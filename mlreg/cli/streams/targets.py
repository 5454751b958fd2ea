"""Files that are written anew: what stood there stays until there is something in its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlreg.errors import InvalidInput
from mlreg.names import safe


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what shall stand under a name.

    It is a file beside it, which takes the name at the end, and after an error as well, if
    anything was written to it; a device or a pipe is written to itself.

    Raises:
        OSError: Nothing can be written there.
        InvalidInput: The file that was written cannot take the name.
    """
    target = Path(os.path.realpath(path))
    is_there = target.exists()
    if is_there and not target.is_file():
        yield path
        return
    if is_there:
        target.open("r+b").close()  # so that what forbids it is said before a model is asked
    part = target.with_name(f".mlreg-{os.urandom(6).hex()}")
    part.open("xb").close()
    try:
        if is_there:
            part.chmod(stat.S_IMODE(target.stat().st_mode))
        yield part
    finally:
        if part.stat().st_size:
            _rename(part, target)
        else:
            part.unlink()


def _rename(part: Path, target: Path) -> None:
    try:
        part.replace(target)
    except OSError as error:
        raise InvalidInput(
            f"{safe(str(target))} cannot be replaced: {error.strerror}",
            hint=f"what was written is in {safe(str(part))}",
        ) from None
