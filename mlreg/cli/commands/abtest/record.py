"""`mlreg abtest record`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.options import (
    CorrectOption,
    ExperimentArgument,
    ValueOption,
    amount,
    number,
    pairs,
    parser,
    whole_number,
)
from mlreg.cli.session import SessionOptions
from mlreg.cli.streams.lines import STDIN, json_or_text
from mlreg.entities.documents import Recorded
from mlreg.errors import InvalidInput


def record(
    session: SessionOptions,
    test_id: ExperimentArgument,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[-]",
            show_default=False,
            help="Read many from stdin, one JSON object a line.",
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="U", help="Whom it was about.")
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option("--variant", metavar="ARM", help="control, treatment, …, as assign said."),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", metavar="V", help="Instead of --variant.")
    ] = None,
    revision: Annotated[
        int | None,
        typer.Option(
            "--revision",
            metavar="N",
            parser=parser(whole_number),
            help="As assign said; else the one in force.",
        ),
    ] = None,
    success: Annotated[
        bool | None,
        typer.Option("--success/--failure", show_default=False, help="Whether it answered."),
    ] = None,
    error: Annotated[
        str | None, typer.Option("--error", metavar="TEXT", help="Why it did not.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="VALUE", help="What it answered.")
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option("--confidence", metavar="P", parser=parser(amount), help="0 to 1."),
    ] = None,
    latency_ms: Annotated[
        float | None,
        typer.Option("--latency-ms", metavar="MS", parser=parser(number), help="How long it took."),
    ] = None,
    cost: Annotated[
        float | None,
        typer.Option("--cost", metavar="C", parser=parser(number), help="What it cost."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="L", help="The right answer, if known.")
    ] = None,
    correct: CorrectOption = None,
    value: ValueOption = None,
    request_id: Annotated[
        str | None,
        typer.Option("--request-id", metavar="ID", help="Sent again, it is recorded once."),
    ] = None,
) -> None:
    """Log an answer that a program of your own gave as part of a test.

    The printed id takes feedback later. With - many are read from stdin: one JSON object a line
    with the options' names as keys (user, variant, success, latency_ms, values, …). If any line
    cannot be read, none is recorded. Where lines have a request_id, what was interrupted can be
    sent again: none is recorded twice.

    $ mlreg abtest record tone --user u17 --variant treatment --success --latency-ms 12.5
    $ mlreg abtest record tone - < outcomes.jsonl
    """
    said = {
        "unit": user,
        "variant": variant,
        "version": version,
        "revision": revision,
        "success": success,
        "error": error,
        "output": json_or_text(output) if output is not None else None,
        "confidence": confidence,
        "latency_ms": latency_ms,
        "cost": cost,
        "label": label,
        "correct": correct,
        "values": pairs(value, number) or None,
        "request_id": request_id,
    }
    given = {name: item for name, item in said.items() if item is not None}
    if source is not None:
        from mlreg.cli.streams.outcomes import record_stream

        if source != STDIN or given:
            raise InvalidInput(
                "give either options or - for stdin", hint="mlreg abtest record ID -"
            )
        record_stream(session, test_id)
        return
    with session.open() as registry:
        found = registry.external.record(test_id, given)
        session.emit(Recorded(test_id=test_id, recorded=1, prediction_id=found))
