"""Programs that run their own model: who answers, what was answered, and whether it was right."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.entities.experiments import Assignment, Experiment, Outcome
from mlreg.entities.predictions import LIVE, Feedback, FeedbackReceipt, Scalar
from mlreg.errors import Conflict, InvalidInput, NotFound
from mlreg.jsonable import canonical
from mlreg.names import check_text, safe
from mlreg.routing import Table, choose, table_of
from mlreg.services.experiments.lifecycle import running
from mlreg.services.experiments.wrapping import check_arguments, routed
from mlreg.services.feedback import FeedbackService, checked
from mlreg.services.fresh import Fresh
from mlreg.services.privacy import Privacy, kind_alone
from mlreg.store.predictions import Entry
from mlreg.store.summaries import EVERY
from mlreg.tallies import LARGEST_MEASURE

if TYPE_CHECKING:
    from mlreg.services.context import Context
    from mlreg.store.store import Transaction

CHUNK = 1000
REPORTED = "reported as failed"

_LONGEST = 256
_OUTCOME_KEYS = frozenset(field.name for field in fields(Outcome))


class _Logged(NamedTuple):
    """The predictions of a chunk, and how many of them are new."""

    ids: list[int]
    new: int


class _Prepared(NamedTuple):
    """A running experiment made ready for assigning."""

    experiment: Experiment
    table: Table
    model_key: int
    versions: dict[str, int]


class ExternalPrograms:
    """Assigns units to programs that run their own model, and takes in what these answered."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._prepared = Fresh(context.store, self._prepare)
        self._privacy = Privacy(context.settings)

    def assign(self, test_id: str, unit: str | None = None) -> Assignment:
        """Which arm answers a unit; a sticky experiment gives a unit the same arm each time.

        Raises:
            Conflict: It is not running.
        """
        _check_unit(unit)
        prepared = self._prepared.get(test_id)
        turn = None
        if prepared.table.strategy == "round-robin":
            with self._context.store.write(durable=False) as tx:
                turn = tx.models.take_turns(prepared.model_key, 1)
        arm, reason = choose(prepared.table, unit, turn)
        variants = {v.model_id: v for v in prepared.experiment.design.variants}
        return Assignment(
            test_id=test_id,
            variant=variants[arm.model_id].variant,
            version=arm.version,
            model_id=arm.model_id,
            model=prepared.experiment.model,
            revision=prepared.experiment.phases[-1].revision,
            reason=reason,
            unit=unit,
        )

    def record(self, test_id: str, outcome: Outcome | Mapping[str, Any]) -> int:
        """Log one answer that was given elsewhere; returns the prediction's id.

        An answer with the `request_id` of an earlier one is that one, and is not logged again.

        Raises:
            InvalidInput: A value is wrong; nothing is logged.
            Conflict: The experiment is not running, or the request id was another answer's.
        """
        return self._record_chunk(test_id, [_outcome(outcome)]).ids[0]

    def record_many(
        self,
        test_id: str,
        outcomes: Iterable[Outcome | Mapping[str, Any]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Log many answers, a thousand in a transaction; returns how many were new.

        What is interrupted half-way can be sent again where each answer has a `request_id`.

        Raises:
            InvalidInput: An answer is wrong; its chunk is not logged, the ones before are.
            Conflict: The experiment is not running, or a request id was another answer's.
        """
        count = 0
        for chunk in _chunks(map(_outcome, outcomes)):
            count += self._record_chunk(test_id, chunk).new
            if progress:
                progress(len(chunk))
        return count

    def checker(self, test_id: str) -> Callable[[Outcome], None]:
        """A function that raises what recording an answer would raise, and records nothing.

        Raises:
            Conflict: The experiment is not running.
        """
        prepared, at = self._prepared.get(test_id), self._context.clock()

        def check(outcome: Outcome) -> None:
            _entry(prepared, outcome, at)
            _feedback(1, outcome)
            if outcome.request_id is not None:
                _digest(prepared, outcome)

        return check

    def feedback(
        self,
        test_id: str,
        prediction_id: int,
        label: Scalar | None = None,
        *,
        correct: bool | None = None,
        values: dict[str, float] | None = None,
        actor: str | None = None,
    ) -> FeedbackReceipt:
        """Record the truth about an answer of this experiment.

        Raises:
            NotFound: The experiment has no such prediction.
        """
        with self._context.store.read() as tx:
            experiment = tx.experiments.get(test_id)
            found = tx.predictions.find(prediction_id)
        phases = {phase.revision for phase in experiment.phases}
        if found is None or found.model != experiment.model or found.revision not in phases:
            raise NotFound(f"{safe(test_id)} has no prediction {prediction_id}")
        return FeedbackService(self._context).record(
            prediction_id, label, correct=correct, values=values, actor=actor
        )

    def decorate(self, test_id: str, *, unit: str = "user") -> Callable[..., Any]:
        """Route the argument `model` of a function whose argument `unit` names the user.

        The function gets `model` as `name@version` and must return a mapping; the answer has
        `_ab_test` beside it, with `test_id`, `variant` and `version`. It may be a coroutine.

        Raises:
            InvalidInput: It has no such argument, or its answer is no mapping.
        """

        def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
            check_arguments(function, unit, test_id, self._splits_users)
            return routed(function, unit, partial(self.assign, test_id))

        return wrap

    def _splits_users(self, test_id: str) -> bool:
        with self._context.store.read() as tx:
            return tx.experiments.get(test_id).design.unit == "user"

    def _prepare(self, test_id: str, _: _Prepared | None) -> _Prepared:
        with self._context.store.read() as tx:
            experiment = running(tx, test_id)
            model = self._context.model(tx, experiment.model)
            revision = tx.traffic.current(model)
            keys = tx.experiments.arm_keys(experiment.key)
        versions = {
            name: key
            for v, key in zip(experiment.design.variants, keys, strict=True)
            for name in (v.variant, v.version, v.model_id)
        }
        return _Prepared(experiment, table_of(revision), model.key, versions)

    def _record_chunk(self, test_id: str, chunk: list[Outcome]) -> _Logged:
        prepared = self._prepared.get(test_id)
        at = self._context.clock()
        if not self._privacy.keeps_all:
            chunk = [_without_text(outcome) for outcome in chunk]
        entries = [_entry(prepared, outcome, at) for outcome in chunk]
        said = [_feedback(i + 1, outcome) for i, outcome in enumerate(chunk)]
        digests = [
            _digest(prepared, outcome) if outcome.request_id is not None else ""
            for outcome in chunk
        ]
        feedback = FeedbackService(self._context)
        with self._context.store.write(durable=False) as tx:
            running(tx, test_id)
            known = _known(tx, prepared, chunk, digests)
            fresh = [i for i in range(len(chunk)) if i not in known]
            if not fresh:
                return _Logged([known[i] for i in range(len(chunk))], 0)
            ids = tx.predictions.append_many([entries[i] for i in fresh])
            for i, key in zip(fresh, ids, strict=True):
                known[i] = key
                request = chunk[i].request_id
                if request is not None:
                    tx.predictions.remember_request(prepared.model_key, request, key, digests[i])
            rows = [replace(entry, prediction_id=known[i]) for i in fresh for entry in said[i]]
            if rows:
                feedback.record_in(tx, rows, None)
            if ids[-1] // EVERY != (ids[0] - 1) // EVERY:
                tx.summaries.fold(limit=10 * EVERY)
                tx.experiments.folds.fold_backlogs(limit=100 * EVERY)
        return _Logged([known[i] for i in range(len(chunk))], len(fresh))


def _chunks(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
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


def _known(
    tx: Transaction, prepared: _Prepared, chunk: Sequence[Outcome], digests: Sequence[str]
) -> dict[int, int]:
    """The predictions of outcomes that were logged before, by their place.

    Raises:
        Conflict: A request id was another answer's.
    """
    found = {}
    for place, outcome in enumerate(chunk):
        if outcome.request_id is None:
            continue
        earlier = tx.predictions.find_request(prepared.model_key, outcome.request_id)
        if earlier is None:
            continue
        if earlier[1] != digests[place]:
            raise Conflict(f"the request id {safe(outcome.request_id)} was used for another answer")
        found[place] = earlier[0]
    return found


def _digest(prepared: _Prepared, outcome: Outcome) -> str:
    """What tells the answer of a request id from another; the phase may change between retries."""
    check_text(outcome.request_id, "request id", longest=_LONGEST)
    said = {name: _plain(getattr(outcome, name)) for name in _OUTCOME_KEYS - {"revision"}}
    said["values"] = {name: _plain(value) for name, value in outcome.values.items()}
    return hashlib.sha256(f"{prepared.experiment.salt} {_json(said)}".encode()).hexdigest()


def _check_unit(unit: str | None) -> None:
    if unit is not None:
        check_text(unit, "user", longest=_LONGEST)
        if not unit:
            raise InvalidInput("the user must not be empty")


def _outcome(given: Outcome | Mapping[str, Any]) -> Outcome:
    if isinstance(given, Outcome):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInput("an answer must be an object with the fields of one")
    unknown = set(given) - _OUTCOME_KEYS
    if unknown:
        raise InvalidInput(f"an answer has no field {safe(sorted(map(str, unknown))[0])}")
    return Outcome(**given)


def _without_text(outcome: Outcome) -> Outcome:
    """The answer without what its error says, which may quote the input."""
    if not isinstance(outcome.error, str) or outcome.error == REPORTED:
        return outcome
    return replace(outcome, error=kind_alone(outcome.error))


def _entry(prepared: _Prepared, outcome: Outcome, at: int) -> Entry:
    _check_unit(outcome.unit)
    success = _truth(outcome.success, "success")
    has_failed = outcome.error is not None or success is False
    if outcome.error is not None and success:
        raise InvalidInput("an answer with an error cannot be a success")
    if outcome.error is not None:
        check_text(outcome.error, "error")
    latency = _number(outcome.latency_ms, "latency_ms", least=0.0)
    return Entry(
        at=at,
        version=_version(prepared, outcome),
        revision=_revision(prepared, outcome),
        role=LIVE,
        arm_reason=prepared.table.strategy,
        unit=outcome.unit,
        segment=None,
        input=None,
        output=None if has_failed else _json(outcome.output),
        confidence=_number(outcome.confidence, "confidence", least=0.0, most=1.0),
        latency_us=0 if latency is None else round(latency * 1000),
        status=int(has_failed),
        error=(outcome.error or REPORTED) if has_failed else None,
        cost=_number(outcome.cost, "cost", least=0.0),
        is_call=latency is not None,
    )


def _version(prepared: _Prepared, outcome: Outcome) -> int:
    if outcome.version is not None and outcome.variant is not None:
        raise InvalidInput("give either the variant or the version, not both")
    named = outcome.version or outcome.variant
    if named is None:
        raise InvalidInput(
            "which arm answered? give the variant or the version", hint="as abtest assign told it"
        )
    key = prepared.versions.get(str(named).rpartition("@")[2])
    if key is None:
        arms = ", ".join(f"{v.variant} ({v.version})" for v in prepared.experiment.design.variants)
        raise InvalidInput(f"{safe(str(named))} is no arm of this experiment", hint=arms)
    return key


def _revision(prepared: _Prepared, outcome: Outcome) -> int:
    phases = [phase.revision for phase in prepared.experiment.phases]
    if outcome.revision is None:
        return phases[-1]
    if outcome.revision not in phases:
        raise InvalidInput(f"revision {outcome.revision} is no phase of this experiment")
    return outcome.revision


def _number(
    value: object, name: str, *, least: float, most: float = LARGEST_MEASURE
) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float):
        value = _plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(f"{name} must be a finite number, not {safe(str(value))}")
    if not least <= value <= most:
        raise InvalidInput(f"{name} must lie between {least:g} and {most:g}, not at {value:g}")
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
    return [checked(entry) for entry in found]
