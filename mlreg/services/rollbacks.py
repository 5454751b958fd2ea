"""Earlier states of the traffic that can serve again, and what it was to go back to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.entities.traffic import WHOLE, Arm, Revision, Rollback
from mlreg.errors import ArtifactError, CheckFailed, NotFound, NothingToRollBack
from mlreg.names import MAX_TEXT_LENGTH
from mlreg.services.revisions import in_force, put

if TYPE_CHECKING:
    from mlreg.artifacts.objects import ObjectStore
    from mlreg.entities.conditions import Finding
    from mlreg.services.context import Act
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction


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
        self._broken = {found.model_id for found in findings}
        self._verified: dict[str, str | None] = {}

    def choose(self, tx: Transaction, model: ModelRow, now: Revision) -> Revision:
        """The present revision with the strategy and arms to return to.

        Raises:
            NotFound: There is no such revision or version.
            NothingToRollBack: It cannot serve.
        """
        if self._to_version is not None:
            return now.answered_by(self._alone(tx, model, self._to_version))
        if self._to_revision is not None:
            target = self._numbered(tx, model, self._to_revision)
        else:
            target = self._last_good(tx, model, now)
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

    def _last_good(self, tx: Transaction, model: ModelRow, now: Revision) -> Revision:
        problems = []
        barred, convicted = set(self._broken), self._convicted(tx, model, now)
        for past in tx.traffic.history(model):
            # Who puts a version in force again after a gate has taken it out vouches for it.
            barred |= convicted.get(past.number, set())
            if past.number >= now.number or past.is_trial:
                continue
            if not past.live or past.same_answers_as(now):
                continue
            if any(arm.model_id in barred for arm in past.live):
                problems.append("a gate speaks against those that there are")
                continue
            problem = self._first_problem(tx, past)
            if problem is None:
                return past
            problems.append(problem)
        raise NothingToRollBack(
            f"{model.name} has no earlier revision that can serve"
            + (f": {problems[0]}" if problems else ""),
            hint=f"see: mlreg history {model.name}",
        )

    def _convicted(
        self, tx: Transaction, model: ModelRow, now: Revision
    ) -> dict[int, set[str | None]]:
        """What gates have taken out, by the revision of the rollback; only a gate asks.

        Raises:
            CheckFailed: The present revision is a gate's own: it would go to and fro.
        """
        if not self._broken:
            return {}
        found = {
            revision.number: {finding["model_id"] for finding in evidence["findings"]}
            for revision, evidence in tx.traffic.rollbacks(model)
            if "findings" in evidence
        }
        if now.number in found:
            raise CheckFailed(
                f"what a gate rolled {model.name} back to, revision {now.number}, fails as well",
                hint=f"a gate rolls back once; decide by hand: mlreg history {model.name}",
            )
        return found

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
        CheckFailed: A gate has rolled back already.
    """
    now = in_force(act, model)
    wanted = replace(targets.choose(act.tx, model, now), salt=model.salt)
    why = "; ".join(found.sentence for found in findings)[:MAX_TEXT_LENGTH]
    after = put(act, now, wanted, "rollback", why=why, findings=findings)
    if after.number > now.number and not after.dry_run:
        _let_go(act, after)
    return after


def _let_go(act: Act, after: Revision) -> None:
    """End whoever held the traffic that a rollback has put in force."""
    hold = act.tx.traffic.hold(after.model_key)
    if hold is not None:
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
        from_split=_split(source),
        to_split=_split(revision),
        reason=revision.reason,
        automatic=bool(evidence),
        actor=revision.actor,
        revision=revision.number,
        evidence=evidence,
    )


def _main_version(revision: Revision | None) -> str | None:
    if revision is None or not revision.live:
        return None
    return max(revision.live, key=lambda arm: arm.weight).version


def _split(revision: Revision | None) -> str | None:
    """The version that served, or the split as `route` takes it."""
    if revision is None or not revision.live:
        return None
    if len(revision.live) == 1:
        return revision.live[0].version
    return " ".join(f"{arm.version}={arm.traffic_percent:g}" for arm in revision.live)
