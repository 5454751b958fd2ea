"""`mlreg log`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlreg.cli.kit.parameters import flag
from mlreg.cli.kit.values import moment
from mlreg.cli.options import LIMIT, SINCE, VERSION, NameOptions
from mlreg.cli.session import Session, SessionOptions
from mlreg.entities.documents import PredictionLog

if TYPE_CHECKING:
    from mlreg.entities.predictions import LoggedPrediction
    from mlreg.registry import Registry

_PAUSE_SECONDS = 0.5
_AT_ONCE = 1000


def log(
    session: SessionOptions,
    model: NameOptions,
    version: str | None = VERSION,
    since: str | None = SINCE,
    errors: bool = flag("--errors", "Only failed ones."),
    limit: int = LIMIT,
    follow: bool = flag("--follow", "Go on with new ones as they come, until Ctrl-C."),
) -> None:
    """List logged predictions.

    The newest ones, the oldest of them first. With --follow and --json it is one object a line.

    $ mlreg log --errors --since 24h
    $ mlreg log sentiment -n 3 --json
    $ mlreg log --follow
    """
    with session.open_to_read() as registry:
        rows = registry.predictions.log(
            model=model, version=version, errors=errors, since=moment(since), limit=limit
        )
        if follow:
            _follow(session, registry, rows, model=model, version=version, errors=errors)
        else:
            session.emit(PredictionLog(predictions=rows))


def _follow(
    session: Session, registry: Registry, rows: list[LoggedPrediction], **wanted: Any
) -> None:
    """Print rows, and then each new one, until the reader has enough."""
    from time import sleep

    from mlreg.cli.stdout import write, write_text
    from mlreg.cli.views.predictions import line

    last = rows[-1].prediction_id if rows else registry.predictions.last_id()
    while True:
        for row in rows:
            if session.is_for_people:
                write_text(line(row))
            else:
                write(session.line(row))
            last = row.prediction_id
        if len(rows) < _AT_ONCE:
            sleep(_PAUSE_SECONDS)
        rows = registry.predictions.log(**wanted, limit=_AT_ONCE, after=last)
