"""Answers that programs of the user's gave: checked, logged once, with what was said of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.entities.experiments import Outcome
from mlreg.entities.predictions import LIVE, Feedback
from mlreg.errors import Conflict, InvalidInput
from mlreg.jsonable import canonical
from mlreg.names import check_name, check_text, safe
from mlreg.services.feedback import FeedbackService, check_judgement, checked
from mlreg.services.privacy import Privacy, kind_alone
from mlreg.services.requests import check_request_id, check_unit
from mlreg.store.predictions import Entry
from mlreg.store.summaries import EVERY
from mlreg.tallies import LARGEST_MEASURE

if TYPE_CHECKING:
    from mlreg.services.context import Context
    from mlreg.store.store import Transaction

Marks = tuple[str, ...]  # of an answer with a request id; none without

CHUNK = 1000
REPORTED = "reported as failed"

_OUTCOME_KEYS = frozenset(field.name for field in fields(Outcome))


class Place(NamedTuple):
    """Which version gave an answer, in which revision, and how it was picked."""

    version: int
    revision: int
    arm_reason: str


class Destination(NamedTuple):
    """Where answers go.

    Attributes:
        model_key: The model that they are of.
        salt: Keeps the digests of its requests apart from others.
        place: Finds who gave an answer; it raises where that cannot be.
        guard: Raises in the transaction that logs, where nothing may be logged any more.
    """

    model_key: int
    salt: str
    place: Callable[[Outcome], Place]
    guard: Callable[[Transaction], object]


class Logged(NamedTuple):
    """What became of a chunk.

    Attributes:
        ids: Of its predictions, in its order.
        new: Those of them that are new.
        failed: The versions that failed among these.
    """

    ids: list[int]
    new: list[int]
    failed: frozenset[int]


def outcome_of(given: Outcome | Mapping[str, Any]) -> Outcome:
    """An answer as its caller gave it.

    Raises:
        InvalidInput: It has no such field.
    """
    if isinstance(given, Outcome):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInput("an answer must be an object with the fields of one")
    unknown = set(given) - _OUTCOME_KEYS
    if unknown:
        raise InvalidInput(f"an answer has no field {safe(sorted(map(str, unknown))[0])}")
    return Outcome(**given)


def bare(selector: str, model: str) -> str:
    """The version that is named `VERSION` or `MODEL@VERSION`, without its model.

    Raises:
        InvalidInput: It is named as another model's.
    """
    name, _, version = selector.rpartition("@")
    if name and check_name(name) != model:
        raise InvalidInput(
            f"{safe(selector)} is a version of {safe(name)}, and the answer is for {safe(model)}",
            hint=f"name a version of {safe(model)}, or record the answer for {safe(name)}",
        )
    return version


def chunks(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """Cut after a thousand, and before a request id that the chunk has already."""
    chunk: list[Outcome] = []
    requests: set[str | None] = set()
    for outcome in outcomes:
        if len(chunk) == CHUNK or outcome.request_id in requests:
            yield chunk
            chunk, requests = [], set()
        chunk.append(outcome)
        if outcome.request_id is not None:
            requests.add(outcome.request_id)
    if chunk:
        yield chunk


class Checker:
    """Raises what recording the answers of a stream would raise, and records none of them."""

    def __init__(self, context: Context, privacy: Privacy, destination: Destination) -> None:
        self._context = context
        self._privacy = privacy
        self._destination = destination
        self._seen: dict[str, str] = {}

    def __call__(self, outcome: Outcome) -> None:
        """Check the next answer.

        Raises:
            InvalidInput: A value is wrong.
            Conflict: Its request id is another answer's, logged or earlier in the stream.
        """
        _entry(self._privacy, outcome, self._context.clock())
        _feedback(1, outcome)
        marks = _marks(self._privacy, self._destination, outcome)
        if outcome.request_id is not None:
            _check_same(
                outcome.request_id, self._seen.setdefault(outcome.request_id, marks[0]), marks
            )
        if not _recorded(self._context, self._destination, [outcome], [marks]):
            self._destination.place(outcome)


def record_chunk(
    context: Context, privacy: Privacy, destination: Destination, chunk: list[Outcome]
) -> Logged:
    """Log answers and what was said of them, those alone that are new, in one transaction.

    Raises:
        InvalidInput: One is wrong; nothing is logged.
        Conflict: A request id was another answer's.
    """
    at = context.clock()
    entries = [_entry(privacy, outcome, at) for outcome in chunk]
    said = [_feedback(i + 1, outcome) for i, outcome in enumerate(chunk)]
    marks = [_marks(privacy, destination, outcome) for outcome in chunk]
    # What was recorded before is not placed anew: who serves may be others by now.
    earlier = _recorded(context, destination, chunk, marks)
    for i in range(len(chunk)):
        if i not in earlier:
            entries[i] = entries[i]._replace(**destination.place(chunk[i])._asdict())
    with context.store.write(durable=False) as tx:
        destination.guard(tx)
        known = earlier | _known(tx, destination, chunk, marks)
        fresh = [i for i in range(len(chunk)) if i not in known]
        new = list(tx.predictions.append_many([entries[i] for i in fresh])) if fresh else []
        for i, key in zip(fresh, new, strict=True):
            known[i] = key
            request = chunk[i].request_id
            if request is not None:
                tx.predictions.remember_request(destination.model_key, request, key, marks[i][0])
        rows = [replace(entry, prediction_id=known[i]) for i in fresh for entry in said[i]]
        if rows:
            FeedbackService(context).record_in(tx, rows, None)
        if new and new[-1] // EVERY != (new[0] - 1) // EVERY:
            tx.summaries.fold(limit=10 * EVERY)
            tx.experiments.folds.fold_backlogs(limit=100 * EVERY)
    failed = frozenset(entries[i].version for i in fresh if entries[i].status)
    return Logged([known[i] for i in range(len(chunk))], new, failed)


def _recorded(
    context: Context, destination: Destination, chunk: Sequence[Outcome], marks: Sequence[Marks]
) -> dict[int, int]:
    """As `_known`, in a transaction of its own, where any answer has a request id."""
    if not any(marks):
        return {}
    with context.store.read() as tx:
        return _known(tx, destination, chunk, marks)


def _known(
    tx: Transaction, destination: Destination, chunk: Sequence[Outcome], marks: Sequence[Marks]
) -> dict[int, int]:
    """The predictions of outcomes that were logged before, by their place.

    Raises:
        Conflict: A request id was another answer's.
    """
    found = {}
    for place, outcome in enumerate(chunk):
        if outcome.request_id is None:
            continue
        earlier = tx.predictions.find_request(destination.model_key, outcome.request_id)
        if earlier is None:
            continue
        _check_same(outcome.request_id, earlier[1], marks[place])
        found[place] = earlier[0]
    return found


def _check_same(request_id: str, digest: str, marks: Marks) -> None:
    if digest not in marks:
        raise Conflict(f"the request id {safe(request_id)} was used for another answer")


def _marks(privacy: Privacy, destination: Destination, outcome: Outcome) -> Marks:
    """The digests of an answer: the one to keep, and that which another `log_inputs` would keep."""
    if outcome.request_id is None:
        return ()
    whole, without = _digest(destination, outcome), _without_text(outcome)
    if without is outcome:
        return (whole,)
    short = _digest(destination, without)
    return (whole, short) if privacy.keeps_all else (short, whole)


def _digest(destination: Destination, outcome: Outcome) -> str:
    """What tells the answer of a request id from another; the phase may change between retries."""
    check_request_id(outcome.request_id)
    said = {name: _plain(getattr(outcome, name)) for name in _OUTCOME_KEYS - {"revision"}}
    said["values"] = {name: _plain(value) for name, value in outcome.values.items()}
    return hashlib.sha256(f"{destination.salt} {_json(said)}".encode()).hexdigest()


def _without_text(outcome: Outcome) -> Outcome:
    """The answer without what its error says, which may quote the input."""
    if not isinstance(outcome.error, str) or outcome.error == REPORTED:
        return outcome
    return replace(outcome, error=kind_alone(outcome.error))


def _entry(privacy: Privacy, outcome: Outcome, at: int) -> Entry:
    """The row of an answer that nobody has placed yet."""
    check_unit(outcome.unit)
    has_failed = _has_failed(outcome)
    if outcome.error is not None and outcome.success:
        raise InvalidInput("an answer with an error cannot be a success")
    if outcome.error is not None:
        check_text(outcome.error, "error")
    error = outcome.error if privacy.keeps_all else _without_text(outcome).error
    latency = _number(outcome.latency_ms, "latency_ms", least=0.0)
    return Entry(
        at=at,
        version=0,
        revision=0,
        role=LIVE,
        arm_reason="",
        unit=outcome.unit,
        segment=None,
        input=None,
        output=None if has_failed else _json(outcome.output),
        confidence=_number(outcome.confidence, "confidence", least=0.0, most=1.0),
        latency_us=0 if latency is None else round(latency * 1000),
        status=int(has_failed),
        error=(error or REPORTED) if has_failed else None,
        cost=_number(outcome.cost, "cost", least=0.0),
        is_call=latency is not None,
    )


def _has_failed(outcome: Outcome) -> bool:
    return _truth(outcome.success, "success") is False or outcome.error is not None


def _number(
    value: object, name: str, *, least: float, most: float = LARGEST_MEASURE
) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float):
        value = _plain(value)
    # Not math.isfinite, which no whole number beyond the doubles gets through.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
        raise InvalidInput(f"{name} must be a finite number, not {safe(str(value))}")
    if not least <= value <= most:  # it may be too large to be shown
        raise InvalidInput(f"{name} must lie between {least:g} and {most:g}")
    return float(value)


def _truth(value: object, name: str) -> bool | None:
    value = value if value is None else _plain(value)
    if value is not None and not isinstance(value, bool):
        raise InvalidInput(f"{name} must be true or false, not {safe(str(value))}")
    return value


def _plain(value: Any) -> Any:
    """A single number or truth value of NumPy as Python's own: model code often has no other."""
    return value.item() if getattr(value, "shape", None) == () else value


def _json(output: object) -> str:
    try:
        return canonical(output)
    except (TypeError, ValueError):
        raise InvalidInput("the output cannot be written as JSON") from None


def _feedback(prediction_id: int, outcome: Outcome) -> list[Feedback]:
    if not isinstance(outcome.values, Mapping):
        raise InvalidInput("values must be an object of names and numbers")
    found = [
        Feedback(prediction_id=prediction_id, name=name, value=_plain(value))
        for name, value in outcome.values.items()
    ]
    label, correct = _plain(outcome.label), _truth(outcome.correct, "correct")
    if label is not None or correct is not None:
        found.append(Feedback(prediction_id=prediction_id, label=label, correct=correct))
    said = [checked(entry) for entry in found]
    check_judgement(None if _has_failed(outcome) else _plain(outcome.output), label, correct)
    return said
