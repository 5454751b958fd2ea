"""`mlreg feedback`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli.options import ActorOption, CorrectOption, ValueOption, number, pairs, prediction_id
from mlreg.cli.session import SessionOptions, path
from mlreg.cli.streams.lines import Format
from mlreg.errors import InvalidInput


def feedback(
    session: SessionOptions,
    prediction: Annotated[
        str | None,
        typer.Argument(
            metavar="[PREDICTION_ID]", show_default=False, help="The id that predict gave."
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Argument(metavar="[LABEL]", show_default=False, help="The right answer."),
    ] = None,
    correct: CorrectOption = None,
    value: ValueOption = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="PATH",
            parser=path,
            help="CSV, TSV or JSONL with many; - is stdin.",
        ),
    ] = None,
    format: Annotated[  # the option's name
        Format | None, typer.Option("--format", help="Of the file: csv, tsv or jsonl.")
    ] = None,
    actor: ActorOption = None,
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
        from mlreg.cli.streams.labels import record_file

        if prediction is not None:
            raise InvalidInput("give either a prediction or --file, not both")
        record_file(session, file, format, actor)
        return
    if prediction is None:
        raise InvalidInput("which prediction?", hint="mlreg feedback PREDICTION_ID LABEL")
    found, values = prediction_id(prediction), pairs(value, number)
    with session.open(actor=actor) as registry:
        session.emit(registry.feedback.record(found, label, correct=correct, values=values))
