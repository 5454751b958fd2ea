"""Blocks on a terminal, by Rich: colour, and tables that fit its width."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from mlreg.cli.blocks import Block, Content, Fields, Line, Table, text_of
from mlreg.cli.output import write_text

_LEAST = 12


def render(blocks: Iterable[Block]) -> None:
    """Print the blocks."""
    console = Console(highlight=False, emoji=False, markup=False, soft_wrap=False)
    # Rendered aside and written by our own hand, which knows what a failed write means.
    with console.capture() as captured:
        for block in blocks:
            console.print(_renderable(block, console))
    write_text(captured.get())


def _renderable(block: Block, console: Console) -> RenderableType:
    if isinstance(block, Line):
        return Text(text_of(block.text), style=block.style)
    if isinstance(block, Fields):
        return _fields(block)
    table = _table(block, folds=False)
    # Rather fold everything than cut something off.
    needed = console.measure(table).minimum
    return table if needed <= console.width else _table(block, folds=True)


def _fields(block: Fields) -> RichTable:
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in block.rows:
        grid.add_row(Text(name), _text(value))
    return grid


def _table(block: Table, *, folds: bool) -> RichTable:
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
    for column in block.columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not (column.wraps or column.cut or folds),
            overflow="fold",
            min_width=_LEAST if column.wraps or column.cut else None,
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
