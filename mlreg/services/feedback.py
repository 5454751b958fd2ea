"""Feedback: truth about predictions, late, in bulk, corrected, and never lost."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from mlreg.entities.predictions import LABEL, Feedback, FeedbackReceipt, Scalar
from mlreg.errors import InvalidInput, NotFound
from mlreg.names import check_key, check_text, safe
from mlreg.services.context import Context
from mlreg.services.requests import check_request_id
from mlreg.store.feedback import FeedbackRow
from mlreg.store.rows import restored
from mlreg.tallies import LARGEST_MEASURE

if TYPE_CHECKING:
    from mlreg.store.predictions import Outcome
    from mlreg.store.store import Transaction

CHUNK = 5000

_SHOWN = 20  # labels that are quoted

_HIGHEST_ID = 2**63 - 1


class FeedbackService:
    """Takes feedback in and credits it to the version and revision that answered."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def record(
        self,
        prediction_id: int | None = None,
        label: Scalar | None = None,
        *,
        request_id: str | None = None,
        model: str | None = None,
        correct: bool | None = None,
        values: dict[str, float] | None = None,
        actor: str | None = None,
        dry_run: bool = False,
    ) -> FeedbackReceipt:
        """Record the truth about one prediction.

        Args:
            prediction_id: The id that came with the answer; None where a request id says which.
            label: What the answer should have been.
            request_id: The id that the caller gave when it asked.
            model: Whose request that was; None for the only model.
            correct: Whether the answer was right, where there is no label.
            values: Named numbers, such as a rating or a revenue.
            actor: Who says so; None for the registry's actor.
            dry_run: Say what would become of it, and record nothing.

        Raises:
            NotFound: There is no such prediction.
            InvalidInput: Nothing was said, or a value is wrong.
        """
        which = Feedback(prediction_id=prediction_id, request_id=request_id)
        entries = [replace(which, name=name, value=value) for name, value in (values or {}).items()]
        if label is not None or correct is not None:
            entries.insert(0, replace(which, label=label, correct=correct))
        if not entries:
            raise InvalidInput(
                "feedback needs a label, a judgement or a value",
                hint=f"mlreg feedback {prediction_id or 42} LABEL, or --correct, or --value NAME=1",
            )
        receipt = self.record_many(entries, model=model, actor=actor, dry_run=dry_run)
        if receipt.unknown:
            what = "prediction" if request_id is None else "request"
            raise NotFound(
                f"there is no {what} {safe(str(receipt.unknown[0]))}",
                hint="see the newest: mlreg log",
            )
        return receipt

    def record_many(
        self,
        entries: Iterable[Feedback],
        *,
        model: str | None = None,
        actor: str | None = None,
        progress: Callable[[int], None] | None = None,
        dry_run: bool = False,
    ) -> FeedbackReceipt:
        """Record feedback in bulk, in transactions of some thousand entries.

        What is cut off half-way can be sent again: what is known already counts as a duplicate.

        Args:
            entries: In the order in which they count: the last word on a prediction wins.
            model: Whose requests are meant by request ids; None for the only model.
            actor: Who says so; None for the registry's actor.
            progress: Called with the number of entries after each transaction.
            dry_run: Say what would become of them, and record nothing.
        """
        total = Received()
        stream, store = iter(entries), self._context.store
        while chunk := [checked(entry) for entry in islice(stream, CHUNK)]:
            with store.read() if dry_run else store.write() as tx:
                total.add(self.record_in(tx, chunk, actor, model=model, dry_run=dry_run))
                while not dry_run and len(chunk) >= CHUNK and tx.summaries.fold(limit=4 * CHUNK):
                    pass
            if progress:
                progress(len(chunk))
        return FeedbackReceipt(
            recorded=total.recorded,
            unknown=tuple(total.unknown),
            duplicates=total.duplicates,
            unusual_labels=dict(total.unusual.most_common(_SHOWN)),
            dry_run=dry_run,
        )

    def record_in(
        self,
        tx: Transaction,
        chunk: list[Feedback],
        actor: str | None,
        *,
        model: str | None = None,
        dry_run: bool = False,
    ) -> Received:
        """Record in a transaction under way.

        What says no more than the newest row of its prediction and name is not stored: a file
        that is sent again leaves nothing, whoever sends it. A label holds for all that was answered
        to the same input, live or by a shadow.
        """
        known = [(entry, self._which(tx, entry, model)) for entry in chunk]
        asked = {key for _, key in known if key is not None}
        families = tx.pairs.families(list(asked))
        ids = list(asked.union(*families.values()))
        outputs, current = tx.predictions.outputs(ids), dict(tx.feedback.newest(ids))
        at, author = self._context.clock(), self._context.author(actor)
        rows: list[FeedbackRow] = []
        received = Received()
        for entry, key in known:
            if key is None or key not in outputs:
                received.unknown[entry.request_id or key or 0] = None
                continue
            row = _row(entry, key, outputs[key], at, author)
            if current.get((key, row.name)) == row.content:
                received.duplicates += 1
                continue
            current[key, row.name] = row.content
            rows.append(row)
            received.recorded += 1
            for other in families.get(key, ()) if row.name == LABEL else ():
                twin = of_same_input(row, outputs[key], other, outputs[other])
                if twin and current.get((other, LABEL)) != twin.content:
                    current[other, LABEL] = twin.content
                    rows.append(twin)
            if self._is_unusual(tx, row, outputs[key]):
                received.unusual[str(entry.label)] += 1
        if not dry_run:
            tx.feedback.append(rows)
        return received

    def _which(self, tx: Transaction, entry: Feedback, model: str | None) -> int | None:
        """The prediction that an entry is about, if there is one."""
        if entry.request_id is None:
            return entry.prediction_id
        found = tx.predictions.find_request(self._context.model(tx, model).key, entry.request_id)
        return found[0] if found else None

    def _is_unusual(self, tx: Transaction, row: FeedbackRow, outcome: Outcome) -> bool:
        """Whether a label is none of the classes of the version that answered."""
        if row.label is None or outcome.kind in (None, "number"):
            return False
        classes = tx.versions.classes(outcome.version)
        return bool(classes) and json.loads(row.label) not in classes


@dataclass
class Received:
    """What became of some entries."""

    recorded: int = 0
    duplicates: int = 0
    unknown: dict[int | str, None] = field(default_factory=dict)
    unusual: Counter[str] = field(default_factory=Counter)

    def add(self, other: Received) -> None:
        """Add what became of more entries."""
        self.recorded += other.recorded
        self.duplicates += other.duplicates
        self.unknown |= other.unknown
        self.unusual += other.unusual


def checked(entry: Feedback) -> Feedback:
    """The entry, if it can be recorded.

    Raises:
        InvalidInput: It says nothing, or a value is wrong.
    """
    key = _checked_key(entry)
    if entry.value is not None:
        _check_value(entry.name, entry.value)
    elif entry.label is None and entry.correct is None:
        raise InvalidInput(f"the feedback for prediction {key} says nothing")
    elif entry.label is not None:
        _check_label(key, entry.label)
    if entry.correct not in (None, True, False):
        raise InvalidInput(f"the judgement of prediction {key} must be true or false")
    return entry


def _checked_key(entry: Feedback) -> int | str:
    """Which prediction an entry is about, as its caller names it."""
    key: object = entry.prediction_id  # a caller may not be typed
    if (key is None) is (entry.request_id is None):
        raise InvalidInput("feedback is about a prediction id or a request id: give one of them")
    if entry.request_id is not None:
        return check_request_id(entry.request_id)
    if isinstance(key, bool) or not isinstance(key, int) or not 0 < key <= _HIGHEST_ID:
        raise InvalidInput(f"{safe(str(key))} is not the id of a prediction")
    return key


def _check_value(name: str, value: object) -> None:
    if check_key(name, "feedback value") == LABEL:
        raise InvalidInput("a feedback value cannot be called 'label'")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"the feedback value {name} must be a number")
    if not abs(value) <= LARGEST_MEASURE:  # NaN fails as well
        raise InvalidInput(
            f"the feedback value {name} must be a number between ±{LARGEST_MEASURE:g}"
        )


def _check_label(key: int | str, label: object) -> None:
    if not isinstance(label, str | int | float):
        kind = type(label).__name__
        raise InvalidInput(f"the label for prediction {key} must be a text or a number, not {kind}")
    if isinstance(label, float) and not math.isfinite(label):
        raise InvalidInput(f"the label for prediction {key} must be finite")
    if isinstance(label, str):
        if not label.strip():
            raise InvalidInput(f"the label for prediction {key} is empty")
        check_text(label, "label", longest=1000)


def _row(entry: Feedback, key: int, outcome: Outcome, at: int, actor: str) -> FeedbackRow:
    if entry.value is not None:
        return FeedbackRow(at, key, entry.name, None, None, float(entry.value), actor)
    with restored("predictions", key):
        answer = None if outcome.output is None else json.loads(outcome.output)
    label = entry.label if entry.label is None else _like(answer, entry.label)
    check_judgement(answer, label, entry.correct, f" for prediction {key}")
    correct = _is_correct(answer, label, entry.correct, outcome)
    text = None if label is None else json.dumps(label, ensure_ascii=False)
    return FeedbackRow(at, key, LABEL, text, correct, None, actor)


def check_judgement(
    answer: object, label: Scalar | None, correct: bool | None, which: str = ""
) -> None:
    """Raise where an answer is called incorrect, and its label says that it was right."""
    if correct is False and label is not None and _is_same(answer, _like(answer, label)):
        raise InvalidInput(
            f"{safe(str(label))} is what was answered{which}, so it is not incorrect",
            hint="give the right label, or --incorrect without one",
        )


def of_same_input(
    row: FeedbackRow, said: Outcome, other: int, outcome: Outcome
) -> FeedbackRow | None:
    """What a label of one answer says of another one to the same input; None: nothing.

    A judgement without a label holds for the same answer alone: that another one is wrong would be
    known only where the first is right, and who is right would look like who was judged.

    Args:
        row: The label.
        said: The answer that it is about.
        other: The other prediction.
        outcome: Its answer.
    """
    if said.output is not None and said.output == outcome.output:
        return row._replace(prediction=other)
    if row.label is None:
        return None
    with restored("predictions", other):
        answer = None if outcome.output is None else json.loads(outcome.output)
    label = _like(answer, json.loads(row.label))
    return row._replace(
        prediction=other,
        label=json.dumps(label, ensure_ascii=False),
        correct=_is_correct(answer, label, None, outcome),
    )


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
    return int(_is_same(answer, label))


def _is_same(answer: object, label: Scalar | None) -> bool:
    return type(answer) is type(label) and answer == label


def _like(answer: object, label: Scalar) -> Scalar:
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
