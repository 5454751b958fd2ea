"""CSV and TSV: which character divides the columns, whether there is a header, and the rows."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, NamedTuple

from mlreg.cli.streams.lines import LONGEST_LINE, Source
from mlreg.errors import InvalidInput, MlregWarning
from mlreg.names import safe

_SAMPLE = 1 << 16
_SAMPLED_LINES = 20
_DIVIDERS = ";\t|"
_NUMBERS = re.compile(r"\s*[-+0-9.][-+0-9.eE]*( +[-+0-9.][-+0-9.eE]*)+\s*", re.ASCII)

# The names of the columns where the first row is no header but data; None where it is one.
NamesOfData = Callable[[list[str]], list[str] | None]


class Row(NamedTuple):
    """A row of a table as text, or why it could not be read."""

    number: int
    cells: list[str]
    problem: str | None = None


def table(origin: Source, names: NamesOfData = lambda _: None) -> tuple[list[str], Iterator[Row]]:
    """The header of a CSV or TSV file, and its rows as they come.

    Args:
        origin: The file.
        names: What the columns are called where the first row is data.

    Raises:
        InvalidInput: There is no usable header, or nothing below it.
    """
    csv.field_size_limit(LONGEST_LINE)
    stream = origin.open()
    delimiter = "\t" if origin.format == "tsv" else _divider(stream, origin)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        reader = csv.reader(
            _bounded(text, origin),
            delimiter=delimiter,
            skipinitialspace=delimiter == " ",
            strict=True,
        )
        return _table(reader, names, text, origin)
    except BaseException:
        text.close()
        raise


def _divider(stream: IO[bytes], origin: Source) -> str:
    """The character between the columns: a comma, unless all lines agree on another one."""
    sample = stream.peek(_SAMPLE)[:_SAMPLE].decode("utf-8", "replace")  # type: ignore[attr-defined]  # a buffered reader
    lines = sample.splitlines()[:_SAMPLED_LINES]
    if len(lines) > 1 and len(sample) >= _SAMPLE:
        lines.pop()  # it may have been cut
    if not lines or "," in lines[0]:
        return ","
    if all(map(_NUMBERS.fullmatch, lines)):
        found = " "
    else:
        try:
            found = csv.Sniffer().sniff("\n".join(lines), delimiters=_DIVIDERS).delimiter
        except csv.Error:
            return ","
    widths = {len(cells) for cells in csv.reader(lines, delimiter=found)}
    if len(widths) != 1 or widths == {1}:
        return ","
    called = {" ": "spaces", "\t": "tabs"}.get(found, found)
    warnings.warn(f"{origin.name}: {called} divide the columns", MlregWarning, stacklevel=2)
    return found


def _table(
    reader: Iterator[list[str]], names: NamesOfData, text: IO[str], origin: Source
) -> tuple[list[str], Iterator[Row]]:
    try:
        first = next(reader, [])
    except csv.Error as error:
        raise InvalidInput(f"{origin.name} is no {origin.format.upper()}: {error}") from None
    data = names(first) if first else None
    header = _header(first, origin) if data is None else data
    begun = [] if data is None else [first]
    rows = _rows(chain(begun, reader), header, text, number=0 if begun else 1)
    top = next(rows, None)
    if top is None:
        raise InvalidInput(f"{origin.name} has a header but no rows")
    return header, chain([top], rows)


def _bounded(text: IO[str], origin: Source) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise InvalidInput(f"{origin.name} has a line of more than {LONGEST_LINE:,} characters")
        yield line


def _header(names: list[str], origin: Source) -> list[str]:
    header = [name.strip() for name in names]
    if not header:
        raise InvalidInput(f"{origin.name} is empty")
    twice = next((name for name in header if header.count(name) > 1), None)
    if "" in header or twice is not None:
        what = f"has the column {safe(twice)} twice" if twice else "has a column without a name"
        raise InvalidInput(f"the header of {origin.name} {what}")
    if any(char in name for name in header for char in "\r\n\0") or not all(map(_is_sound, header)):
        raise InvalidInput(f"the header of {origin.name} is not valid text")
    return header


def _rows(
    reader: Iterator[list[str]], header: list[str], text: IO[str], *, number: int
) -> Iterator[Row]:
    with text:
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(number, [], f"row {number} is not readable: {error}")
                continue
            if cells:
                yield Row(number, cells, _row_problem(number, cells, len(header)))


def _row_problem(number: int, cells: list[str], wanted: int) -> str | None:
    if len(cells) != wanted:
        return f"row {number} has {len(cells)} cells, and the header {wanted}"
    if not all(map(_is_sound, cells)):
        return f"row {number} is not valid UTF-8 or has a NUL character"
    return None


def _is_sound(cell: str) -> bool:
    return (cell.isascii() and "\0" not in cell) or not _is_broken(cell)


def _is_broken(cell: str) -> bool:
    return "\0" in cell or any("\ud800" <= char <= "\udfff" for char in cell)
