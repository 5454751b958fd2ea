"""`mlreg predict`."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from mlreg.cli.kit.parameters import Bundle, argument, flag, option
from mlreg.cli.kit.values import STDIN, Format, pairs
from mlreg.cli.options import MODEL, VERSION
from mlreg.cli.session import Session, SessionOptions, path
from mlreg.errors import InvalidInput, PredictionFailed
from mlreg.names import safe

_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt", ".parquet")

if TYPE_CHECKING:
    from mlreg.cli.streams.inputs import Manner
    from mlreg.registry import Registry


class Files(NamedTuple):
    """How many inputs are read from a file, and their answers written."""

    path: Path | None
    format: Format | None
    user_field: str | None
    segment_fields: tuple[str, ...]
    text_field: str | None
    no_header: bool
    keep: bool
    output: Path | None

    @property
    def is_used(self) -> bool:
        """Whether anything was said that is for files alone."""
        return any(self)


def read_files(
    file: Path | None = option("--file -f PATH", "One input a line; - is stdin.", path),
    format: Format | None = option("--format", "Of the file, where its name does not say it."),
    user_field: str | None = option("--user-field NAME", "The column or key that has the user."),
    segment_field: list[str] | None = option(
        "--segment-field NAME", "A column or key that is a segment; can be repeated."
    ),
    text_field: str | None = option("--text-field NAME", "The column or key that has the text."),
    no_header: bool = flag("--no-header", "The first line of a table is an input."),
    keep: bool = flag("--keep", "Carry the columns of the input along with its answer."),
    output: Path | None = option(
        "--output -o PATH",
        "Write the answers to this file: .csv, .tsv, .jsonl, .txt or .parquet.",
        path,
    ),
) -> Files:
    """What the options for files amount to."""
    segments = tuple(segment_field or ())
    return Files(file, format, user_field, segments, text_field, no_header, keep, output)


def predict(
    session: SessionOptions,
    files: Annotated[Files, Bundle(read_files)],
    input: str | None = argument(
        "[INPUT|-]",
        "Text for a text model, JSON for the others; - reads one input a line from stdin.",
    ),
    model: str | None = MODEL,
    version: str | None = VERSION,
    user: str | None = option("--user U", "Who asks; sticky routing goes by it."),
    segment: list[str] | None = option("--segment K=V", "For reports by segment; can be repeated."),
    request_id: str | None = option(
        "--request-id --key ID", "Your own id of the request: the same one is answered once."
    ),
) -> None:
    """Answer from the version that the traffic chooses, and log it.

    A forced --version is logged too, but stays out of the split and its statistics. A file gets
    one answer a line, in order: label, confidence, version and prediction id, divided by tabs, or
    one JSON object with --json. A bad line is answered by an error and fails no other. Columns or
    keys called user, segment, request_id and key are what they say.

    $ mlreg predict "Great product!"
    $ mlreg predict '{"age": 41, "plan": "pro"}' --model churn --user u17
    $ mlreg predict --file reviews.csv --output answers.csv --keep
    """
    is_stream = _is_stream(input, files)
    _check_usage(input, files, request_id, is_stream=is_stream)
    segments = pairs(segment, str) or None
    with session.open(worker=True) as registry:
        if is_stream:
            from mlreg.cli.streams.inputs import Manner

            manner = Manner(
                registry.predictions.signature(model, version),
                user,
                segments,
                files.user_field,
                files.segment_fields,
                files.text_field,
                False if files.no_header else None,
            )
            _predict_all(session, registry, files, manner, model=model, version=version)
            return
        registry.predictions.is_brief = True
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
        _leave_shadows_behind(registry)


def _leave_shadows_behind(registry: Registry) -> None:
    """Let the reader go on where shadows are still to be asked, as the registry is closed."""
    if registry.predictions.is_asking:
        from mlreg.cli.stdout import let_go

        let_go()


def _predict_all(
    session: Session, registry: Registry, files: Files, manner: Manner, **chosen: str | None
) -> None:
    """Answer each input of a file in order, one line each; totals go to stderr."""
    from mlreg.cli.streams.answers import CHUNK, Writer, write_answers
    from mlreg.cli.streams.inputs import inputs
    from mlreg.cli.streams.lines import source
    from mlreg.cli.streams.progress import count_inputs

    origin = source(files.path or Path(STDIN), files.format)
    line = None if session.is_for_people else session.line
    with Writer.to(files.output, line, keep=files.keep) as writer:
        answers = registry.predictions.predict_many(
            writer.beside(inputs(origin, manner)),
            is_text=origin.format == "text",
            chunk=CHUNK,
            **chosen,
        )
        tally = write_answers(answers, writer, total=count_inputs(origin.path, origin.format))
    session.note(str(tally))
    _leave_shadows_behind(registry)
    tally.judge()


def _is_stream(text: str | None, files: Files) -> bool:
    """Whether inputs are read line by line; a pipe is, also where nobody says so."""
    if text is not None or files.path is not None:
        return text == STDIN or files.path is not None
    mode = os.fstat(0).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _check_usage(
    text: str | None, files: Files, request_id: str | None, *, is_stream: bool
) -> None:
    if text is None and not is_stream:
        raise InvalidInput("there is no input", hint='mlreg predict "some text", or --file PATH')
    if files.path is not None and text not in (None, STDIN):
        raise InvalidInput("give either an input or --file, not both")
    if is_stream and request_id is not None:
        raise InvalidInput(
            "--request-id is for a single input", hint="in a file it is a column: request_id or key"
        )
    if not is_stream and files.is_used:
        raise InvalidInput("--format, --output and what names columns are for files")
    if files.output is not None and _is_read(files.output, files.path):
        raise InvalidInput(
            f"{safe(str(files.output))} is the input: its answers would take its place",
            hint="write them to another file; --keep takes the columns of the input along",
        )
    if text is not None and text.endswith(_SUFFIXES) and os.path.isfile(text):
        raise InvalidInput(f"{safe(text)} is a file", hint=f"mlreg predict --file {safe(text)}")


def _is_read(output: Path, file: Path | None) -> bool:
    """Whether a file for answers is the one that inputs are read from."""
    try:
        target = os.stat(output)
        origin = os.fstat(0) if file is None or str(file) == STDIN else os.stat(file)
    except (OSError, ValueError):
        return False  # whoever opens them says why
    return stat.S_ISREG(target.st_mode) and os.path.samestat(target, origin)


def _emit_failure(session: Session, registry: Registry, error: PredictionFailed) -> None:
    """Programs also get the failure as a record; people read the message alone."""
    from mlreg.services.answers import warning_of

    if warning := warning_of(error.rollback):
        session.note(warning)
    if not session.is_for_people and error.prediction_id is not None:
        row = registry.predictions.get(error.prediction_id)
        session.emit(replace(row.answer(), warning=warning))
