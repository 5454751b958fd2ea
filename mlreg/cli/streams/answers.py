"""Many answers: written as they come, one a line, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from mlreg.cli.stdout import ENDLESS, write
from mlreg.cli.streams.progress import Progress
from mlreg.errors import InvalidInput, PredictionFailed
from mlreg.names import safe

if TYPE_CHECKING:
    from mlreg.entities.predictions import Prediction

CHUNK = 1000


class Totals:
    """How many inputs were answered, failed or unreadable."""

    def __init__(self) -> None:
        self.answered = self.failed = self.unread = 0

    def add(self, answer: Prediction) -> None:
        """Count one answer."""
        if answer.error is None:
            self.answered += 1
        elif answer.prediction_id is None:
            self.unread += 1
        else:
            self.failed += 1

    def __str__(self) -> str:
        return f"{self.answered:,} answered, {self.failed:,} failed, {self.unread:,} unreadable"

    def judge(self) -> None:
        """Fail where something failed.

        Raises:
            PredictionFailed: A model failed on some inputs.
            InvalidInput: Some lines could not be read.
        """
        if self.failed:
            raise PredictionFailed(
                f"{self.failed:,} predictions failed", hint="see: mlreg log --errors"
            )
        if self.unread:
            raise InvalidInput(
                f"{self.unread:,} inputs could not be read",
                hint="their lines of the output say why",
            )


def write_answers(
    answers: Iterable[Prediction], line: Callable[[Prediction], str], *, total: int | None
) -> Totals:
    """Write each answer as it comes.

    Args:
        answers: What models said, in order.
        line: The text of an answer.
        total: How many there will be, where that is known.
    """
    totals, stream = Totals(), iter(answers)
    with Progress("predictions", total=total) as progress:
        while chunk := list(islice(stream, CHUNK)):
            for answer in chunk:
                totals.add(answer)
            write("".join(map(line, chunk)))
            progress.advance(len(chunk))
    return totals


def tabbed(answer: Prediction) -> str:
    """An answer as a line of columns: label, confidence, version, prediction id, error."""
    said = "" if answer.prediction is None else str(answer.prediction)
    confidence = "" if answer.confidence is None else f"{answer.confidence:.4f}"
    ref = f"{answer.model}@{answer.model_version}" if answer.model else ""
    columns = [said, confidence, ref, str(answer.prediction_id or "")]
    if answer.error is not None:
        columns.append(f"error: {answer.error}")
    return "\t".join(safe(column, longest=ENDLESS) for column in columns) + "\n"
