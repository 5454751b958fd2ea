"""The log as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

from mlreg.entities.predictions import LoggedPrediction
from mlreg.entities.queries import frame

if TYPE_CHECKING:
    from mlreg.clock import Moment

_AT_ONCE = 10_000


class Log(Protocol):
    """What has rows to read, the newest of them or those behind one."""

    def log(
        self, *, model: str | None, version: str | None, errors: bool, since: Moment,
        limit: int, after: int,
    ) -> list[LoggedPrediction]: ...  # fmt: skip


def log_frame(
    predictions: Log,
    *,
    model: str | None = None,
    version: str | None = None,
    errors: bool = False,
    since: Moment = 0,
) -> Any:
    """All rows of the log that match, as a `pandas.DataFrame`, the oldest first.

    Args:
        predictions: Whose log.
        model: Only rows of this model.
        version: Only rows of this version of it.
        errors: Only failures.
        since: An instant, how long ago (a timedelta), or microseconds since 1970.

    Raises:
        InvalidInput: pandas is not installed.
    """

    def rows() -> Iterator[LoggedPrediction]:
        # In pieces: one long read would keep the write-ahead log from being reset.
        last = 0
        while piece := predictions.log(
            model=model, version=version, errors=errors, since=since, limit=_AT_ONCE, after=last
        ):
            yield from piece
            last = piece[-1].prediction_id

    names = [field.name for field in fields(LoggedPrediction)]
    return frame(names, ([getattr(row, name) for name in names] for row in rows()))
