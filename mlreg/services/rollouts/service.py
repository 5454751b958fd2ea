"""The service of rollouts."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mlreg.clock import Moment, from_micros
from mlreg.entities.rollouts import Draft, Lint, Plan, Rollout, RolloutStatus, Simulation
from mlreg.entities.traffic import Change
from mlreg.errors import Conflict, NotFound
from mlreg.names import safe
from mlreg.services.context import Act, Context
from mlreg.services.holds import check_free
from mlreg.services.moving import View
from mlreg.services.revisions import in_force
from mlreg.services.rollouts import applying
from mlreg.services.rollouts.drafts import from_policy, make_plan, over
from mlreg.services.rollouts.ending import tell
from mlreg.services.rollouts.linting import least_seconds, warnings
from mlreg.services.rollouts.moves import planned
from mlreg.services.rollouts.probing import probe
from mlreg.services.rollouts.simulation import Breaks, simulate
from mlreg.services.rollouts.states import Action, is_testing
from mlreg.services.rollouts.testing import begin_test
from mlreg.services.rollouts.usual import last_day, usual_checks
from mlreg.services.traffic import servable

if TYPE_CHECKING:
    from mlreg.entities.versions import Version
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_NO_CHANGE, _NOTHING, _BREAKS = Change(), Draft(), Breaks()


class Rollouts:
    """Gives a version its traffic step by step, and takes it back where it fails."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(self, ref: str, draft: Draft = _NOTHING, *, change: Change = _NO_CHANGE) -> Rollout:
        """Begin to roll a version out. What the draft leaves open the model's policy says.

        A blue-green rollout asks its probes first; where one of them is wrong, it is aborted
        before anybody was served.

        Raises:
            InvalidInput: The plan makes no sense.
            Conflict: The version cannot serve or does so already, nothing serves beside it, or
                somebody else holds the traffic.
        """
        with self._context.acting(change) as act:
            rollout = self._write(act, self._context.version(act.tx, ref), draft)
            if rollout.strategy == "ab":
                return begin_test(act, self._context, rollout, f"rollout of {rollout.version}")
            if rollout.strategy != "blue-green":
                return applying.do(act, rollout, "begin", reason=f"rollout of {rollout.version}")
        return self._switch(rollout, change)

    def status(self, name: str | None = None) -> RolloutStatus:
        """How a rollout stands, by its id or its model: the one under way, else the last one.

        Raises:
            NotFound: There is none.
        """
        with self._context.folded() as tx:
            rollout = self._find(tx, name)
            view = View(self._context, tx, self._context.clock())
            found = planned(view, rollout)
        known = {field.name: getattr(rollout, field.name) for field in fields(Rollout)}
        return RolloutStatus(
            **known,
            checks=found.seen.checks,
            samples=found.seen.samples,
            next_decision_at=found.move.at,
            outlook=found.move.why,
        )

    def get(self, name: str | None = None) -> Rollout:
        """A rollout, by its id or its model.

        Raises:
            NotFound: There is none.
        """
        with self._context.store.read() as tx:
            return self._find(tx, name)

    def list(self, model: str | None = None, *, limit: int = -1) -> list[Rollout]:
        """The rollouts, the newest first."""
        with self._context.store.read() as tx:
            key = tx.models.get(model).key if model else None
            return tx.rollouts.newest(key, limit=limit)

    def advance(self, name: str | None = None, *, change: Change = _NO_CHANGE) -> Rollout:
        """Put the next step in force now."""
        return self._do(name, "advance", change)

    def approve(self, name: str | None = None, *, change: Change = _NO_CHANGE) -> Rollout:
        """Agree to the step that waits for it.

        Raises:
            Conflict: None does, or somebody else has to agree.
        """
        return self._do(name, "approve", change)

    def pause(self, name: str | None = None, *, change: Change = _NO_CHANGE) -> Rollout:
        """Let the traffic stay as it is; a broken check aborts all the same."""
        return self._do(name, "pause", change)

    def resume(self, name: str | None = None, *, change: Change = _NO_CHANGE) -> Rollout:
        """Go on with a rollout that is paused."""
        return self._do(name, "resume", change)

    def promote(self, name: str | None = None, *, change: Change = _NO_CHANGE) -> Rollout:
        """Skip the rest: all traffic now, and no bake."""
        return self._do(name, "promote", change)

    def abort(self, name: str | None = None, *, change: Change = _NO_CHANGE) -> Rollout:
        """Put the traffic as it was before the rollout.

        Raises:
            NothingToRollBack: What served then cannot serve any more.
        """
        return self._do(name, "abort", change)

    def retry(self, name: str | None = None, *, change: Change = _NO_CHANGE) -> Rollout:
        """Begin a rollout that was aborted once more, with evidence of its own.

        Raises:
            Conflict: It was not aborted, or somebody else holds the traffic.
        """
        with self._context.acting(change) as act:
            rollout = self._find(act.tx, name)
            again = applying.do(act, rollout, "retry")
            self._check(act, act.tx.versions.by_key(rollout.version_key))
            now = in_force(act, act.tx.models.get(rollout.model))
            baseline = max(now.live, key=lambda arm: arm.weight)
            again = replace(
                again, revision_before=now.number, baseline_key=baseline.version_key,
                baseline=baseline.version,
            )  # fmt: skip
            if not change.dry_run:
                act.tx.rollouts.update(again)
            if again.strategy == "ab":
                return begin_test(act, self._context, again, "once more")
            applying.take(act, again)
            if again.strategy != "blue-green":
                return applying.do(act, again, "begin", reason="once more")
        return self._switch(again, change)

    def lint(self, ref: str, draft: Draft = _NOTHING) -> Lint:
        """What a rollout of a version would do, and what may go wrong with it.

        Raises:
            InvalidInput: The plan makes no sense.
        """
        with self._context.folded() as tx:
            version = self._context.version(tx, ref)
            model = tx.models.get(version.name)
            plan = self._planned(tx, model, draft)
            daily = last_day(tx, model, self._context.clock())
        return Lint(
            model=version.name,
            version=version.version,
            plan=plan,
            least_seconds=least_seconds(plan),
            requests_per_day=daily.requests,
            warnings=tuple(warnings(plan, daily)),
        )

    def simulate(
        self,
        name: str | None = None,
        draft: Draft = _NOTHING,
        *,
        since: Moment = timedelta(days=30),
        breaks: Breaks = _BREAKS,
        runs: int = 50,
    ) -> Simulation:
        """Try a plan on what was logged: when it would have gone on, and how often it errs.

        Args:
            name: The model; None where there is only one.
            draft: What is asked of the plan; the policy says the rest.
            since: The log from here on: an instant, or how long ago.
            breaks: How broken the versions are that are tried.
            runs: How often each is tried.

        Raises:
            InvalidInput: The plan makes no sense, or nothing was logged since then.
        """
        with self._context.folded() as tx:
            model = self._context.model(tx, name)
            plan = self._planned(tx, model, draft)
            return simulate(self._context, tx, model, plan, since, breaks, runs)

    def _find(self, tx: Transaction, name: str | None) -> Rollout:
        """By its id, else that of the model: the one that is open, else the newest."""
        if name is not None and "#" in name:
            return tx.rollouts.get(name)
        if name is None and len(found := tx.rollouts.open()) == 1:
            return found[0]
        model = self._context.model(tx, name)
        newest = tx.rollouts.newest(model.key, limit=1)
        if not newest:
            raise NotFound(
                f"{safe(model.name)} has had no rollout",
                hint=f"run: mlreg rollout start {safe(model.name)}@VERSION",
            )
        return (tx.rollouts.open(model.key) or newest)[0]

    def _write(self, act: Act, version: Version, draft: Draft) -> Rollout:
        """A rollout that is pending, and holds the traffic."""
        tx, model = act.tx, act.tx.models.get(version.name)
        plan = self._planned(tx, model, draft)
        self._check(act, version)
        now = in_force(act, model)
        baseline = max(now.live, key=lambda arm: arm.weight)
        at = from_micros(act.at)
        rollout = Rollout(
            rollout_id=f"{model.name}#{tx.rollouts.count(model.key) + 1}",
            model_key=model.key,
            model=model.name,
            version_key=version.key,
            version=version.version,
            baseline_key=baseline.version_key,
            baseline=baseline.version,
            plan=plan,
            revision_before=now.number,
            step_at=at,
            started_at=at,
            started_by=act.actor,
            reason=act.change.reason,
            dry_run=act.change.dry_run,
        )
        if act.change.dry_run:
            return rollout
        rollout = replace(rollout, key=tx.rollouts.insert(rollout))
        if rollout.strategy != "ab":  # its test has the traffic
            applying.take(act, rollout)
        tell(act, "rollout.start", None, rollout, act.change.reason)
        return rollout

    def _check(self, act: Act, version: Version) -> None:
        """Whether a version can be rolled out now."""
        model = act.tx.models.get(version.name)
        check_free(act.tx, model)
        servable(self._context, version)
        now = in_force(act, model)
        if not now.live:
            raise Conflict(
                f"nothing serves {safe(model.name)}, so there is nothing to compare with",
                hint=f"run: mlreg activate {version.ref}",
            )
        if now.arm_of(version.key):
            raise Conflict(
                f"{version.ref} serves already",
                hint=f"take it out first: mlreg deactivate {version.ref}",
            )

    def _planned(self, tx: Transaction, model: ModelRow, draft: Draft) -> Plan:
        policy = tx.decisions.policy(model)
        section = policy.document.get("rollout", {}) if policy else {}
        wanted = over(draft, from_policy(section))
        daily = last_day(tx, model, self._context.clock())
        return make_plan(wanted, usual_checks(daily, wanted.strategy or "canary"))

    def _switch(self, rollout: Rollout, change: Change) -> Rollout:
        """Ask the probes of a rollout that is pending, and begin or abort it."""
        with self._context.store.read() as tx:
            version = tx.versions.by_key(rollout.version_key)
        problem = probe(self._context, version, rollout.plan.probes)
        # Who was to be in force has been checked; taking the traffic has made no revision.
        with self._context.acting(change) as act:
            present = rollout if change.dry_run else act.tx.rollouts.get(rollout.rollout_id)
            if present.state != "pending":
                return present  # a tick has done it meanwhile
            action: Action = "abort" if problem else "begin"
            told = replace(act.change, reason=problem or act.change.reason)
            return applying.do(act._replace(change=told), present, action)

    def _do(self, name: str | None, action: Action, change: Change) -> Rollout:
        """What a person wants of a rollout."""
        targets = None
        if action == "abort":
            with self._context.store.read() as tx:  # verifies before the write lock
                rollout = self._find(tx, name)
                model = tx.models.get(rollout.model)
                if rollout.stages and not (rollout.is_over or is_testing(rollout)):
                    targets = applying.targets_of(self._context.objects, rollout)
                    targets.choose(tx, model, tx.traffic.current(model), self._context.clock())
        with self._context.acting(change) as act:
            rollout = self._find(act.tx, name)
            if action in ("approve", "promote"):
                _check_approver(rollout, act.actor)
            if action == "abort" and rollout.stages and targets is None:
                targets = applying.targets_of(self._context.objects, rollout)
            return applying.do(act, rollout, action, targets=targets)


def _check_approver(rollout: Rollout, actor: str) -> None:
    """Whether somebody may agree to what is still to be approved."""
    plan = rollout.plan
    waits = [percent for percent in plan.approve if percent not in rollout.approved]
    if waits and plan.approvers and actor not in plan.approvers:
        names = ", ".join(safe(name) for name in plan.approvers)
        raise Conflict(
            f"{safe(actor)} may not approve {safe(rollout.rollout_id)}", hint=f"who may: {names}"
        )
