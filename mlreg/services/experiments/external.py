"""Programs that run their own model: who answers, what was answered, and whether it was right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.entities.experiments import Assignment, Experiment, Outcome
from mlreg.entities.predictions import FeedbackReceipt, Scalar
from mlreg.errors import InvalidInput, NotFound
from mlreg.names import safe
from mlreg.routing import Table, choose, table_of
from mlreg.services.experiments.lifecycle import running
from mlreg.services.experiments.wrapping import check_arguments, routed
from mlreg.services.feedback import FeedbackService
from mlreg.services.fresh import Fresh
from mlreg.services.privacy import Privacy
from mlreg.services.recording import (
    Checker,
    Destination,
    Place,
    bare,
    chunks,
    outcome_of,
    record_chunk,
)
from mlreg.services.requests import check_unit

if TYPE_CHECKING:
    from mlreg.services.context import Context


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
        check_unit(unit)
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
        destination = self._destination(test_id)
        return record_chunk(self._context, self._privacy, destination, [outcome_of(outcome)]).ids[0]

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
        for chunk in chunks(map(outcome_of, outcomes)):
            destination = self._destination(test_id)
            count += len(record_chunk(self._context, self._privacy, destination, chunk).new)
            if progress:
                progress(len(chunk))
        return count

    def checker(self, test_id: str) -> Callable[[Outcome], None]:
        """A function that raises what recording an answer would raise, and records nothing.

        Raises:
            Conflict: The experiment is not running.
        """
        return Checker(self._context, self._privacy, self._destination(test_id))

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

    def _destination(self, test_id: str) -> Destination:
        prepared = self._prepared.get(test_id)

        def place(outcome: Outcome) -> Place:
            version, revision = _version(prepared, outcome), _revision(prepared, outcome)
            return Place(version, revision, prepared.table.strategy)

        return Destination(
            prepared.model_key, prepared.experiment.salt, place, lambda tx: running(tx, test_id)
        )


def _version(prepared: _Prepared, outcome: Outcome) -> int:
    if outcome.version is not None and outcome.variant is not None:
        raise InvalidInput("give either the variant or the version, not both")
    named = outcome.version or outcome.variant
    if named is None:
        raise InvalidInput(
            "which arm answered? give the variant or the version", hint="as abtest assign told it"
        )
    key = prepared.versions.get(bare(str(named), prepared.experiment.model))
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
