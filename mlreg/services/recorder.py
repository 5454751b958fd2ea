"""Taking in answers that were given elsewhere: predictions that need no model here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlreg.errors import InvalidInput
from mlreg.services.log import LogReader

if TYPE_CHECKING:
    from mlreg.entities.experiments import Outcome
    from mlreg.entities.predictions import AnswerReceipt
    from mlreg.services.recordings import Recordings
    from mlreg.services.tripwires import Tripwires


class Recorder(LogReader):
    """The log, and what programs of the user's add to it."""

    @cached_property
    def _recordings(self) -> Recordings:
        from mlreg.services.recordings import Recordings

        return Recordings(self._context, self._tripwires)

    @cached_property
    def _tripwires(self) -> Tripwires:
        from mlreg.services.tripwires import Tripwires

        return Tripwires(self._context)

    def record(
        self,
        model: str | None = None,
        answer: Outcome | Mapping[str, Any] | None = None,
        **said: Any,
    ) -> AnswerReceipt:
        """Log one answer that a program of the user's gave, as `record("chat", output="yes")`.

        Which version is to answer says `traffic.explain(model, user)`. An answer with the
        `request_id` of an earlier one is that one, and is not logged again.

        Args:
            model: Its name; None for the one of the settings, or the only one.
            answer: What was answered; or say it by the names of the fields of `Outcome`.
            said: Those fields: `version`, `unit`, `output`, `confidence`, `latency_ms`, `error`, …
                Without a version it was the only one that serves, or the user's own.

        Raises:
            InvalidInput: A value is wrong, or it is unclear which version answered.
            NoActiveVersion: Nothing serves the model, and no version was said.
            Conflict: The version has never served, or the request id was another answer's.
        """
        if answer is not None and said:
            raise InvalidInput("give either an answer or its fields, not both")
        return self._recordings.record(model, said if answer is None else answer)

    def record_many(
        self,
        answers: Iterable[Outcome | Mapping[str, Any]],
        *,
        model: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> AnswerReceipt:
        """Log many answers that a program of the user's gave, a thousand in a transaction.

        What is interrupted half-way can be sent again where each answer has a `request_id`.

        Args:
            answers: Each as for `record`.
            model: As for `record`.
            progress: Called with the number of answers after each transaction.

        Raises:
            InvalidInput: An answer is wrong; its thousand is not logged, the ones before are.
            NoActiveVersion: Nothing serves the model, and no version was said.
            Conflict: As for `record`.
        """
        return self._recordings.record_many(model, answers, progress)

    def checker(self, model: str | None = None) -> Callable[[Outcome], None]:
        """A function that raises what recording an answer would raise, and records nothing."""
        return self._recordings.checker(model)
