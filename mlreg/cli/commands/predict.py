"""`mlreg predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.kit.values import STDIN, Format, pairs
from mlreg.cli.options import MODEL, VERSION
from mlreg.cli.session import Session, SessionOptions, path
from mlreg.errors import InvalidInput, PredictionFailed

if TYPE_CHECKING:
    from mlreg.entities.predictions import Prediction
    from mlreg.registry import Registry


class Asking(NamedTuple):
    """A file of inputs, and what holds for all of them."""

    file: Path
    format: Format | None
    user: str | None
    segments: dict[str, str] | None
    user_field: str | None


def predict(
    session: SessionOptions,
    input: str | None = argument(
        "[INPUT|-]",
        "Text for a text model, JSON for the others; - reads one input a line from stdin.",
    ),
    model: str | None = MODEL,
    version: str | None = VERSION,
    user: str | None = option("--user U", "Who asks; sticky routing goes by it."),
    segment: list[str] | None = option("--segment K=V", "For reports by segment; can be repeated."),
    request_id: str | None = option("--request-id ID", "The same id gets the same answer, once."),
    file: Path | None = option("--file -f PATH", "One input a line; - is stdin.", path),
    format: Format | None = option("--format", "Of the file, where its name does not say it."),
    user_field: str | None = option("--user-field NAME", "The column or key that has the user."),
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
            asking = Asking(file or Path(STDIN), format, user, segments, user_field)
            _predict_all(session, registry, asking, model=model, version=version)
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


def _predict_all(
    session: Session, registry: Registry, asking: Asking, **chosen: str | None
) -> None:
    """Answer each input of a file in order, one line each; totals go to stderr."""
    from mlreg.cli.streams.answers import CHUNK, tabbed, write_answers
    from mlreg.cli.streams.inputs import Manner, requests
    from mlreg.cli.streams.lines import source
    from mlreg.cli.streams.progress import count_lines

    origin = source(asking.file, asking.format)
    signature = registry.predictions.signature(**chosen)
    manner = Manner(signature, asking.user, asking.segments, asking.user_field)
    answers = registry.predictions.predict_many(
        requests(origin, manner), is_text=origin.format == "text", chunk=CHUNK, **chosen
    )
    line = tabbed if session.is_for_people else session.line
    totals = write_answers(answers, line, total=count_lines(origin.path))
    session.note(str(totals))
    totals.judge()


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
