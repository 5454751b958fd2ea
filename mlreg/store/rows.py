"""Reading a row back: whatever cannot be read is damage, which names its table and row."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from mlreg.errors import StoreDamaged
from mlreg.names import safe

if TYPE_CHECKING:
    from types import TracebackType

# What reading text, JSON, packed numbers and times raises where they are none.
UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    AttributeError,
    RecursionError,
    struct.error,
)


class restored:  # noqa: N801  # reads as the words of a sentence: with restored("versions", 7)
    """A block in which one stored row is read.

    Args:
        table: The table it is in.
        key: What tells it from the others.

    Raises:
        StoreDamaged: The block could not make sense of it.
    """

    __slots__ = ("_key", "_table")

    def __init__(self, table: str, key: object) -> None:
        self._table = table
        self._key = key

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, UNREADABLE):
            raise damaged(self._table, self._key) from error


def damaged(table: str, key: object) -> StoreDamaged:
    """The error that a row cannot be read."""
    return StoreDamaged(
        f"the registry is damaged: row {safe(str(key), longest=60)} of {table} cannot be read",
        hint="run: mlreg doctor",
    )
