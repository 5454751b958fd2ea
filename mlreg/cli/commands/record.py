"""`mlreg record`."""

from __future__ import annotations

from pathlib import Path

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.kit.values import STDIN
from mlreg.cli.options import MODEL, read_name
from mlreg.cli.recording import AnswerOptions, record_lines
from mlreg.cli.session import SessionOptions, path
from mlreg.entities.experiments import Outcome
from mlreg.errors import InvalidInput

_NOTHING = Outcome()


def record(
    session: SessionOptions,
    answer: AnswerOptions,
    words: list[str] | None = argument(
        "[NAME] [-]",
        "The model; - reads many from stdin, one JSON object a line.",
        complete="model",
    ),
    model: str | None = MODEL,
    file: Path | None = option("--file -f PATH", "Read many from a file; - is stdin.", path),
) -> None:
    """Log an answer that a program of your own gave.

    Which version is to answer says mlreg route NAME --user U --field version. The answer is
    logged as those of predict are: for perf, feedback, thresholds and rollback. Many are read one
    JSON object a line, with the options' names as keys (user, version, output, latency_ms,
    request_id, …). If any line is wrong, none is recorded.

    $ mlreg record chat --version 1.0.0 --output "Hello!" --latency-ms 310 --cost 0.002
    $ mlreg record chat --version 1.0.0 --error "timed out" --request-id ORDER-17
    $ mlreg record chat - < answers.jsonl
    """
    names = [word for word in words or () if word != STDIN]
    is_piped = len(names) < len(words or ())
    if len(names) > 1 or (is_piped and file is not None):
        raise InvalidInput(
            "record takes one model, and - or --file for many", hint="mlreg record NAME -"
        )
    name = read_name(names[0] if names else None, model)
    lines = Path(STDIN) if is_piped else file
    if lines is None:
        if answer == _NOTHING:
            raise InvalidInput(
                "what was answered?", hint="mlreg record NAME --output ANSWER, or - for stdin"
            )
        with session.open() as registry:
            session.emit(registry.predictions.record(name, answer))
        return
    if answer != _NOTHING:
        raise InvalidInput(
            "give either options, or - or --file for many", hint="mlreg record NAME -"
        )
    _, receipt = record_lines(
        session,
        lines,
        lambda registry: registry.predictions.checker(name),
        lambda registry: (
            lambda found, **told: registry.predictions.record_many(found, model=name, **told)
        ),
    )
    session.emit(receipt)
