"""Reading the prediction log."""

from __future__ import annotations

import json

from mlreg.clock import Moment, from_micros
from mlreg.entities.predictions import FeedbackEntry, LoggedPrediction, PredictionTrail
from mlreg.errors import InvalidInput, NotFound
from mlreg.names import check_text, safe
from mlreg.services.context import Context
from mlreg.services.frames import log_frame
from mlreg.services.requests import LONGEST, check_request_id
from mlreg.services.windows import window_of


class LogReader:
    """The log of predictions, and what was said about them later."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, prediction_id: int) -> LoggedPrediction:
        """One row of the log."""
        with self._context.store.read() as tx:
            found = tx.predictions.find(prediction_id)
        if found is None:
            raise NotFound(
                f"there is no prediction {prediction_id}", hint="see the newest: mlreg log"
            )
        return found

    def of_request(self, request_id: str, *, model: str | None = None) -> LoggedPrediction:
        """The row of the log that the caller's own id of a request led to.

        Args:
            request_id: What the caller gave when it asked.
            model: Whose request that was; None for the only model.

        Raises:
            NotFound: No request of this id was answered.
        """
        check_request_id(request_id)
        with self._context.store.read() as tx:
            row = self._context.model(tx, model)
            known = tx.predictions.find_request(row.key, request_id)
        if known is None:
            raise NotFound(f"{row.name} has answered no request {safe(request_id)}")
        return self.get(known[0])

    def log(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        errors: bool = False,
        since: Moment | None = None,
        until: Moment | None = None,
        unit: str | None = None,
        limit: int = 20,
        after: int | None = None,
    ) -> list[LoggedPrediction]:
        """The newest rows of the log, the oldest of them first.

        Args:
            model: Only rows of this model.
            version: Only rows of this version of it.
            errors: Only failures.
            since: An instant, how long ago (a timedelta), or microseconds since 1970; None: all.
            until: Only rows before this time, given likewise.
            unit: Only rows of this user or other key that sticky routing goes by.
            limit: How many rows at most.
            after: Only rows behind this id, the first `limit` of them: for following the log.

        Raises:
            InvalidInput: The window is empty.
        """
        if limit < 1:
            raise InvalidInput(f"the number of rows must be at least 1, not {limit}")
        if unit is not None:
            check_text(unit, "user", longest=LONGEST)
        window = window_of(since, until, now=self._context.clock())
        with self._context.store.read() as tx:
            row = tx.models.get(model) if model else None
            if version:
                found = tx.versions.select(row or self._context.model(tx, None), version)
            return tx.predictions.newest(
                limit=limit,
                model_key=row and row.key,
                version_key=found.key if version else None,
                errors=errors,
                since=None if since is None else window.since,
                until=None if until is None else window.until,
                unit=unit,
                after=after,
            )

    frame = log_frame

    def last_id(self) -> int:
        """The id of the newest row; 0 if there is none."""
        with self._context.store.read() as tx:
            return tx.predictions.last_id()

    def trail(self, prediction_id: int) -> PredictionTrail:
        """One row of the log, with the request it came with and all that was said about it.

        Raises:
            NotFound: There is no such prediction.
        """
        row = self.get(prediction_id)
        with self._context.store.read() as tx:
            request_id = tx.predictions.request_of(prediction_id)
            said = tx.feedback.trail(prediction_id)
            same_input = tx.pairs.families([prediction_id]).get(prediction_id, ())
        return PredictionTrail(
            prediction=row,
            request_id=request_id,
            same_input=same_input,
            feedback=tuple(
                FeedbackEntry(
                    time=from_micros(entry.at),
                    name=entry.name,
                    label=None if entry.label is None else json.loads(entry.label),
                    correct=None if entry.correct is None else bool(entry.correct),
                    value=entry.value,
                    actor=entry.actor,
                )
                for entry in said
            ),
        )
