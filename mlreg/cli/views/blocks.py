"""What a view is made of, and its plain form for pipes: aligned columns, full width, no colour."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mlreg.names import safe

_LONGEST = 100_000


class Cell(NamedTuple):
    """A piece of text with a style, in the words of Rich; plain text has none."""

    text: str
    style: str = ""


GOOD, BAD = Cell("✓", "green"), Cell("✗", "bold red")
ODD, UNKNOWN = Cell("!", "yellow"), Cell("?", "yellow")

Content = str | Cell


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        wraps: Its text may be broken on a narrow terminal.
        cut: Its text may be cut there, so that a row stays a line.
    """

    title: str
    right: bool = False
    wraps: bool = False
    cut: bool = False


class Table(NamedTuple):
    """Rows below a line of titles."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Content]]
    title: str = ""


class Fields(NamedTuple):
    """Names with their values, one a line."""

    rows: Sequence[tuple[str, Content]]


class Line(NamedTuple):
    """A line of text, such as a heading or a sentence."""

    text: str
    style: str = ""


Block = Table | Fields | Line


def text_of(content: Content) -> str:
    """The text of a cell, safe to show."""
    return safe(content if isinstance(content, str) else content.text, longest=_LONGEST)


def plain(blocks: Iterable[Block]) -> str:
    """The blocks as text for a pipe."""
    return "".join(f"{line}\n" for block in blocks for line in _lines(block))


def _lines(block: Block) -> list[str]:
    if isinstance(block, Line):
        return [text_of(block.text)]
    if isinstance(block, Fields):
        return _aligned([(f"{name}:", value) for name, value in block.rows], [False, False])
    titles: list[Content] = [column.title for column in block.columns]
    lines = _aligned([titles, *block.rows], [column.right for column in block.columns])
    return [block.title, *lines] if block.title else lines


def _aligned(rows: Sequence[Sequence[Content]], right: list[bool]) -> list[str]:
    texts = [[text_of(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
    return ["  ".join(map(_padded, row, widths, right)).rstrip() for row in texts]


def _padded(text: str, width: int, right: bool) -> str:
    gap = " " * (width - _width(text))
    return gap + text if right else text + gap


def _width(text: str) -> int:
    """How many cells of a terminal the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)
