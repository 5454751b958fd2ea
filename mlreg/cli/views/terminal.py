"""Blocks on a terminal, by Rich: colour, and tables that fit its width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from mlreg.cli.stdout import write_text
from mlreg.cli.views.blocks import Block, Content, Fields, Line, Table, text_of

# How narrow a column that wraps may get: room for its longest word if it can be, else less.
_LEAST, _LONGEST_WORD, _NARROW = 12, 16, 8
_GAP = 2


def render(blocks: Iterable[Block]) -> None:
    """Print the blocks."""
    console = Console(highlight=False, emoji=False, markup=False, soft_wrap=False)
    # Rendered aside and written by our own hand, which knows what a failed write means.
    with console.capture() as captured:
        for block in blocks:
            console.print(_renderable(block, console.width))
    write_text(captured.get())


def _renderable(block: Block, room: int) -> RenderableType:
    if isinstance(block, Line):
        return Text(text_of(block.text), style=block.style)
    if isinstance(block, Fields):
        return _fields(block)
    return _table(block, _fitted(block, room))


def _fitted(block: Table, room: int) -> list[int] | None:
    """The width of each column, so that the table fits; None if it would have to be cut.

    The widest of the columns that may wrap gives way first. Rich would shrink all of them alike,
    below their least widths, and then cut off what is left.
    """
    cells = [[column.title, *(text_of(row[i]) for row in block.rows)]
             for i, column in enumerate(block.columns)]  # fmt: skip
    natural = [max(map(cell_len, texts)) for texts in cells]
    words = [max(_LEAST, min(_longest_word(texts), _LONGEST_WORD)) for texts in cells]
    for least in (words, [_LEAST] * len(words), [_NARROW] * len(words)):
        widths = list(natural)
        while sum(widths) + _GAP * (len(widths) - 1) > room:
            can_shrink = [
                i
                for i, column in enumerate(block.columns)
                if (column.wraps or column.cut) and widths[i] > least[i]
            ]
            if not can_shrink:
                break
            widths[max(can_shrink, key=widths.__getitem__)] -= 1
        else:
            return widths
    return None


def _longest_word(texts: list[str]) -> int:
    return max((cell_len(word) for text in texts for word in text.split()), default=0)


def _fields(block: Fields) -> RichTable:
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in block.rows:
        grid.add_row(Text(name), _text(value))
    return grid


def _table(block: Table, widths: Sequence[int] | None) -> RichTable:
    """The table with these widths; without any, everything is rather folded than cut."""
    table = RichTable(
        box=box.SIMPLE_HEAD,
        title=block.title or None,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for place, column in enumerate(block.columns):
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=widths is not None and not (column.wraps or column.cut),
            overflow="fold",
            width=None if widths is None else widths[place],
        )
    for row in block.rows:
        table.add_row(
            *(_text(cell, cut=column.cut) for cell, column in zip(row, block.columns, strict=True))
        )
    return table


def _text(content: Content, *, cut: bool = False) -> Text:
    text = Text(text_of(content), style="" if isinstance(content, str) else content.style)
    if cut:
        text.no_wrap, text.overflow = True, "ellipsis"
    return text
