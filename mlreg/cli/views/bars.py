"""Intervals drawn as bars against zero, in block characters or in plain ASCII."""

from __future__ import annotations

import math
import os
import sys
from typing import NamedTuple

WIDTH = 11


class Pen(NamedTuple):
    """The characters of a drawing; `beyond` marks an end that lies outside it."""

    zero: str
    left: str
    line: str
    right: str
    mark: str
    beyond: tuple[str, str]


LINES = Pen("┊", "├", "─", "┤", "●", ("◂", "▸"))
ASCII = Pen("|", "[", "-", "]", "o", ("<", ">"))


def pen() -> Pen:
    """What stdout can show: ASCII alone in pipes, on dumb terminals and outside of UTF-8."""
    can_draw = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    is_utf = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return LINES if can_draw and is_utf else ASCII


def bar(
    low: float, mark: float | None, high: float, *, reach: float, pen: Pen, width: int = WIDTH
) -> str:
    """The interval from low to high on a scale from -reach to reach; zero stands in the middle."""
    middle = width // 2
    cells = [" "] * width
    ends = [_place(value, reach, middle) for value in (low, high)]
    first, last = (min(max(end, 0), width - 1) for end in ends)
    cells[first : last + 1] = pen.line * (last - first + 1)
    cells[first] = pen.left if first == ends[0] else pen.beyond[0]
    cells[last] = pen.right if last == ends[1] else pen.beyond[1]
    cells[middle] = pen.zero
    if mark is not None:
        cells[min(max(_place(mark, reach, middle), 0), width - 1)] = pen.mark
    return "".join(cells)


def _place(value: float, reach: float, middle: int) -> int:
    if math.isinf(value) or not reach:
        return middle + int(math.copysign(middle + 1, value)) if value else middle
    # Away from zero, so that an interval is never drawn as touching a zero that it excludes.
    steps = abs(value) / reach * middle
    return middle + int(math.copysign(math.ceil(round(steps, 9)), value))
