"""`mlreg alerts silence`."""

from __future__ import annotations

from datetime import timedelta

from mlreg.cli.kit.parameters import argument, flag, option
from mlreg.cli.options import MODEL, NAME, AuthorOptions, read_name
from mlreg.cli.session import SessionOptions
from mlreg.clock import parse_duration
from mlreg.errors import InvalidInput


def silence(
    session: SessionOptions,
    change: AuthorOptions,
    name: str | None = NAME,
    threshold: str | None = argument("[THRESHOLD]", "Of this one alone; else of all."),
    model: str | None = MODEL,
    lasting: timedelta | None = option("--for TIME", "For how long, such as 2h.", parse_duration),
    end: bool = flag("--end", "End the silence."),
) -> None:
    """Tell nobody of alerts for a time.

    They are listed all the same, and what they do beside telling, such as a rollback, they do. One
    that still fires when the time is over is told of then.

    $ mlreg alerts silence sentiment --for 2h --reason "the upstream is down"
    $ mlreg alerts silence sentiment error_rate --for 30m
    $ mlreg alerts silence sentiment --end
    """
    if end == (lasting is not None):
        raise InvalidInput("for how long?", hint="give --for 2h, or --end")
    whose = read_name(name, model)
    with session.open() as registry:
        lasts = lasting or timedelta(0)
        session.emit(registry.alerts.silence(whose, threshold, lasting=lasts, change=change))
