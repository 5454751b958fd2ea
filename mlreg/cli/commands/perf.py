"""`mlreg perf`."""

from __future__ import annotations

from dataclasses import replace

from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import breakdown, moment
from mlreg.cli.options import SINCE, NameOptions
from mlreg.cli.session import SessionOptions


def perf(
    session: SessionOptions,
    name: NameOptions,
    since: str | None = SINCE,
    until: str | None = option("--until TIME", "Up to this, written likewise."),
    baseline: str | None = option(
        "--baseline VERSION",
        "Compare with this one; else the champion, else the oldest of the newest split.",
        complete="selector",
    ),
    by: str | None = option(
        "--by WHAT", "hour, day or revision: the trend; label: class by class; segment:KEY."
    ),
    fail_if: list[str] | None = option(
        "--fail-if CONDITION",
        "End with exit code 10 if it holds for an active version; can be repeated. "
        "All that can be said is in docs/conditions.md.",
    ),
) -> None:
    """Report how the versions do, and which one the evidence favours.

    Rates come with 95 % intervals. The verdict is ship, keep, inconclusive or invalid, and the
    last line says it in a sentence with its numbers.

    $ mlreg perf sentiment --since 24h
    $ mlreg perf sentiment --by segment:country
    $ mlreg perf sentiment --by hour --since 24h
    $ mlreg perf sentiment --since 1h --fail-if "error_rate > 0.05"
    $ mlreg perf sentiment --fail-if "accuracy < baseline - 2pt over 7d min 100"
    """
    window = moment(since), moment(until)
    with session.open_to_read() as registry:
        report = registry.performance.report(
            name, since=window[0], until=window[1], baseline=baseline, by=breakdown(by)
        )
        if fail_if:
            findings = registry.conditions.findings(
                report.model,
                fail_if,
                are_forbidden=True,
                since=report.since or 0,
                until=window[1],
                baseline=report.baseline,
                by=report.by if report.is_by_segment else None,
            )
            report = replace(report, findings=findings)
        session.emit(report)
        if fail_if:
            registry.conditions.enforce(report.findings)
