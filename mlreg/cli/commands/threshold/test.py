"""`mlreg threshold test`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.kit.values import moment
from mlreg.cli.options import MODEL, read_name
from mlreg.cli.session import SessionOptions

_NAME = argument("NAME", "The model, or what to try where there is one model.")
_WHAT = argument("[WHAT]", "The name of a threshold, or a condition.")
_SINCE = option("--since TIME", "From this on: 24h, 7d or an ISO time.", default="30d")


def test_(
    session: SessionOptions,
    name: str = _NAME,  # noqa: PT028  # a verb
    what: str | None = _WHAT,  # noqa: PT028  # likewise
    model: str | None = MODEL,  # noqa: PT028  # likewise
    since: str = _SINCE,  # noqa: PT028  # likewise
) -> None:
    """Say when a threshold would have fired, on the log.

    The window passes by the logged answers in five steps of its length, a minute at least and an
    hour at most. Labels count from when their answer was given, so that what came late is seen too
    early.

    $ mlreg threshold test sentiment 'error_rate <= 5% over 10m min 100 for 5m'
    $ mlreg threshold test sentiment error_rate --since 7d --field fired.fired_at
    """
    whose = read_name(None if what is None else name, model)
    with session.open_to_read() as registry:
        start = moment(since) or 0
        session.emit(registry.thresholds.test(whose, what or name, since=start))
