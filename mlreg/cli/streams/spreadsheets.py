"""CSV, in a form that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlreg.entities.queries import Rows, Value

_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(found: Rows) -> str:
    """The rows below a line with the names of the columns; nothing stands for null.

    A text that a spreadsheet would run gets an apostrophe in front, unless it is a number.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([cell(name) for name in found.columns])
    writer.writerows([cell(value) for value in row] for row in found.rows)
    return text.getvalue()


def cell(value: Value) -> object:
    """A value as a cell of such a table."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str) and value.startswith(_BEGINNINGS) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
