"""`log --follow`: new rows as they are logged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlreg.cli.output import field_lines, json_line, write, write_text
from mlreg.cli.views.blocks import text_of
from mlreg.jsonable import jsonable

if TYPE_CHECKING:
    from mlreg.cli.session import Session
    from mlreg.entities.predictions import LoggedPrediction
    from mlreg.registry import Registry

_PAUSE_SECONDS = 0.5
_AT_ONCE = 1000


def follow_log(
    session: Session,
    registry: Registry,
    rows: list[LoggedPrediction],
    *,
    model: str | None,
    version: str | None,
    errors: bool,
) -> None:
    """Print rows, and then each new one, until the reader has enough."""
    last = rows[-1].prediction_id if rows else registry.predictions.last_id()
    while True:
        for row in rows:
            _print(session, row)
            last = row.prediction_id
        if len(rows) < _AT_ONCE:
            time.sleep(_PAUSE_SECONDS)
        rows = registry.predictions.log(
            model=model, version=version, errors=errors, limit=_AT_ONCE, after=last
        )


def _print(session: Session, entry: LoggedPrediction) -> None:
    if session.field is not None:
        write("".join(f"{line}\n" for line in field_lines(jsonable(entry), session.field)))
    elif session.json:
        write(json_line(entry))
    else:
        from mlreg.cli.views.predictions import row

        write_text("  ".join(text_of(cell) for cell in row(entry)) + "\n")
