"""Files and streams of lines, read as they come: memory does not grow with them."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from mlreg.cli.kit.values import STDIN, Format
from mlreg.errors import InvalidInput, StoreError
from mlreg.names import safe

LONGEST_LINE = 1 << 20

_SUFFIXES: dict[str, Format] = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}


class Source(NamedTuple):
    """Where lines come from, and in which format."""

    path: Path
    format: Format
    copy_of: str | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.copy_of or ("stdin" if str(self.path) == STDIN else safe(str(self.path)))

    def open(self) -> IO[bytes]:
        """Open it for reading.

        Raises:
            InvalidInput: It cannot be read.
        """
        if str(self.path) == STDIN:
            return sys.stdin.buffer
        try:
            stream = self.path.open("rb")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InvalidInput(f"{self.name} cannot be read: {why}") from None
        if _is_endless(stream):
            stream.close()
            raise InvalidInput(f"{self.name} is neither a file nor a pipe")
        return stream


def _is_endless(stream: IO[bytes]) -> bool:
    mode = os.fstat(stream.fileno()).st_mode
    return stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not stream.isatty())


def source(path: Path, wanted: Format | None) -> Source:
    """A path with its format: the one that was said, else by its suffix.

    Raises:
        InvalidInput: Neither says it.
    """
    if wanted or str(path) == STDIN:
        return Source(path, wanted or "text")
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise InvalidInput(
            f"the format of {safe(str(path))} is unclear from its name",
            hint="say it with --format text, jsonl, csv, tsv or parquet",
        )
    return Source(path, found)


@contextmanager
def readable_twice(origin: Source) -> Iterator[Source]:
    """The source, or a copy of it where it is a pipe, which can be read only once.

    Raises:
        StoreError: There is no room for the copy.
    """
    if origin.path.is_file() and str(origin.path) != STDIN:
        yield origin
        return
    from shutil import copyfileobj
    from tempfile import TemporaryDirectory

    with ExitStack() as stack:
        stream = stack.enter_context(origin.open())
        try:
            folder = stack.enter_context(TemporaryDirectory(prefix="mlreg-"))
            copy = Path(folder) / "copy"
            with copy.open("wb") as kept:
                copyfileobj(stream, kept)
        except OSError as error:
            raise StoreError(f"{origin.name} cannot be kept aside: {error.strerror}") from None
        yield Source(copy, origin.format, origin.name)


def lines(origin: Source) -> Iterator[tuple[int, str, str | None]]:
    """The lines of a text file: number, text, and why it could not be read, if so.

    Raises:
        InvalidInput: The file is empty, or its first line shows that it is no text.
    """
    number = 0
    with origin.open() as stream:
        for number, raw in enumerate(_raw_lines(stream), 1):
            text, problem = _decoded(
                raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw, number
            )
            if number == 1 and "\r" in text:
                raise InvalidInput(
                    f"{origin.name} has bare carriage returns; convert its line ends"
                )
            yield number, text, problem
    if number == 0:
        raise InvalidInput(f"{origin.name} is empty")


def _raw_lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(LONGEST_LINE + 1):
        yield line
        # Only now, as the reader may have had enough: a sparse file is one endless line.
        if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass


def _decoded(raw: bytes, number: int) -> tuple[str, str | None]:
    if len(raw) > LONGEST_LINE:
        return "", f"line {number} is longer than {LONGEST_LINE:,} bytes"
    if b"\0" in raw:
        return "", f"line {number} has a NUL character"
    try:
        return raw.decode().removesuffix("\n").removesuffix("\r"), None
    except UnicodeDecodeError as error:
        return "", f"line {number} is not valid UTF-8 at byte {error.start + 1}"
