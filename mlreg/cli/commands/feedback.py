"""`mlreg feedback`."""

from __future__ import annotations

from pathlib import Path

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.kit.values import Format, number, pairs, prediction_id
from mlreg.cli.options import ACTOR, CORRECT, VALUE
from mlreg.cli.session import Session, SessionOptions, path
from mlreg.errors import InvalidInput, NotFound


def feedback(
    session: SessionOptions,
    prediction: str | None = argument("[PREDICTION_ID]", "The id that predict gave."),
    label: str | None = argument("[LABEL]", "The right answer."),
    correct: bool | None = CORRECT,
    value: list[str] | None = VALUE,
    file: Path | None = option("--file -f PATH", "CSV, TSV or JSONL with many; - is stdin.", path),
    format: Format | None = option("--format", "Of the file: csv, tsv or jsonl."),
    actor: str | None = ACTOR,
) -> None:
    """Record what the right answer was.

    A correction is said by saying it anew; the trail keeps both. A file has the columns
    prediction_id and label, and may have correct and others: each other column is a named number.
    Empty cells say nothing. If any of its rows cannot be read, none is recorded.

    $ mlreg feedback 42 positive
    $ mlreg feedback 42 --incorrect --value rating=2
    $ mlreg feedback --file labels.csv
    """
    if file is not None:
        if prediction is not None:
            raise InvalidInput("give either a prediction or --file, not both")
        _record_file(session, file, format, actor)
        return
    if prediction is None:
        raise InvalidInput("which prediction?", hint="mlreg feedback PREDICTION_ID LABEL")
    found, values = prediction_id(prediction), pairs(value, number)
    with session.open(actor=actor) as registry:
        session.emit(registry.feedback.record(found, label, correct=correct, values=values))


def _record_file(session: Session, file: Path, format: Format | None, actor: str | None) -> None:
    """Record all feedback of a file, or none of it where a row cannot be read."""
    from mlreg.cli.streams.labels import entries, label_source
    from mlreg.cli.streams.lines import readable_twice
    from mlreg.cli.streams.progress import Progress

    with (
        readable_twice(label_source(file, format)) as origin,
        session.open(actor=actor) as registry,
    ):
        total = sum(1 for _ in entries(origin))
        with Progress("entries", total=total) as progress:
            receipt = registry.feedback.record_many(entries(origin), progress=progress.advance)
        session.emit(receipt)
    if receipt.unknown:
        raise NotFound(
            f"{len(receipt.unknown):,} ids belong to no prediction; the rest is recorded",
            hint="see them with --json; ids are the ones that predict gave",
        )
