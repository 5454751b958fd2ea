"""`mlreg log`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlreg.cli.kit.parameters import flag, option
from mlreg.cli.kit.values import moment, prediction_id
from mlreg.cli.options import LIMIT, REQUEST_ID, SINCE, UNTIL, VERSION, NameOptions
from mlreg.cli.session import Session, SessionOptions
from mlreg.entities.documents import PredictionLog
from mlreg.errors import InvalidInput

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
    until: str | None = UNTIL,
    user: str | None = option("--user ID", "Only what this user was answered."),
    row_id: int | None = option("--id N", "Only the prediction of this id.", prediction_id),
    request_id: str | None = REQUEST_ID,
    errors: bool = flag("--errors", "Only failed ones."),
    limit: int = LIMIT,
    follow: bool = flag("--follow", "Go on with new ones as they come, until Ctrl-C."),
) -> None:
    """List logged predictions.

    The newest ones, the oldest of them first. With --follow and --json it is one object a line.

    $ mlreg log --errors --since 24h
    $ mlreg log sentiment -n 3 --json
    $ mlreg log --user alice --since 2d --until 1d
    $ mlreg log --key ORDER-17
    $ mlreg log --follow
    """
    others = {"version": version, "since": since, "until": until, "user": user, "errors": errors}
    with session.open_to_read() as registry:
        if row_id is not None or request_id is not None:
            _refuse(
                others | {"follow": follow, "id": row_id if request_id is not None else None},
                "one row",
            )
            reader = registry.predictions
            row = reader.get(row_id) if row_id else reader.of_request(request_id or "", model=model)
            session.emit(PredictionLog(predictions=[row]))
            return
        wanted: dict[str, Any] = {"model": model, "version": version, "errors": errors}
        wanted["unit"] = user
        rows = registry.predictions.log(
            **wanted, since=moment(since), until=moment(until), limit=limit
        )
        if follow:
            _refuse({"until": until}, "what is to come")
            _follow(session, registry, rows, **wanted)
        else:
            session.emit(PredictionLog(predictions=rows))


def _refuse(options: dict[str, Any], meant: str) -> None:
    """Say so if an option was given that makes no sense beside what is meant."""
    for name, value in options.items():
        if value not in (None, False):
            raise InvalidInput(f"--{name} does not go with {meant}", hint="leave one of them out")


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
