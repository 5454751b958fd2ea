"""What a query of the caller's own finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlreg.errors import InvalidInput

Value = str | int | float | bytes | None
Parameters = Sequence[Value] | Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a query. Iterating gives each one as a dictionary.

    Attributes:
        columns: Their names, all different.
        rows: The values, in the order of the columns.
        is_cut: Whether there are more rows than the limit let through.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[Value, ...]]
    is_cut: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Value]]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def frame(self) -> Any:
        """The rows as a `pandas.DataFrame`.

        Raises:
            InvalidInput: pandas is not installed.
        """
        return frame(self.columns, self.rows)


def frame(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Any:
    """A `pandas.DataFrame` of these rows.

    Raises:
        InvalidInput: pandas is not installed.
    """
    try:
        from pandas import DataFrame
    except ImportError:
        raise InvalidInput(
            "a frame needs pandas, which is not installed", hint="run: pip install pandas"
        ) from None
    return DataFrame(list(rows), columns=list(columns))
