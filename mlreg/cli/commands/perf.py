"""`mlreg perf`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.kit.completion import complete_selector
from mlreg.cli.options import NameArgument, SinceOption, moment, segment_key
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed


def perf(
    session: SessionOptions,
    name: NameArgument = None,
    since: SinceOption = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Up to this, written likewise.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="VERSION",
            help="Compare with this one; else the champion, else the one with most requests.",
            autocompletion=complete_selector,
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="segment:KEY", help="One line for each value of a segment."),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            metavar="CONDITION",
            help="End with exit code 10 if it holds for an active version; can be repeated.",
        ),
    ] = None,
) -> None:
    """Report how the versions do, and which one the evidence favours.

    Rates come with 95 % intervals. The verdict is ship, keep, inconclusive or invalid, and the
    last line says it in a sentence with its numbers.

    $ mlreg perf sentiment --since 24h
    $ mlreg perf sentiment --by segment:country
    $ mlreg perf sentiment --since 1h --fail-if "error_rate > 0.05"
    """
    window = moment(since), moment(until)
    with session.open() as registry:
        report = registry.performance.report(
            name, since=window[0], until=window[1], baseline=baseline, by=segment_key(by)
        )
        registry.performance.check_conditions(fail_if or ())
        session.emit(report)
        broken = registry.performance.breaches(report, fail_if or ())
    if broken:
        raise CheckFailed("; ".join(broken), hint=f"see: mlreg perf {report.model}")
