"""`mlreg perf`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.cli.changes import show_change
from mlreg.cli.kit.parameters import flag, option
from mlreg.cli.kit.values import breakdown, moment
from mlreg.cli.options import SINCE, UNTIL, MannerOptions, NameOptions
from mlreg.cli.session import Session, SessionOptions
from mlreg.entities.traffic import Change
from mlreg.errors import CheckFailed, InvalidInput

if TYPE_CHECKING:
    from mlreg.clock import Moment
    from mlreg.entities.reports import PerformanceReport
    from mlreg.registry import Registry
    from mlreg.services.conditions import OfRevision


def perf(
    session: SessionOptions,
    name: NameOptions,
    change: MannerOptions,
    since: str | None = SINCE,
    until: str | None = UNTIL,
    everything: bool = flag("--all", "All there is, not the split in force alone."),
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
    then_rollback: bool = flag(
        "--then-rollback", "Where one holds of the revision in force, roll back, once."
    ),
) -> None:
    """Report how the versions do, and which one the evidence favours.

    Without --since it reports on the split in force, once each version in it has been asked 100
    times, and else on all there is. Rates come with 95 % intervals. The verdict is ship, keep,
    inconclusive or invalid, and the last line says it in a sentence with its numbers.

    $ mlreg perf sentiment --since 24h
    $ mlreg perf sentiment --by segment:country
    $ mlreg perf sentiment --by hour --since 24h
    $ mlreg perf sentiment --since 1h --fail-if "error_rate > 0.05"
    $ mlreg perf sentiment --fail-if "accuracy < baseline - 2pt over 7d min 100"
    $ mlreg perf sentiment --fail-if "error_rate > 2% min 200" --then-rollback --actor cron
    """
    if then_rollback:
        _check_usage(fail_if, by)
    elif change != Change():
        raise InvalidInput("--reason, --actor and --dry-run go with --then-rollback")
    if everything and since is not None:
        raise InvalidInput("--all and --since do not go together")
    window: tuple[Moment | None, Moment | None] = 0 if everything else moment(since), moment(until)
    with session.open() if then_rollback else session.open_to_read() as registry:
        if then_rollback and window[0] is None:
            window = registry.traffic.current(name).created_at, window[1]
        report = registry.performance.report(
            name, since=window[0], until=window[1], baseline=baseline, by=breakdown(by)
        )
        if not fail_if:
            session.emit(report)
        elif then_rollback:
            _act(session, registry, report, fail_if, window[1], change)
        else:
            _judge(session, registry, report, fail_if, window)


def _judge(
    session: Session,
    registry: Registry,
    report: PerformanceReport,
    fail_if: list[str],
    window: tuple[Moment | None, Moment | None],
) -> None:
    """Show the report with what became of the conditions, and end as they say."""
    findings = registry.conditions.findings(
        report.model,
        fail_if,
        are_forbidden=True,
        since=window[0] or 0,
        until=window[1],
        baseline=report.baseline,
        by=report.by if report.is_by_segment else None,
    )
    session.emit(replace(report, findings=findings))
    registry.conditions.enforce(findings)


def _act(
    session: Session,
    registry: Registry,
    report: PerformanceReport,
    fail_if: list[str],
    until: Moment | None,
    change: Change,
) -> None:
    """Do the same of the revision in force alone, and roll back where a condition is broken."""
    found = registry.conditions.of_revision(
        report.model, fail_if, since=report.since, until=until, baseline=report.baseline
    )
    session.emit(replace(report, findings=found.findings))
    if any(finding.state == "fail" for finding in found.findings):
        _roll_back(session, registry, found, change)
    registry.conditions.enforce(found.findings)


def _check_usage(fail_if: list[str] | None, by: str | None) -> None:
    if not fail_if:
        raise InvalidInput(
            "--then-rollback needs a condition", hint="give --fail-if 'error_rate > 2% min 200'"
        )
    if by is not None and by.startswith("segment:"):
        raise InvalidInput("--then-rollback looks at all requests: it goes with no segment")


def _roll_back(session: Session, registry: Registry, found: OfRevision, change: Change) -> None:
    """Roll back from the revision that broke a condition, unless somebody has moved on from it.

    Raises:
        CheckFailed: The condition is broken, and this was done about it.
    """
    after = registry.traffic.rollback(
        found.model,
        findings=found.findings,
        change=replace(change, expect_revision=found.revision),
    )
    if session.is_for_people:
        show_change(session, registry, after, is_new=True)
    done = "would be rolled back" if change.dry_run else "rolled back"
    shares = ", ".join(f"{arm.version} {arm.traffic_percent:g} %" for arm in after.live)
    broken = "; ".join(found.sentence for found in found.findings if found.state == "fail")
    raise CheckFailed(
        f"{broken}; {done} to {shares}, revision {after.number}",
        hint=f"see: mlreg history {found.model}",
    )
