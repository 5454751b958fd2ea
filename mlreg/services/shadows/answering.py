"""Asking a version what was asked live, and logging its answers beside the live ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mlreg.artifacts.runner import Answer, Batch, Failure
from mlreg.entities.predictions import LABEL, SHADOW
from mlreg.errors import InvalidInput
from mlreg.inputs import Input, check_input
from mlreg.services.answers import columns
from mlreg.services.feedback import of_same_input
from mlreg.services.privacy import Privacy
from mlreg.store.feedback import FeedbackRow
from mlreg.store.predictions import Entry

if TYPE_CHECKING:
    from mlreg.artifacts.runner import Runner
    from mlreg.services.context import Context
    from mlreg.services.routes import Served
    from mlreg.services.trust import Trust
    from mlreg.store.store import Transaction


class Copied(NamedTuple):
    """What was asked live: the row of the log, its input, and what the row says beside it."""

    live: int
    value: Input
    unit: str | None
    segment: str | None
    revision: int


class Answered(NamedTuple):
    """A row to append for a shadow, and the live prediction that it is about."""

    live: int
    entry: Entry


class Answering:
    """Asks versions by a runner, and logs.

    Args:
        context: The registry.
        runner: Runs the models.
        reason: Why they are asked, as the log says it.
    """

    def __init__(self, context: Context, runner: Runner, *, reason: str) -> None:
        self._context = context
        self._runner = runner
        self._reason = reason
        self._privacy = Privacy(context.settings)

    @cached_property
    def _trust(self) -> Trust:
        from mlreg.services.trust import Trust

        return Trust(self._context)

    def ask(
        self, shadow: Served, rows: Sequence[Copied], *, is_call: bool = True
    ) -> tuple[list[Answered], bool]:
        """Ask a version, all rows in one call.

        Args:
            shadow: The version.
            rows: What was asked live.
            is_call: Whether the latency is to be compared: the live answer was one of a call of
                as many.

        Returns:
            What to log, and whether the version left its process sound.
        """
        inputs = [_input(shadow, row) for row in rows]
        sent = [value for value in inputs if not isinstance(value, Failure)]
        batch = self._answers(shadow, sent)
        found, seconds = iter(batch.outcomes), batch.seconds / max(len(sent), 1)
        answered, is_sound = [], True
        for row, value in zip(rows, inputs, strict=True):
            if isinstance(value, Failure):
                answered.append(Answered(row.live, self._entry(shadow, row, value, 0.0)))
                continue
            outcome = next(found)
            is_sound &= not (isinstance(outcome, Failure) and outcome.kind in ("timeout", "died"))
            entry = self._entry(shadow, row, outcome, seconds)
            answered.append(Answered(row.live, entry._replace(is_call=is_call)))
            is_call = False
        return answered, is_sound

    def log(self, version: int, answered: Sequence[Answered]) -> int:
        """Log what is new, settle it by the labels that are known, and say how much that was."""
        with self._context.store.write(durable=False) as tx:
            known = tx.pairs.asked(version, [one.live for one in answered])
            fresh = [one for one in answered if one.live not in known]
            ids = tx.predictions.append_many([one.entry for one in fresh]) if fresh else range(0)
            pairs = [(one.live, key) for one, key in zip(fresh, ids, strict=True)]
            tx.pairs.append([(live, version, shadow) for live, shadow in pairs])
            tx.feedback.append(list(self._labels(tx, pairs)))
        if ids:
            self._context.fold_if_due(ids[-1], len(ids))
        return len(fresh)

    def _answers(self, shadow: Served, inputs: list[Input]) -> Batch:
        if not inputs:
            return Batch([], 0.0)
        if shadow.version.trusted and (refusal := self._trust.refusal(shadow.version)):
            return Batch([Failure("untrusted", refusal.message)] * len(inputs), 0.0)
        return self._runner.predict(shadow.loadable, inputs)

    def _entry(
        self, shadow: Served, row: Copied, outcome: Answer | Failure, seconds: float
    ) -> Entry:
        output, confidence, status = columns(outcome)
        error = self._privacy.logged_error(outcome) if isinstance(outcome, Failure) else None
        return Entry(
            self._context.clock(),
            shadow.version.key,
            row.revision,
            SHADOW,
            self._reason,
            row.unit,
            row.segment,
            None,  # it stands in the live row
            output,
            confidence,
            round(seconds * 1e6),
            status,
            error,
            shadow.cost,
            False,
        )

    def _labels(self, tx: Transaction, pairs: Sequence[tuple[int, int]]) -> Iterator[FeedbackRow]:
        """What labels of live answers that came before say of the shadow's."""
        said = tx.feedback.newest([live for live, _ in pairs])
        known = [pair for pair in pairs if (pair[0], LABEL) in said]
        outcomes = tx.predictions.outputs([key for pair in known for key in pair])
        at, author = self._context.clock(), self._context.author(None)
        for live, shadow in known:
            label = FeedbackRow(at, live, LABEL, *said[live, LABEL], author)
            if row := of_same_input(label, outcomes[live], shadow, outcomes[shadow]):
                yield row


def _input(shadow: Served, row: Copied) -> Input | Failure:
    """The input as the version takes it, or why it does not."""
    try:
        return check_input(shadow.loadable.signature, row.value)
    except InvalidInput as error:
        return Failure("error", f"it takes other inputs: {error.message}")
