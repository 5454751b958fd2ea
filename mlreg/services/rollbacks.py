"""Earlier states of the traffic that can serve again, and what it was to go back to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlreg.entities.traffic import WHOLE, Arm, Revision, Rollback
from mlreg.errors import ArtifactError, NotFound, NothingToRollBack
from mlreg.jsonable import jsonable
from mlreg.names import MAX_TEXT_LENGTH
from mlreg.services.goodness import Bars, is_way_back
from mlreg.services.revisions import in_force, put

if TYPE_CHECKING:
    from mlreg.artifacts.objects import ObjectStore
    from mlreg.entities.conditions import Finding
    from mlreg.services.context import Act
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

# The event that pages: a version is broken, and nothing is left to go back to.
REFUSED = "rollback.refused"
DRILL = "rollback.drill"


class RollbackTargets:
    """Finds the revision to return to. Each artifact is verified once, however often it is asked.

    A caller that asks first in a read and then again in its write hashes nothing under the lock.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        to_version: str | None,
        to_revision: int | None,
        findings: Sequence[Finding] = (),
    ) -> None:
        self._objects = objects
        self._to_version = to_version
        self._to_revision = to_revision
        self._findings = findings
        self._verified: dict[str, str | None] = {}

    def choose(self, tx: Transaction, model: ModelRow, now: Revision, at: int) -> Revision:
        """The present revision with the strategy and arms to return to.

        Raises:
            NotFound: There is no such revision or version.
            NothingToRollBack: It cannot serve.
            CheckFailed: One was made by itself, and another has to wait or is a person's to make.
        """
        if self._to_version is not None:
            return now.answered_by(self._alone(tx, model, self._to_version))
        if self._to_revision is not None:
            target = self._numbered(tx, model, self._to_revision)
        else:
            target = self._last(tx, model, now, at)
        return replace(now.answered_by(target.live), strategy=target.strategy)

    def _alone(self, tx: Transaction, model: ModelRow, selector: str) -> tuple[Arm, ...]:
        version = tx.versions.select(model, selector)
        arm = Arm(
            version_key=version.key,
            model_id=version.model_id,
            version=version.version,
            weight=WHOLE,
        )
        if problem := self._problem(tx, arm):
            raise NothingToRollBack(f"{version.ref} cannot serve: {problem}")
        if not any(past.arm_of(version.key) for past in tx.traffic.history(model)):
            raise NothingToRollBack(
                f"{version.ref} has never served", hint=f"run: mlreg activate {version.ref}"
            )
        return (arm,)

    def _numbered(self, tx: Transaction, model: ModelRow, number: int) -> Revision:
        target = tx.traffic.find(model, number)
        if target is None:
            raise NotFound(
                f"{model.name} has no revision {number}", hint=f"mlreg history {model.name}"
            )
        problem = self._first_problem(tx, target) if target.live else "it has no live version"
        if problem:
            raise NothingToRollBack(f"revision {number} cannot serve: {problem}")
        return target

    def _last(self, tx: Transaction, model: ModelRow, now: Revision, at: int) -> Revision:
        past = tx.traffic.history(model)
        if self._findings:
            bars = Bars.of(tx, model, now, self._findings, at)
            able, problems = bars.sift(past, now)
        else:
            able, problems = [one for one in past if is_way_back(one, now)], []
        for target in able:
            problem = self._first_problem(tx, target)
            if problem is None:
                return target
            problems.append(problem)
        raise NothingToRollBack(
            f"{model.name} has no earlier revision that can serve"
            + (f": {problems[0]}" if problems else ""),
            hint=f"see: mlreg history {model.name}",
        )

    def _first_problem(self, tx: Transaction, revision: Revision) -> str | None:
        return next((p for arm in revision.live if (p := self._problem(tx, arm))), None)

    def _problem(self, tx: Transaction, arm: Arm) -> str | None:
        """Why an arm of an earlier revision cannot serve now."""
        try:
            version = tx.versions.by_key(arm.version_key)
        except NotFound:
            return f"version {arm.version} has been deleted"
        if version.status == "archived":
            return f"{version.ref} is archived"
        if version.external:
            return None
        if version.digest is None:
            return f"{version.ref} has no artifact"
        if version.digest not in self._verified:
            self._verified[version.digest] = self._damage(version.digest)
        damage = self._verified[version.digest]
        return damage and f"{version.ref}: {damage}"

    def _damage(self, digest: str) -> str | None:
        try:
            self._objects.verify(digest)
        except ArtifactError as error:
            return error.message
        return None


def roll_back(
    act: Act, model: ModelRow, targets: RollbackTargets, findings: Sequence[Finding] = ()
) -> Revision:
    """Put an earlier state in force, whoever asks for it: a person, a gate or a threshold.

    Args:
        act: The change under way.
        model: Of which model.
        targets: Finds the state, and has verified its artifacts before the write began.
        findings: Why, where no person does it; kept as evidence.

    Raises:
        NothingToRollBack: No earlier revision can serve.
        CheckFailed: One was made by itself, and another has to wait or is a person's to make.
    """
    now = in_force(act, model)
    wanted = replace(targets.choose(act.tx, model, now, act.at), salt=model.salt)
    why = "; ".join(found.sentence for found in findings)[:MAX_TEXT_LENGTH]
    after = put(act, now, wanted, "rollback", why=why, findings=findings)
    if after.number > now.number and not after.dry_run:
        _let_go(act, after)
    return after


def tell_refusal(act: Act, model: ModelRow, findings: Sequence[Finding], why: str) -> None:
    """Say loudly, once for one cause, that something is broken and nothing was rolled back."""
    present = act.tx.traffic.number(model.key)
    cause = {"in_force": present, "conditions": sorted({f.condition for f in findings})}
    last = act.tx.events.newest(REFUSED, model.key)
    if last is not None and cause.items() <= (last.after or {}).items():
        return
    act.tx.events.append(
        action=REFUSED,
        object=model.name,
        actor=act.actor,
        at=act.at,
        model_key=model.key,
        model=model.name,
        reason=why[:MAX_TEXT_LENGTH],
        after=cause | {"findings": jsonable(findings)},
    )


def _let_go(act: Act, after: Revision) -> None:
    """End whoever held the traffic that a rollback has put in force."""
    hold = act.tx.traffic.hold(after.model_key)
    if hold is not None and hold.kind == "rollout":
        from mlreg.services.rollouts import ending

        ending.let_go(act, hold.id, after)
    elif hold is not None:
        from mlreg.services.experiments import lifecycle

        lifecycle.let_go(act, hold.id, after)


def rollback_of(
    tx: Transaction, model: ModelRow, revision: Revision, evidence: dict[str, object]
) -> Rollback:
    """What a revision that rolled back undid."""
    start = evidence.pop("from_revision", None)
    source = tx.traffic.find(model, start) if isinstance(start, int) else None
    return Rollback(
        time=revision.created_at,
        model=model.name,
        from_version=_main_version(source),
        to_version=_main_version(revision),
        from_split=split_of(source),
        to_split=split_of(revision),
        reason=revision.reason,
        finding="; ".join(f["sentence"] for f in _findings(evidence)) or None,
        automatic=bool(evidence),
        actor=revision.actor,
        revision=revision.number,
        evidence=evidence,
    )


def _findings(evidence: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = evidence.get("findings", ())
    return found


def _main_version(revision: Revision | None) -> str | None:
    if revision is None or not revision.live:
        return None
    return max(revision.live, key=lambda arm: arm.weight).version


def split_of(revision: Revision | None) -> str | None:
    """The version that serves, or the split as `route` takes it."""
    if revision is None or not revision.live:
        return None
    if len(revision.live) == 1:
        return revision.live[0].version
    return " ".join(f"{arm.version}={arm.traffic_percent:g}" for arm in revision.live)
