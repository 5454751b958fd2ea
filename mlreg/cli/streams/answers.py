"""Many predictions: a stream of inputs in, a stream of answers out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mlreg.cli.output import field_lines, json_line, write
from mlreg.cli.streams.inputs import Manner, requests
from mlreg.cli.streams.lines import Format, source
from mlreg.cli.streams.progress import Progress, count_lines
from mlreg.errors import InvalidInput, PredictionFailed
from mlreg.jsonable import jsonable
from mlreg.names import safe

if TYPE_CHECKING:
    from mlreg.cli.session import Session
    from mlreg.entities.predictions import Prediction
    from mlreg.registry import Registry

_CHUNK = 1000
_NO_LIMIT = sys.maxsize


def predict_stream(
    session: Session,
    registry: Registry,
    path: Path,
    *,
    format: Format | None,  # the option's name
    model: str | None,
    version: str | None,
    user: str | None,
    segment: Mapping[str, str] | None,
    user_field: str | None,
) -> None:
    """Answer each input of a file in order, one line each; totals go to stderr.

    Raises:
        PredictionFailed: A model failed on some inputs.
        InvalidInput: Some lines could not be read, or the file as a whole.
    """
    origin = source(path, format)
    manner = Manner(registry.predictions.signature(model, version), user, segment, user_field)
    answers = registry.predictions.predict_many(
        requests(origin, manner),
        model=model,
        version=version,
        is_text=origin.format == "text",
        chunk=_CHUNK,
    )
    tally = _print(session, answers, total=count_lines(path))
    tally.finish(session)


class Tally:
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

    def finish(self, session: Session) -> None:
        """Say the totals, and fail where something failed."""
        session.note(
            f"{self.answered:,} answered, {self.failed:,} failed, {self.unread:,} unreadable"
        )
        if self.failed:
            raise PredictionFailed(
                f"{self.failed:,} predictions failed", hint="see: mlreg log --errors"
            )
        if self.unread:
            raise InvalidInput(
                f"{self.unread:,} inputs could not be read",
                hint="their lines of the output say why",
            )


def _print(session: Session, answers: Iterable[Prediction], *, total: int | None) -> Tally:
    tally = Tally()
    stream = iter(answers)
    with Progress("predictions", total=total) as progress:
        while chunk := list(islice(stream, _CHUNK)):
            for answer in chunk:
                tally.add(answer)
            write("".join(_lines(session, chunk)))
            progress.advance(len(chunk))
    return tally


def _lines(session: Session, answers: list[Prediction]) -> Iterator[str]:
    for answer in answers:
        if session.field is not None:
            yield from (f"{line}\n" for line in field_lines(jsonable(answer), session.field))
        else:
            yield json_line(answer) if session.json else tabbed(answer)


def tabbed(answer: Prediction) -> str:
    """An answer as a line of columns: label, confidence, version, prediction id, error."""
    said = "" if answer.prediction is None else str(answer.prediction)
    confidence = "" if answer.confidence is None else f"{answer.confidence:.4f}"
    ref = f"{answer.model}@{answer.model_version}" if answer.model else ""
    columns = [said, confidence, ref, str(answer.prediction_id or "")]
    if answer.error is not None:
        columns.append(f"error: {answer.error}")
    return "\t".join(safe(column, longest=_NO_LIMIT) for column in columns) + "\n"
