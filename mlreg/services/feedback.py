"""Feedback: truth about predictions, late, in bulk, corrected, and never lost."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from mlreg.entities.predictions import LABEL, Feedback, FeedbackReceipt, Scalar
from mlreg.errors import InvalidInput, NotFound
from mlreg.names import check_key, check_text, safe
from mlreg.services.context import Context
from mlreg.store.feedback import FeedbackRow
from mlreg.store.rows import restored
from mlreg.tallies import LARGEST_MEASURE

if TYPE_CHECKING:
    from mlreg.store.predictions import Outcome
    from mlreg.store.store import Transaction

CHUNK = 5000

_HIGHEST_ID = 2**63 - 1


class FeedbackService:
    """Takes feedback in and credits it to the version and revision that answered."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def record(
        self,
        prediction_id: int,
        label: Scalar | None = None,
        *,
        correct: bool | None = None,
        values: dict[str, float] | None = None,
        actor: str | None = None,
    ) -> FeedbackReceipt:
        """Record the truth about one prediction.

        Args:
            prediction_id: The id that came with the answer.
            label: What the answer should have been.
            correct: Whether the answer was right, where there is no label.
            values: Named numbers, such as a rating or a revenue.
            actor: Who says so; None for the registry's actor.

        Raises:
            NotFound: There is no such prediction.
            InvalidInput: Nothing was said, or a value is wrong.
        """
        entries = [
            Feedback(prediction_id=prediction_id, name=name, value=value)
            for name, value in (values or {}).items()
        ]
        if label is not None or correct is not None:
            entries.insert(0, Feedback(prediction_id=prediction_id, label=label, correct=correct))
        if not entries:
            raise InvalidInput(
                "feedback needs a label, a judgement or a value",
                hint=f"mlreg feedback {prediction_id} LABEL, or --correct, or --value NAME=1",
            )
        receipt = self.record_many(entries, actor=actor)
        if receipt.unknown:
            raise NotFound(
                f"there is no prediction {prediction_id}", hint="see the newest: mlreg log"
            )
        return receipt

    def record_many(
        self,
        entries: Iterable[Feedback],
        *,
        actor: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> FeedbackReceipt:
        """Record feedback in bulk, in transactions of some thousand entries.

        What is cut off half-way can be sent again: what is known already counts as a duplicate.

        Args:
            entries: In the order in which they count: the last word on a prediction wins.
            actor: Who says so; None for the registry's actor.
            progress: Called with the number of entries after each transaction.
        """
        recorded, duplicates, unknown = 0, 0, dict[int, None]()
        stream = iter(entries)
        while chunk := [checked(entry) for entry in islice(stream, CHUNK)]:
            with self._context.store.write() as tx:
                known, news, repeats = self.record_in(tx, chunk, actor)
                while len(chunk) >= CHUNK and tx.summaries.fold(limit=4 * CHUNK):
                    pass
            unknown |= dict.fromkeys(e.prediction_id for e in chunk if e.prediction_id not in known)
            recorded, duplicates = recorded + news, duplicates + repeats
            if progress:
                progress(len(chunk))
        return FeedbackReceipt(recorded=recorded, unknown=tuple(unknown), duplicates=duplicates)

    def record_in(
        self, tx: Transaction, chunk: list[Feedback], actor: str | None
    ) -> tuple[set[int], int, int]:
        """Record in a transaction under way: the ids that exist, what is new, what repeats.

        What says no more than the newest row of its prediction and name is not stored: a file
        that is sent again leaves nothing, whoever sends it.
        """
        ids = list({entry.prediction_id for entry in chunk})
        outputs = tx.predictions.outputs(ids)
        current = dict(tx.feedback.newest(ids))
        at, author = self._context.clock(), self._context.author(actor)
        rows, duplicates = [], 0
        for entry in chunk:
            if entry.prediction_id not in outputs:
                continue
            row = _row(entry, outputs[entry.prediction_id], at, author)
            key = (row.prediction, row.name)
            if current.get(key) == row.content:
                duplicates += 1
                continue
            current[key] = row.content
            rows.append(row)
        tx.feedback.append(rows)
        return set(outputs), len(rows), duplicates


def checked(entry: Feedback) -> Feedback:
    """The entry, if it can be recorded.

    Raises:
        InvalidInput: It says nothing, or a value is wrong.
    """
    key: object = entry.prediction_id  # a caller may not be typed
    if isinstance(key, bool) or not isinstance(key, int) or not 0 < key <= _HIGHEST_ID:
        raise InvalidInput(f"{safe(str(key))} is not the id of a prediction")
    if entry.value is not None:
        _check_value(entry.name, entry.value)
    elif entry.label is None and entry.correct is None:
        raise InvalidInput(f"the feedback for prediction {key} says nothing")
    elif entry.label is not None:
        _check_label(key, entry.label)
    if entry.correct not in (None, True, False):
        raise InvalidInput(f"the judgement of prediction {key} must be true or false")
    return entry


def _check_value(name: str, value: object) -> None:
    if check_key(name, "feedback value") == LABEL:
        raise InvalidInput("a feedback value cannot be called 'label'")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"the feedback value {name} must be a number")
    if not abs(value) <= LARGEST_MEASURE:  # NaN fails as well
        raise InvalidInput(
            f"the feedback value {name} must be a number between ±{LARGEST_MEASURE:g}"
        )


def _check_label(key: int, label: object) -> None:
    if not isinstance(label, str | int | float):
        kind = type(label).__name__
        raise InvalidInput(f"the label for prediction {key} must be a text or a number, not {kind}")
    if isinstance(label, float) and not math.isfinite(label):
        raise InvalidInput(f"the label for prediction {key} must be finite")
    if isinstance(label, str):
        if not label.strip():
            raise InvalidInput(f"the label for prediction {key} is empty")
        check_text(label, "label", longest=1000)


def _row(entry: Feedback, outcome: Outcome, at: int, actor: str) -> FeedbackRow:
    if entry.value is not None:
        value = float(entry.value)
        return FeedbackRow(at, entry.prediction_id, entry.name, None, None, value, actor)
    with restored("predictions", entry.prediction_id):
        answer = None if outcome.output is None else json.loads(outcome.output)
    label = entry.label if entry.label is None else _like(answer, entry.label)
    correct = _is_correct(answer, label, entry.correct, outcome)
    text = None if label is None else json.dumps(label, ensure_ascii=False)
    return FeedbackRow(at, entry.prediction_id, LABEL, text, correct, None, actor)


def _is_correct(
    answer: Scalar | None, label: Scalar | None, said: bool | None, outcome: Outcome
) -> int | None:
    """1 or 0; None where right and wrong make no sense: the version predicts numbers."""
    if said is None and outcome.kind == "number":
        return None
    if outcome.status != 0:
        return 0  # no answer is not the right answer
    if said is not None:
        return int(said)
    if outcome.kind is None and isinstance(answer, float):
        return None
    return int(type(answer) is type(label) and answer == label)


def _like(answer: Scalar | None, label: Scalar) -> Scalar:
    """The label in the type of the answer, where it can be read so: files hold only text."""
    if isinstance(answer, bool):
        words = {"true": True, "false": False, "1": True, "0": False}
        return words.get(str(label).lower(), label)
    if isinstance(answer, str):
        return label if isinstance(label, str) else json.dumps(label)
    if isinstance(answer, int | float):
        return _number(label, int if isinstance(answer, int) else float)
    return label


def _number(label: Scalar, kind: type[int] | type[float]) -> Scalar:
    if kind is int and not isinstance(label, float):
        with suppress(ValueError):
            return int(label)  # not by way of a double, which ends at 2**53
    try:
        number = float(label)
        return kind(number) if kind(number) == number and math.isfinite(number) else label
    except (ValueError, OverflowError):
        return label
