"""A line on stderr that says how far long work has come; nothing where no terminal reads it."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

_EVERY = 0.1


class Progress:
    """Counts what is done, and shows it at most ten times a second.

    Args:
        what: What is counted, such as `predictions`.
        total: How many there will be, where that is known.
    """

    def __init__(self, what: str, *, total: int | None = None) -> None:
        self.done = 0
        self._what = what
        self._total = total
        self._started = self._shown = monotonic()
        self._is_on = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_on:
            self._write("")

    def advance(self, count: int) -> None:
        """Note that so many more are done."""
        self.done += count
        if self._is_on and monotonic() - self._shown >= _EVERY:
            self._shown = monotonic()
            self._write(self._line())

    def advance_of(self, count: int, total: int) -> None:
        """Note that so many more are done, of a total that is known only now."""
        self._total = total
        self.advance(count)

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return monotonic() - self._started

    def _line(self) -> str:
        speed = self.done / max(self.seconds, 1e-9)
        said = f"{self.done:,} {self._what}, {speed:,.0f}/s"
        if not self._total:
            return said
        share = min(self.done / self._total, 1)
        left = (self._total - self.done) / speed if speed else 0
        bar = ("█" * round(share * 20)).ljust(20, "░")
        return f"{bar} {share:4.0%}  {said}, {max(left, 0):,.0f} s left"

    def _write(self, text: str) -> None:
        width = shutil.get_terminal_size().columns
        with suppress(OSError, ValueError):
            sys.stderr.write(f"\r\x1b[K{text[: width - 1]}")
            sys.stderr.flush()


def count_inputs(path: Path, format: str) -> int | None:
    """How many lines or rows a file has, for a progress bar; None where that cannot be known."""
    if not sys.stderr.isatty() or not path.is_file():
        return None
    if format == "parquet":
        from mlreg.cli.streams.parquet import count_rows

        return count_rows(path)
    with path.open("rb") as stream:
        return sum(piece.count(b"\n") for piece in iter(lambda: stream.read(1 << 20), b""))
