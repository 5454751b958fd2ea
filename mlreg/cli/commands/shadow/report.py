"""`mlreg shadow report`."""

from __future__ import annotations

from mlreg.cli.kit.values import moment
from mlreg.cli.options import AGAINST, ALPHA, SHADOW, SINCE, NameOptions
from mlreg.cli.session import SessionOptions


def report(
    session: SessionOptions,
    name: NameOptions,
    version: str | None = SHADOW,
    against: str | None = AGAINST,
    since: str | None = SINCE,
    alpha: float = ALPHA,
) -> None:
    """Compare shadows with what was live, and say which is better.

    On the same inputs: how often they agree, what becomes what, latencies, and who is right where
    there are labels. The verdict holds at all looks together, so look as often as you like.

    $ mlreg shadow report sentiment
    $ mlreg shadow report sentiment --version 2.0.0 --against 1.0.0 --since 7d
    $ mlreg shadow report sentiment --field comparisons.verdict
    """
    with session.open_to_read() as registry:
        session.emit(
            registry.shadows.report(
                name, version=version, against=against, since=moment(since), alpha=alpha
            )
        )
