"""Parquet files: their rows as records, and records as their rows; pyarrow does the work."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from mlreg.cli.kit.values import STDIN
from mlreg.cli.streams.lines import Source
from mlreg.errors import InvalidInput
from mlreg.names import safe

_AT_ONCE = 1000


def records(origin: Source) -> Iterator[dict[str, Any]]:
    """The rows of a file as they come, each with its columns as plain values.

    What is not a number is null; a date, a time or a decimal is the text of it.

    Raises:
        InvalidInput: pyarrow is not installed, or the file cannot be read, or has no rows.
    """
    if str(origin.path) == STDIN:
        raise InvalidInput("Parquet is read from a file, not from a pipe", hint="--file PATH")
    origin.open().close()  # for the messages that all files get
    parquet = _pyarrow("pyarrow.parquet")
    rows = 0
    try:
        with parquet.ParquetFile(origin.path) as file:
            _check_names(origin, file.schema_arrow.names)
            for batch in file.iter_batches(_AT_ONCE):
                rows += batch.num_rows
                for row in batch.to_pylist():
                    yield {name: _plain(value) for name, value in row.items()}
    except (OSError, ValueError) as error:  # what pyarrow raises is either of them
        said = safe(str(error).partition("\n")[0])
        raise InvalidInput(f"{origin.name} is no readable Parquet file: {said}") from None
    if not rows:
        raise InvalidInput(f"{origin.name} has no rows")


def _check_names(origin: Source, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"{origin.name} has the column {safe(twice)} twice")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return value.hex() if isinstance(value, bytes) else str(value)


class Sink:
    """A file that rows are appended to; the first ones say of which type each column is.

    Args:
        path: The file; it is written anew.

    Raises:
        InvalidInput: pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._arrow = _pyarrow("pyarrow")
        self._parquet = _pyarrow("pyarrow.parquet")
        self._file: Any = None
        path.open("wb").close()  # so that what forbids it is said before a model is asked

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows.

        Raises:
            InvalidInput: A value is of another type than its column.
        """
        if not rows:
            return
        if self._file is None:
            self._file = self._parquet.ParquetWriter(self._path, self._schema(rows))
        try:
            self._file.write_table(self._arrow.Table.from_pylist(rows, self._file.schema))
        except (self._arrow.ArrowInvalid, self._arrow.ArrowTypeError) as error:
            said = safe(str(error).partition("\n")[0])
            hint = "write to a file that ends in .jsonl"
            raise InvalidInput(f"values of one column differ in type: {said}", hint=hint) from None

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()

    def _schema(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        names = dict.fromkeys(name for row in rows for name in row)
        return self._arrow.schema(
            [(name, self._type([row.get(name) for row in rows])) for name in names]
        )

    def _type(self, values: list[Any]) -> Any:
        found = self._arrow.infer_type(values)
        # Numbers further down may have decimals, and a column of nothing may get texts.
        if self._arrow.types.is_null(found):
            return self._arrow.string()
        return found


def count_rows(path: Path) -> int:
    """How many rows a file has, by what stands at its end."""
    try:
        return int(_pyarrow("pyarrow.parquet").read_metadata(path).num_rows)
    except (OSError, ValueError):
        return 0  # whoever reads it says why


def _pyarrow(name: str) -> ModuleType:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        raise InvalidInput(
            "Parquet needs pyarrow", hint="install it where mlreg is installed: pip install pyarrow"
        ) from None
