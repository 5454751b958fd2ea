"""`mlreg predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlreg.cli.options import ModelOption, VersionOption, pairs
from mlreg.cli.session import Session, SessionOptions, path
from mlreg.cli.streams.lines import STDIN, Format
from mlreg.errors import InvalidInput, PredictionFailed

if TYPE_CHECKING:
    from mlreg.entities.predictions import Prediction
    from mlreg.registry import Registry


def predict(
    session: SessionOptions,
    input: Annotated[  # the word of the contract
        str | None,
        typer.Argument(
            metavar="[INPUT|-]",
            show_default=False,
            help="Text for a text model, JSON for the others; - reads one input a line from stdin.",
        ),
    ] = None,
    model: ModelOption = None,
    version: VersionOption = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="U", help="Who asks; sticky routing goes by it.")
    ] = None,
    segment: Annotated[
        list[str] | None,
        typer.Option("--segment", metavar="K=V", help="For reports by segment; can be repeated."),
    ] = None,
    request_id: Annotated[
        str | None,
        typer.Option("--request-id", metavar="ID", help="The same id gets the same answer, once."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", metavar="PATH", parser=path, help="One input a line; - is stdin."
        ),
    ] = None,
    format: Annotated[  # the option's name
        Format | None,
        typer.Option("--format", help="Of the file, where its name does not say it."),
    ] = None,
    user_field: Annotated[
        str | None,
        typer.Option("--user-field", metavar="NAME", help="The column or key that has the user."),
    ] = None,
) -> None:
    """Answer from the version that the traffic chooses, and log it.

    A forced --version is logged too, but stays out of the split and its statistics. A file gets
    one answer a line, in order: label, confidence, version and prediction id, divided by tabs, or
    one JSON object with --json. A bad line is answered by an error and fails no other.

    $ mlreg predict "Great product!"
    $ mlreg predict '{"age": 41, "plan": "pro"}' --model churn --user u17
    $ mlreg predict --file reviews.csv --json > answers.jsonl
    """
    _check_usage(input, file, format, user_field, request_id)
    segments = pairs(segment, str) or None
    with session.open(worker=True) as registry:
        if input is None or input == STDIN or file:
            from mlreg.cli.streams.answers import predict_stream

            predict_stream(
                session,
                registry,
                file or Path(STDIN),
                format=format,
                model=model,
                version=version,
                user=user,
                segment=segments,
                user_field=user_field,
            )
            return
        try:
            answer = registry.predictions.predict(
                input,
                model=model,
                version=version,
                unit=user,
                segment=segments,
                request_id=request_id,
                is_text=True,
            )
        except PredictionFailed as error:
            _emit_failure(session, registry, error)
            raise
        session.emit(answer)
    session.suggest(f"mlreg feedback {answer.prediction_id} LABEL")


def _check_usage(
    text: str | None,
    file: Path | None,
    format: Format | None,  # the option's name
    user_field: str | None,
    request_id: str | None,
) -> None:
    is_stream = text == STDIN or file is not None
    if text is None and file is None:
        raise InvalidInput("there is no input", hint='mlreg predict "some text", or --file PATH')
    if file is not None and text not in (None, STDIN):
        raise InvalidInput("give either an input or --file, not both")
    if is_stream and request_id is not None:
        raise InvalidInput("--request-id is for a single input")
    if not is_stream and (format or user_field):
        raise InvalidInput("--format and --user-field are for files")


def _emit_failure(session: Session, registry: Registry, error: PredictionFailed) -> None:
    """Programs also get the failure as a record; people read the message alone."""
    if not session.is_for_people and error.prediction_id is not None:
        session.emit(_failure(registry, error.prediction_id))


def _failure(registry: Registry, prediction_id: int) -> Prediction:
    from mlreg.entities.predictions import Prediction

    row = registry.predictions.get(prediction_id)
    return Prediction(
        prediction=None,
        confidence=None,
        model_version=row.model_version,
        model_id=row.model_id,
        model=row.model,
        prediction_id=prediction_id,
        revision=row.revision,
        latency_ms=row.latency_ms,
        arm_reason=row.arm_reason,
        error=row.error,
    )
