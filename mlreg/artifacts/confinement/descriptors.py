"""The descriptors that a confined process keeps."""

from __future__ import annotations

from typing import NamedTuple


class Descriptors(NamedTuple):
    """Those that the worker was given, and what may be done with them.

    Attributes:
        last: None up to this one can be closed or replaced.
        written: Those that may be written to.
        received: The one that other descriptors come through.
    """

    last: int
    written: tuple[int, ...]
    received: int
