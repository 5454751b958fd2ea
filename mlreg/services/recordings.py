"""Answers that programs of the user's gave for a model, outside any test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.entities.experiments import Outcome
from mlreg.entities.predictions import AnswerReceipt
from mlreg.entities.traffic import Arm, Revision
from mlreg.errors import Conflict, InvalidInput, NotFound
from mlreg.names import safe
from mlreg.routing import Table, choose, table_of
from mlreg.services.answers import warning_of
from mlreg.services.fresh import Fresh
from mlreg.services.privacy import Privacy
from mlreg.services.recording import (
    Checker,
    Destination,
    Logged,
    Place,
    bare,
    chunks,
    outcome_of,
    record_chunk,
)
from mlreg.services.routes import serving

if TYPE_CHECKING:
    from mlreg.entities.traffic import Rollback
    from mlreg.services.context import Context
    from mlreg.services.tripwires import Tripwires
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_HIGHEST = 2**63 - 1  # that a database keeps


class _Prepared(NamedTuple):
    """A model made ready for recording, as of one revision.

    Attributes:
        earlier: Where answers of earlier revisions go, by what was said of their version and
            revision.
    """

    model: ModelRow
    now: Revision
    table: Table
    earlier: dict[tuple[str | None, int | None], Place]


class Recordings:
    """Takes in what was answered elsewhere."""

    def __init__(self, context: Context, tripwires: Tripwires) -> None:
        self._context = context
        self._tripwires = tripwires
        self._prepared = Fresh(context.store, self._prepare)
        self._privacy = Privacy(context.settings)

    def record(self, model: str | None, given: Outcome | Mapping[str, Any]) -> AnswerReceipt:
        """Log one answer. See `Predictions.record`."""
        prepared, outcome = self._prepared.get(model), outcome_of(given)
        logged, rollback = self._log(prepared, [outcome])
        with self._context.store.read() as tx:
            found = tx.predictions.find(logged.ids[0])
        return AnswerReceipt(
            model=prepared.model.name,
            version=None if found is None else found.model_version,
            revision=None if found is None else found.revision,
            prediction_id=logged.ids[0],
            recorded=len(logged.new),
            duplicates=1 - len(logged.new),
            warning=warning_of(rollback),
            rollback=rollback,
        )

    def record_many(
        self,
        model: str | None,
        outcomes: Iterable[Outcome | Mapping[str, Any]],
        progress: Callable[[int], None] | None,
    ) -> AnswerReceipt:
        """Log many answers. See `Predictions.record_many`."""
        new = known = 0
        rollback: Rollback | None = None
        name = self._prepared.get(model).model.name
        for chunk in chunks(map(outcome_of, outcomes)):
            logged, caused = self._log(self._prepared.get(model), chunk)
            rollback = caused or rollback
            new += len(logged.new)
            known += len(chunk) - len(logged.new)
            if progress:
                progress(len(chunk))
        return AnswerReceipt(
            model=name,
            recorded=new,
            duplicates=known,
            warning=warning_of(rollback),
            rollback=rollback,
        )

    def checker(self, model: str | None) -> Callable[[Outcome], None]:
        """A function that raises what recording an answer would raise, and records nothing."""
        destination = self._destination(self._prepared.get(model))
        return Checker(self._context, self._privacy, destination)

    def _log(self, prepared: _Prepared, chunk: list[Outcome]) -> tuple[Logged, Rollback | None]:
        """Log answers; what became of them, and the rollback that they have caused."""
        logged = record_chunk(self._context, self._privacy, self._destination(prepared), chunk)
        if not logged.new:
            return logged, None
        last, count = logged.new[-1], len(logged.new)
        return logged, self._tripwires.passed(prepared.model, last, count, logged.failed)

    def _destination(self, prepared: _Prepared) -> Destination:
        model = prepared.model
        return Destination(model.key, model.salt, partial(self._place, prepared), lambda _: None)

    def _prepare(self, name: str | None, earlier: _Prepared | None) -> _Prepared:
        with self._context.store.read() as tx:
            if earlier and tx.traffic.number(earlier.model.key) == earlier.now.number:
                return earlier
            model = self._context.model(tx, name)
            now = tx.traffic.current(model)
            return _Prepared(model, now, table_of(now), {})

    def _place(self, prepared: _Prepared, outcome: Outcome) -> Place:
        """Who gave an answer: the version that was said, in the newest revision that it served in.

        Raises:
            NoActiveVersion: Nothing serves, and no version was said.
            InvalidInput: Nobody said which one, or what was said is no name or number.
            NotFound: There is no such version, or it has not served in the revision that was said.
            Conflict: It has never served.
        """
        selector, revision = _said(outcome, prepared.model.name)
        now = prepared.now
        if revision in (None, now.number):
            if selector is None:
                return Place(*_chosen(prepared, outcome.unit))
            arm = next((a for a in now.live if selector in (a.version, a.model_id)), None)
            if arm is not None:
                return Place(arm.version_key, now.number, _picked(now))
        place = prepared.earlier.get((selector, revision))
        if place is None:
            with self._context.store.read() as tx:
                place = _earlier(tx, prepared.model, selector, revision)
            prepared.earlier[selector, revision] = place
        return place


def _said(outcome: Outcome, model: str) -> tuple[str | None, int | None]:
    """The version and the revision that an answer names, if they are of a form that one can have.

    Raises:
        InvalidInput: They are not.
    """
    version, revision = outcome.version, outcome.revision
    if outcome.variant is not None:
        raise InvalidInput("variants are of tests", hint="mlreg abtest record ID --variant ARM")
    if version is not None and not isinstance(version, str):
        raise InvalidInput(f"the version must be a text, not {safe(str(version))}")
    if revision is not None and (isinstance(revision, bool) or not isinstance(revision, int)):
        raise InvalidInput(f"the revision must be a whole number, not {safe(str(revision))}")
    if revision is not None and abs(revision) > _HIGHEST:
        raise InvalidInput(f"the revision must be a whole number of at most {_HIGHEST}")
    return version and bare(version, model), revision


def _chosen(prepared: _Prepared, unit: str | None) -> tuple[int, int, str]:
    """The version that answered where nobody said it: the only one, or the user's own."""
    now = serving(prepared.now)
    if len(now.live) > 1 and (now.strategy != "sticky" or unit is None):
        raise InvalidInput(
            f"{len(now.live)} versions of {safe(now.model)} serve: which one answered?",
            hint=f"ask before you answer: mlreg route {safe(now.model)} --user U --field version",
        )
    arm, reason = choose(prepared.table, unit)
    return arm.version_key, now.number, reason


def _earlier(tx: Transaction, model: ModelRow, selector: str | None, revision: int | None) -> Place:
    """Who answered before the present revision, or under another name than its number."""
    found = None if revision is None else tx.traffic.find(model, revision)
    if revision is not None and found is None:
        raise NotFound(
            f"{safe(model.name)} has no revision {revision}",
            hint=f"see: mlreg history {safe(model.name)}",
        )
    if selector is None:
        assert found is not None  # the present one was looked at by the caller
        return Place(_alone(found).version_key, found.number, "only-arm")
    version = tx.versions.select(model, selector)
    number = tx.traffic.last_live(model.key, version.key) if found is None else found.number
    found = tx.traffic.find(model, number) if number else None
    if found is None:
        raise Conflict(
            f"{version.ref} has never served",
            hint=f"let it: mlreg activate {version.ref}; who serves: mlreg route {version.name}",
        )
    if not found.arm_of(version.key):
        raise NotFound(f"{version.ref} did not serve in revision {found.number}")
    return Place(version.key, found.number, _picked(found))


def _alone(revision: Revision) -> Arm:
    if len(revision.live) != 1:
        raise InvalidInput(
            f"{len(revision.live)} versions of {safe(revision.model)} served in revision "
            f"{revision.number}: which one answered?"
        )
    return revision.live[0]


def _picked(revision: Revision) -> str:
    return "only-arm" if len(revision.live) == 1 else revision.strategy
