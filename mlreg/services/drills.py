"""Drills: is what a rollback would go back to able to answer? Traffic is not touched."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from mlreg.artifacts.runner import Failure
from mlreg.clock import from_micros, to_micros
from mlreg.entities.traffic import Drill, Probe, Tried
from mlreg.errors import InvalidInput, MlregError, NothingToRollBack
from mlreg.inputs import Input, check_input, parse_input
from mlreg.names import check_text
from mlreg.services.context import Context
from mlreg.services.revisions import check_expected
from mlreg.services.rollbacks import DRILL, split_of
from mlreg.services.routes import ready
from mlreg.services.trust import Trust

if TYPE_CHECKING:
    from mlreg.entities.traffic import Change, Revision
    from mlreg.entities.versions import Signature, Version
    from mlreg.services.rollbacks import RollbackTargets
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

# How many rows of the log before the end of a version's time are looked through for an input.
_FARTHEST = 10_000


class _Tryable(NamedTuple):
    """A version, and the input to try it with."""

    version: Version
    value: Input | None
    probe: Probe


def drill(
    context: Context, model: ModelRow, targets: RollbackTargets, given: str | None, change: Change
) -> Drill:
    """Try what a rollback would go back to, and note that in the audit trail.

    Args:
        context: The registry.
        model: Of which model.
        targets: Finds the state.
        given: An input as typed; None: one that the version has answered, or one that is made up.
        change: Why and by whom; a dry run is not noted.
    """
    at, reason = context.clock(), check_text(change.reason, "reason")
    problem, tryable, split = None, [], None
    with context.store.read() as tx:
        now = tx.traffic.current(model)
        check_expected(now, change)
        try:
            target = targets.choose(tx, model, now, at)
        except NothingToRollBack as nothing:
            problem = nothing.message
        else:
            split = split_of(target)
            versions = [tx.versions.by_key(arm.version_key) for arm in target.live]
            tryable = [_with_input(tx, model, version, now, given) for version in versions]
    tried = tuple(_try(context, one) for one in tryable)
    problem = problem or next((f"{t.version}: {t.problem}" for t in tried if t.problem), None)
    found = Drill(
        model=model.name, time=from_micros(at), revision=now.number, to_split=split,
        passed=problem is None, problem=problem, versions=tried,
    )  # fmt: skip
    if not change.dry_run:
        with context.acting(change) as act:
            act.tx.events.append(
                action=DRILL, object=model.name, actor=act.actor, at=at, model_key=model.key,
                model=model.name, reason=reason, after=found,
            )  # fmt: skip
    return found


def _with_input(
    tx: Transaction, model: ModelRow, version: Version, now: Revision, given: str | None
) -> _Tryable:
    """What to try a version with: what was given, else what it has answered, else made up."""
    signature = version.signature
    if version.external or signature is None:
        return _Tryable(version, None, "none")
    if given is not None:
        return _Tryable(version, parse_input(signature, given), "given")
    last = tx.traffic.last_live(model.key, version.key) or 0
    after = now if last >= now.number else tx.traffic.find(model, last + 1)
    end = tx.predictions.last_id()
    if after is not None and last < now.number:
        end = min(end, tx.predictions.first_id(to_micros(after.created_at)))
    logged = tx.predictions.answered_input(version.key, upto=end, farthest=_FARTHEST)
    try:
        return _Tryable(version, check_input(signature, logged), "logged")
    except InvalidInput:  # there is none, or the log keeps hashes
        value = _made_up(signature)
        return _Tryable(version, value, "none" if value is None else "made up")


def _made_up(signature: Signature) -> Input | None:
    if signature.input == "text":
        return "drill"
    if signature.input == "vector":
        return [0.0] * (signature.length or 1)
    if not signature.fields:
        return None
    kinds = signature.types or ("any",) * len(signature.fields)
    return {
        name: "drill" if kind == "text" else 0.0
        for name, kind in zip(signature.fields, kinds, strict=True)
    }


def _try(context: Context, given: _Tryable) -> Tried:
    """Load a version, and let it answer."""
    version, started = given.version, perf_counter()
    answer, problem, note = None, None, None
    if version.external:
        note = "a program of yours runs it, which mlreg cannot ask"
    else:
        try:
            answer, problem = _answer(context, given)
        except MlregError as error:
            problem = error.message
    if problem is not None and given.probe == "made up" and _loads(context, version):
        # What a model says to an input that nobody ever sends speaks neither for nor against it.
        problem, note = None, f"it loads; a made-up input failed: {problem}; give one by --probe"
    return Tried(
        version=version.version, model_id=version.model_id, digest=version.digest,
        probe=given.probe, answer=answer, seconds=round(perf_counter() - started, 3),
        problem=problem, note=note,
    )  # fmt: skip


def _answer(
    context: Context, given: _Tryable
) -> tuple[str | int | float | bool | None, str | None]:
    """What the version answers, and what is wrong."""
    version, loadable = given.version, ready(given.version).loadable
    if version.trusted and (refusal := Trust(context).refusal(version)):
        return None, refusal.message
    if given.value is None:
        context.runner.inspect(loadable.digest, trusted=loadable.trusted)
        return None, None
    (outcome,) = context.runner.predict(loadable, [given.value]).outcomes
    return (None, outcome.message) if isinstance(outcome, Failure) else (outcome.output, None)


def _loads(context: Context, version: Version) -> bool:
    try:
        context.runner.inspect(str(version.digest), trusted=version.trusted)
    except MlregError:
        return False
    return True
