"""`mlreg abtest record`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mlreg.cli.kit.parameters import Bundle, argument, option
from mlreg.cli.kit.values import STDIN, amount, json_or_text, number, pairs, whole_number
from mlreg.cli.options import CORRECT, TEST, VALUE
from mlreg.cli.session import Session, SessionOptions
from mlreg.entities.documents import Recorded
from mlreg.entities.experiments import Outcome
from mlreg.errors import InvalidInput


def read_outcome(
    unit: str | None = option("--user U", "Whom it was about."),
    variant: str | None = option("--variant ARM", "control, treatment, …, as assign said."),
    version: str | None = option("--version V", "Instead of --variant."),
    revision: int | None = option(
        "--revision N", "As assign said; else the one in force.", whole_number
    ),
    success: bool | None = option(
        "--success/--failure", "Whether it answered.", show_default=False
    ),
    error: str | None = option("--error TEXT", "Why it did not."),
    output: str | None = option("--output VALUE", "What it answered."),
    confidence: float | None = option("--confidence P", "0 to 1.", amount),
    latency_ms: float | None = option("--latency-ms MS", "How long it took.", number),
    cost: float | None = option("--cost C", "What it cost.", number),
    label: str | None = option("--label L", "The right answer, if known."),
    correct: bool | None = CORRECT,
    values: list[str] | None = VALUE,
    request_id: str | None = option("--request-id ID", "Sent again, it is recorded once."),
) -> Outcome:
    """What the options amount to: each is a field of the outcome."""
    said = dict(locals())
    said["output"] = None if output is None else json_or_text(output)
    said["values"] = pairs(values, number)
    return Outcome(**said)


def record(
    session: SessionOptions,
    outcome: Annotated[Outcome, Bundle(read_outcome)],
    test_id: str = TEST,
    source: str | None = argument("[-]", "Read many from stdin, one JSON object a line."),
) -> None:
    """Log an answer that a program of your own gave as part of a test.

    The printed id takes feedback later. With - many are read from stdin: one JSON object a line
    with the options' names as keys (user, variant, success, latency_ms, values, …). If any line
    cannot be read, none is recorded. Where lines have a request_id, what was interrupted can be
    sent again: none is recorded twice.

    $ mlreg abtest record tone --user u17 --variant treatment --success --latency-ms 12.5
    $ mlreg abtest record tone - < outcomes.jsonl
    """
    if source is not None:
        if source != STDIN or outcome != Outcome():
            raise InvalidInput(
                "give either options or - for stdin", hint="mlreg abtest record ID -"
            )
        _record_lines(session, test_id)
        return
    with session.open() as registry:
        found = registry.external.record(test_id, outcome)
        session.emit(Recorded(test_id=test_id, recorded=1, prediction_id=found))


def _record_lines(session: Session, test_id: str) -> None:
    """Record all outcomes of stdin, or none of them where a line cannot be read."""
    from mlreg.cli.streams.lines import Source, readable_twice
    from mlreg.cli.streams.outcomes import outcomes
    from mlreg.cli.streams.progress import Progress

    with readable_twice(Source(Path(STDIN), "jsonl")) as origin, session.open() as registry:
        check = registry.external.checker(test_id)
        total = sum(1 for _ in outcomes(origin, check))
        with Progress("outcomes", total=total) as progress:
            recorded = registry.external.record_many(
                test_id, outcomes(origin), progress=progress.advance
            )
        session.emit(Recorded(test_id=test_id, recorded=recorded, prediction_id=None))
        if recorded < total:
            session.note(f"{total - recorded:,} had been recorded before")
