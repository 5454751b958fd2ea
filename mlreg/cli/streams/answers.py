"""Many answers: written as they come, one a line, and counted."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlreg.cli.kit.values import shown
from mlreg.cli.stdout import ENDLESS, write
from mlreg.cli.streams.progress import Progress
from mlreg.cli.streams.spreadsheets import cell
from mlreg.cli.streams.targets import replacing
from mlreg.errors import InvalidInput, PredictionFailed
from mlreg.jsonable import dumps, jsonable
from mlreg.names import counted, safe

if TYPE_CHECKING:
    from mlreg.cli.streams.parquet import Sink
    from mlreg.entities.predictions import Prediction
    from mlreg.services.answers import Request

    Line = Callable[[Prediction, dict[str, Any]], str]
    Write = Callable[[str], object]

CHUNK = 1000
_ESCAPED = "backslashreplace"


class Totals:
    """How many inputs were answered, failed or unreadable."""

    def __init__(self) -> None:
        self.answered = self.failed = self.unread = 0
        self.warnings: list[str] = []

    def add(self, answer: Prediction) -> None:
        """Count one answer."""
        if answer.warning is not None:
            self.warnings.append(answer.warning)
        if answer.error is None:
            self.answered += 1
        elif answer.prediction_id is None:
            self.unread += 1
        else:
            self.failed += 1

    def __str__(self) -> str:
        said = f"{self.answered:,} answered, {self.failed:,} failed, {self.unread:,} unreadable"
        return "; ".join([said, *self.warnings])

    def judge(self) -> None:
        """Fail where something failed.

        Raises:
            PredictionFailed: A model failed on some inputs.
            InvalidInput: Some lines could not be read.
        """
        if self.failed:
            raise PredictionFailed(
                f"{counted(self.failed, 'prediction')} failed", hint="see: mlreg log --errors"
            )
        if self.unread:
            raise InvalidInput(
                f"{counted(self.unread, 'input')} could not be read",
                hint="their lines of the output say why",
            )


class Writer:
    """Writes each answer on a line, to stdout or a file.

    Args:
        write: Takes text.
        line: Makes the line of an answer and the columns of its input.
        keep: Whether the columns of the input are wanted.
    """

    def __init__(self, write: Write, line: Line, *, keep: bool) -> None:
        self._write = write
        self._line = line
        self._kept: deque[dict[str, Any]] | None = deque() if keep else None

    @classmethod
    @contextmanager
    def to(
        cls, path: Path | None, line: Callable[[object], str] | None, *, keep: bool
    ) -> Iterator[Writer]:
        """A writer to a file in the format that its name says; without one, to stdout.

        Args:
            path: The file; it is written anew, if there is an answer.
            line: How a record is printed for programs; None where people read it.
            keep: Whether the columns of the input come along.

        Raises:
            InvalidInput: The format is not known, or the file cannot be written.
        """
        suffix = path.suffix.lower() if path else ""
        if suffix not in (*_LINES, _PARQUET) and path is not None:
            raise InvalidInput(
                f"{safe(str(path))} has no format to write in",
                hint=f"end its name in {', '.join((*_LINES, _PARQUET))}",
            )
        if path is None:
            shown = tabbed if line is None else partial(_for_programs, line)
            yield cls(write, shown, keep=keep)
            return
        try:
            with replacing(path) as part:
                if suffix == _PARQUET:
                    with _ParquetWriter.open(part, keep=keep) as writer:
                        yield writer
                    return
                with part.open("w", encoding="utf-8", errors=_ESCAPED, newline="") as file:
                    yield cls(file.write, _LINES[suffix](), keep=keep)
        except OSError as error:
            why = error.strerror or str(error)
            raise InvalidInput(f"{safe(str(path))} cannot be written: {why}") from None

    def beside(self, inputs: Iterable[tuple[Request, dict[str, Any]]]) -> Iterator[Request]:
        """The requests of inputs; their columns are kept until the answer is there."""
        for request, columns in inputs:
            if self._kept is not None:
                self._kept.append(columns)
            yield request

    def write(self, answers: Iterable[Prediction]) -> None:
        """Write answers, in the order of the inputs."""
        self._write("".join(self._line(answer, kept) for answer, kept in self._joined(answers)))

    def _joined(self, answers: Iterable[Prediction]) -> Iterator[tuple[Prediction, dict[str, Any]]]:
        """Each answer with the columns of its input that come along."""
        kept = self._kept
        return ((answer, kept.popleft() if kept is not None else {}) for answer in answers)


class _ParquetWriter(Writer):
    """Writes answers as rows of a Parquet file."""

    def __init__(self, sink: Sink, *, keep: bool) -> None:
        super().__init__(write, tabbed, keep=keep)
        self._sink = sink

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, keep: bool) -> Iterator[_ParquetWriter]:
        """A writer to a file, which is finished at the end."""
        from mlreg.cli.streams.parquet import Sink

        with closing(Sink(path)) as sink:
            yield cls(sink, keep=keep)

    def write(self, answers: Iterable[Prediction]) -> None:
        self._sink.write([{**kept, **_told(a, kept)} for a, kept in self._joined(answers)])


def write_answers(answers: Iterable[Prediction], writer: Writer, *, total: int | None) -> Totals:
    """Write each answer as it comes.

    Args:
        answers: What models said, in order.
        writer: Where to.
        total: How many there will be, where that is known.
    """
    totals, stream = Totals(), iter(answers)
    with Progress("predictions", total=total) as progress:
        while chunk := list(islice(stream, CHUNK)):
            for answer in chunk:
                totals.add(answer)
            writer.write(chunk)
            progress.advance(len(chunk))
    return totals


def tabbed(answer: Prediction, kept: dict[str, Any]) -> str:
    """An answer as a line of columns: label, confidence, version, prediction id, error."""
    said = "" if answer.prediction is None else shown(answer.prediction)
    confidence = "" if answer.confidence is None else f"{answer.confidence:.4f}"
    ref = f"{answer.model}@{answer.model_version}" if answer.model else ""
    columns = [said, confidence, ref, str(answer.prediction_id or ""), *map(str, kept.values())]
    if answer.error is not None:
        columns.append(f"error: {answer.error}")
    return "\t".join(safe(column, longest=ENDLESS) for column in columns) + "\n"


def _for_programs(line: Callable[[object], str], answer: Prediction, kept: dict[str, Any]) -> str:
    return line({**_plain(answer), "input": kept} if kept else answer)


def _plain(answer: Prediction) -> dict[str, Any]:
    plain: dict[str, Any] = jsonable(answer)  # type: ignore[assignment]  # a record is an object
    return plain


def _told(answer: Prediction, kept: dict[str, Any]) -> dict[str, Any]:
    """What a table has of an answer; a column of the input that is called alike keeps its name."""
    plain = _plain(answer)
    return {f"answer_{name}" if name in kept else name: plain[name] for name in _SHOWN}


class _Separated:
    """Lines of a table, the first one below a header of its columns."""

    def __init__(self, delimiter: str) -> None:
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, delimiter=delimiter, lineterminator="\n")
        self._names: list[str] | None = None

    def __call__(self, answer: Prediction, kept: dict[str, Any]) -> str:
        said = _told(answer, kept)
        if self._names is None:
            self._names = list(kept)
            self._writer.writerow([*kept, *said])
        row = [kept.get(name) for name in self._names]
        # A truth value is spelled as everywhere else, and not as Python does.
        told = (shown(v) if isinstance(v, bool) else v for v in said.values())
        self._writer.writerow([cell(value) for value in (*row, *told)])
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text


_PARQUET = ".parquet"
_SHOWN = ("prediction", "confidence", "model_version", "model", "prediction_id", "error")
_LINES: dict[str, Callable[[], Line]] = {
    ".csv": partial(_Separated, ","),
    ".tsv": partial(_Separated, "\t"),
    ".jsonl": lambda: partial(_for_programs, lambda record: f"{dumps(record)}\n"),
    ".txt": lambda: tabbed,
}
