"""Traffic: every change of who answers is a new revision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.entities.traffic import (
    STRATEGIES,
    WHOLE,
    Cause,
    Change,
    Choice,
    Revision,
    Rollback,
    Strategy,
)
from mlreg.entities.versions import Version
from mlreg.errors import (
    ArtifactMissing,
    CheckFailed,
    Conflict,
    CoolingDown,
    InvalidInput,
    NothingToRollBack,
)
from mlreg.names import check_text, is_version, safe
from mlreg.routing import choose
from mlreg.services.context import Act, Context
from mlreg.services.holds import check_free
from mlreg.services.revisions import check_expected, in_force, put
from mlreg.services.rollbacks import RollbackTargets, roll_back, rollback_of, tell_refusal
from mlreg.services.routes import Routes, nothing_serves, ready
from mlreg.services.splits import arm_of, basis_points, check_servable, sharing

if TYPE_CHECKING:
    from mlreg.entities.conditions import Finding
    from mlreg.entities.traffic import Drill
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_NO_CHANGE = Change()


class Traffic:
    """Who answers, since when, and why."""

    def __init__(self, context: Context, routes: Routes) -> None:
        self._context = context
        self._routes = routes

    def current(self, name: str | None = None) -> Revision:
        """The revision in force."""
        with self._context.store.read() as tx:
            return tx.traffic.current(self._context.model(tx, name))

    def explain(self, name: str | None, unit: str) -> Choice:
        """Which version would answer a unit, and why, without predicting.

        Random ignores the unit, and the answer is one draw; round-robin tells whose turn is next.
        """
        route, turn = self._routes.current(name), None
        if route.table.strategy == "round-robin":
            with self._context.store.read() as tx:
                turn = tx.models.next_turn(route.model.key)
        arm, reason = choose(route.table, unit, turn)
        return Choice(route.model.name, arm.version, arm.model_id, route.revision, reason)

    def history(self, name: str | None = None, *, limit: int = -1) -> list[Revision]:
        """The revisions of a model, the newest first."""
        with self._context.store.read() as tx:
            return tx.traffic.history(self._context.model(tx, name), limit=limit)

    def rollbacks(self, name: str | None = None, *, limit: int = -1) -> list[Rollback]:
        """The rollbacks of a model, the newest first."""
        with self._context.store.read() as tx:
            model = self._context.model(tx, name)
            return [
                rollback_of(tx, model, revision, evidence)
                for revision, evidence in tx.traffic.rollbacks(model, limit=limit)
            ]

    def activate(
        self,
        ref: str,
        *,
        percent: float = 100,
        strategy: Strategy | None = None,
        change: Change = _NO_CHANGE,
    ) -> Revision:
        """Make a version serve exactly `percent` of its model's traffic.

        The other live versions share the rest in their present proportion; 100 deactivates them.
        A version alone keeps the percentage it was given and serves everything meanwhile.

        Raises:
            Conflict: The version is archived or has no artifact.
        """
        weight = basis_points(percent)
        if weight == 0:
            return self.deactivate(ref, change=change)

        def with_share(tx: Transaction, now: Revision) -> Revision:
            version = self._servable(tx, ref)
            others = [arm for arm in now.live if arm.version_key != version.key]
            rest = sharing(others, WHOLE - weight)
            return now.answered_by([*rest, arm_of(version, weight)])

        return self._change(ref, "activate", with_share, strategy=strategy, change=change)

    def deactivate(
        self, ref: str, *, allow_empty: bool = False, change: Change = _NO_CHANGE
    ) -> Revision:
        """Take a version out of the traffic; the others get its share in proportion.

        Args:
            ref: The version.
            allow_empty: Let the model be left without any version that serves it.
            change: Why, by whom, and on what condition.

        Raises:
            Conflict: It is the last live version.
        """

        def without(tx: Transaction, now: Revision) -> Revision:
            version = self._context.version(tx, ref)
            if all(arm.version_key != version.key for arm in now.arms):
                return now
            others = [arm for arm in now.live if arm.version_key != version.key]
            if not others and now.arm_of(version.key) and not allow_empty:
                raise Conflict(
                    f"{version.ref} is the last live version: nothing would serve {now.model}",
                    hint=f"activate another version; to stop serving: mlreg deactivate "
                    f"{version.ref} --yes",
                )
            left = [arm for arm in now.arms if arm.version_key != version.key]
            return replace(now, arms=tuple(left)).answered_by(sharing(others, WHOLE))

        return self._change(ref, "deactivate", without, change=change)

    def route(
        self,
        name: str | None,
        weights: Mapping[str, float],
        *,
        strategy: Strategy | None = None,
        shadows: Sequence[str] | None = None,
        change: Change = _NO_CHANGE,
    ) -> Revision:
        """Set a whole split at once, or who is asked beside it.

        Args:
            name: The model; None where there is only one.
            weights: Percent by version, alias or `latest`; they sum to exactly 100.
            strategy: How an arm is picked; None keeps the present way.
            shadows: Versions that are asked the same inputs behind the answer, which they never
                change; None keeps the present ones, and an empty list leaves none.
            change: Why, by whom, and on what condition.
        """
        points = _points(weights)
        if not weights and strategy is None and shadows is None:
            raise InvalidInput(
                "route needs shares or a strategy", hint="mlreg route NAME 1.0.0=80 2.0.0=20"
            )

        def with_shadows(tx: Transaction, now: Revision) -> Revision:
            wanted = self._split(tx, now, points)
            return wanted if shadows is None else self._followed(tx, wanted, shadows)

        cause: Cause = "route" if weights or strategy else "shadow"
        return self._change(name, cause, with_shadows, strategy=strategy, change=change)

    def route_within(
        self, act: Act, name: str, weights: Mapping[str, float], *, strategy: Strategy | None
    ) -> Revision:
        """Set a whole split as a part of a larger change; whoever holds it stays where it fits."""
        points, now = _points(weights), in_force(act, self._context.model(act.tx, name))
        wanted = self._split(act.tx, now, points)
        if now.same_traffic_as(replace(wanted, strategy=strategy or now.strategy)):
            return now
        return self._put(act, name, "route", lambda _, __: wanted, strategy)

    def _split(self, tx: Transaction, now: Revision, points: Mapping[str, int]) -> Revision:
        """A state with these versions as its arms, in basis points; without any, the same one."""
        if not points:
            return now
        arms = [
            arm_of(self._servable(tx, f"{now.model}@{selector}"), weight)
            for selector, weight in points.items()
            if weight
        ]
        if len({arm.version_key for arm in arms}) < len(arms):
            raise InvalidInput("the same version stands twice in the split")
        return now.answered_by(arms)

    def promote(self, ref: str, *, change: Change = _NO_CHANGE) -> Revision:
        """Give a version all traffic and the alias `champion`.

        What served before stays the target of the next rollback.
        """

        def alone(tx: Transaction, now: Revision) -> Revision:
            version = self._servable(tx, ref)
            return now.answered_by([arm_of(version, WHOLE)])

        return self._change(ref, "promote", alone, change=change)

    def rollback(
        self,
        name: str | None = None,
        *,
        to_version: str | None = None,
        to_revision: int | None = None,
        findings: Sequence[Finding] = (),
        change: Change = _NO_CHANGE,
    ) -> Revision:
        """Put an earlier state of the traffic in force again, as a new revision.

        By default the revision before the present one that still can serve: another split, of
        versions that are neither archived nor deleted and whose artifacts are intact. So a second
        rollback undoes the first. For a gate or a threshold it is the last one that was good: that
        stood for its bake time without a critical alert; if nothing is left, an event says so.

        Args:
            name: The model; None where there is only one.
            to_version: Give this version, which must have served before, all traffic.
            to_revision: Take the arms of this revision.
            findings: Why, where a gate does it; kept as evidence. It happens once: not from a
                revision that a gate's own rollback made, and not to a version that fails, or
                that a gate has taken out since.
            change: Why, by whom, and on what condition.

        Raises:
            NothingToRollBack: No earlier revision can serve.
            CheckFailed: What a gate has rolled back to fails as well.
            CoolingDown: A gate rolled back a short time ago.
        """
        _check_one(to_version, to_revision)
        broken = [found for found in findings if found.state == "fail"]
        if findings and not broken:
            raise InvalidInput("no condition is broken: there is no reason to roll back")
        targets = RollbackTargets(
            self._context.objects, to_version=to_version, to_revision=to_revision, findings=broken
        )
        check_text(change.reason, "reason")
        try:
            with self._context.store.read() as tx:  # verifies the artifacts before the write lock
                now = tx.traffic.current(self._model_of(tx, name))
                check_expected(now, change)
                targets.choose(tx, self._context.model(tx, now.model), now, self._context.clock())
            with self._context.acting(change) as act:
                return roll_back(act, self._model_of(act.tx, name), targets, broken)
        except (NothingToRollBack, CheckFailed) as problem:
            if broken and not change.dry_run and not isinstance(problem, CoolingDown):
                with self._context.acting(change) as act:
                    tell_refusal(act, self._model_of(act.tx, name), broken, problem.message)
            raise

    def drill(
        self,
        name: str | None = None,
        *,
        to_version: str | None = None,
        to_revision: int | None = None,
        probe: str | None = None,
        change: Change = _NO_CHANGE,
    ) -> Drill:
        """Try what a rollback would go back to: does it fit its digest, load and answer?

        The traffic stays as it is, and nothing is logged but that there was a drill.

        Args:
            name: The model; None where there is only one.
            to_version: As for `rollback`.
            to_revision: As for `rollback`.
            probe: An input, plain text or JSON; None: one that the version has answered before,
                else one that is made up.
            change: Why and by whom.

        Raises:
            InvalidInput: The probe is not what the model takes.
        """
        from mlreg.services.drills import drill

        _check_one(to_version, to_revision)
        with self._context.store.read() as tx:
            model = self._model_of(tx, name)
        targets = RollbackTargets(
            self._context.objects, to_version=to_version, to_revision=to_revision
        )
        return drill(self._context, model, targets, probe, change)

    def _followed(self, tx: Transaction, now: Revision, selectors: Sequence[str]) -> Revision:
        """A state with these versions as its shadows."""
        if selectors and not now.live:
            raise nothing_serves(now.model)
        found = {v.key: v for s in selectors for v in [self._servable(tx, f"{now.model}@{s}")]}
        for version in found.values():
            _ = ready(version).loadable  # mlreg can ask it
            if now.arm_of(version.key):
                raise Conflict(
                    f"{version.ref} answers itself, so it cannot be asked behind the answer",
                    hint=f"see who answers: mlreg route {safe(now.model)}",
                )
        shadows = [replace(arm_of(version, 0), role="shadow") for version in found.values()]
        return replace(now, arms=(*now.live, *shadows))

    def _servable(self, tx: Transaction, ref: str) -> Version:
        return servable(self._context, self._context.version(tx, ref))

    def _change(
        self,
        ref: str | None,
        cause: Cause,
        arms_after: Callable[[Transaction, Revision], Revision],
        *,
        change: Change,
        strategy: Strategy | None = None,
    ) -> Revision:
        """Work out the next revision and put it in force."""
        if strategy is not None and strategy not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise InvalidInput(f"strategy must be one of {known}, not {safe(str(strategy))}")
        check_text(change.reason, "reason")
        with self._context.acting(change) as act:
            return self._put(act, ref, cause, arms_after, strategy)

    def _put(
        self,
        act: Act,
        ref: str | None,
        cause: Cause,
        arms_after: Callable[[Transaction, Revision], Revision],
        strategy: Strategy | None,
    ) -> Revision:
        tx, model = act.tx, self._model_of(act.tx, ref)
        now = in_force(act, model)
        check_free(tx, model)
        wanted = arms_after(tx, now)
        wanted = replace(wanted, salt=model.salt, strategy=strategy or wanted.strategy)
        return put(act, now, wanted, cause)

    def _model_of(self, tx: Transaction, ref: str | None) -> ModelRow:
        if ref is None or tx.models.find(ref):
            return self._context.model(tx, ref)
        if "@" in ref or ref.startswith(("model-", "models:")) or is_version(ref):
            return tx.models.get(self._context.version(tx, ref).name)
        return self._context.model(tx, ref)


def _points(weights: Mapping[str, float]) -> dict[str, int]:
    """Shares in basis points.

    Raises:
        InvalidInput: They are no whole.
    """
    points = {selector: basis_points(percent) for selector, percent in weights.items()}
    if weights and sum(points.values()) != WHOLE:
        total = sum(points.values()) / 100
        raise InvalidInput(f"the shares must sum to exactly 100, these sum to {total:g}")
    return points


def servable(context: Context, version: Version) -> Version:
    """The version, if it can be given traffic.

    Raises:
        Conflict: It is archived, or has no artifact.
        ArtifactMissing: Its artifact is not there.
    """
    if check_servable(version).external:
        return version
    if version.digest is None:
        raise Conflict(
            f"{version.ref} has no artifact, only metadata",
            hint=f"run: mlreg attach {version.ref} ARTIFACT",
        )
    if not context.objects.exists(version.digest):
        raise ArtifactMissing(
            f"the artifact of {version.ref} is missing from the store",
            hint="restore the object from a backup, or register the version again",
        )
    return version


def _check_one(to_version: str | None, to_revision: int | None) -> None:
    if to_version is not None and to_revision is not None:
        raise InvalidInput("give either --to or --to-revision, not both")
