"""`mlreg replay`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import moment
from mlreg.cli.options import DRY_RUN, UNTIL, NameOptions
from mlreg.cli.session import SessionOptions


def replay(
    session: SessionOptions,
    name: NameOptions,
    version: str = option(
        "--version VERSION",
        "Who is asked: a version, an alias or latest.",
        default=...,
        complete="selector",
    ),
    since: str = option("--since TIME", "From this on: 24h, 7d or an ISO time.", default="7d"),
    until: str | None = UNTIL,
    dry_run: bool = DRY_RUN,
) -> None:
    """Ask a version what others were asked live, from the log.

    Its answers are logged as those of a shadow, each input once: what is interrupted goes on where
    it was. The log must keep the inputs (setting log_inputs).

    $ mlreg replay sentiment --version 2.0.0 --since 7d
    $ mlreg replay sentiment --version latest --since 24h --dry-run
    """
    from mlreg.cli.streams.progress import Progress

    start = moment(since)
    assert start is not None  # it has a default
    with session.open(worker=True) as registry, Progress("predictions") as progress:
        found = registry.shadows.replay(
            version,
            name,
            since=start,
            until=moment(until),
            dry_run=dry_run,
            progress=progress.advance_of,
        )
    session.emit(found)
    if found.replayed and not dry_run:
        session.suggest(f"mlreg shadow report {found.model} --version {found.version}")
