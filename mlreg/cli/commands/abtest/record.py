"""`mlreg abtest record`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.kit.values import STDIN
from mlreg.cli.options import TEST
from mlreg.cli.recording import AnswerOptions, record_lines
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import Recorded
from mlreg.entities.experiments import Outcome
from mlreg.errors import InvalidInput


def record(
    session: SessionOptions,
    answer: AnswerOptions,
    test_id: str = TEST,
    source: str | None = argument("[-]", "Read many from stdin, one JSON object a line."),
    variant: str | None = option(
        "--variant ARM", "control, treatment, …, as assign said; instead of --version."
    ),
) -> None:
    """Log an answer that a program of your own gave as part of a test.

    The printed id takes feedback later. With - many are read from stdin: one JSON object a line
    with the options' names as keys (user, variant, success, latency_ms, values, …). If any line
    cannot be read, none is recorded. Where lines have a request_id, what was interrupted can be
    sent again: none is recorded twice.

    $ mlreg abtest record tone --user u17 --variant treatment --success --latency-ms 12.5
    $ mlreg abtest record tone - < outcomes.jsonl
    """
    outcome = replace(answer, variant=variant)
    if source is None:
        with session.open() as registry:
            found = registry.external.record(test_id, outcome)
            session.emit(Recorded(test_id=test_id, recorded=1, prediction_id=found))
        return
    if source != STDIN or outcome != Outcome():
        raise InvalidInput("give either options or - for stdin", hint="mlreg abtest record ID -")
    total, recorded = record_lines(
        session,
        Path(STDIN),
        lambda registry: registry.external.checker(test_id),
        lambda registry: (
            lambda lines, **told: registry.external.record_many(test_id, lines, **told)
        ),
    )
    session.emit(Recorded(test_id=test_id, recorded=recorded, prediction_id=None))
    if recorded < total:
        session.note(f"{total - recorded:,} had been recorded before")
