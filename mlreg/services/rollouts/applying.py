"""Actions on a rollout, each in one transaction with its traffic and its event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.entities.traffic import WHOLE, Arm, Hold, Revision
from mlreg.names import MAX_TEXT_LENGTH, check_text
from mlreg.services.revisions import in_force, put
from mlreg.services.rollbacks import RollbackTargets, roll_back, tell_refusal
from mlreg.services.rollouts.ending import end, release, tell
from mlreg.services.rollouts.states import Action, after, is_testing
from mlreg.services.rollouts.testing import end_test
from mlreg.services.splits import arm_of, basis_points, check_servable, sharing

if TYPE_CHECKING:
    from mlreg.artifacts.objects import ObjectStore
    from mlreg.entities.conditions import Finding
    from mlreg.entities.rollouts import Rollout
    from mlreg.services.context import Act
    from mlreg.store.models import ModelRow


def do(
    act: Act,
    rollout: Rollout,
    action: Action,
    *,
    reason: str = "",
    targets: RollbackTargets | None = None,
    findings: Sequence[Finding] = (),
    has_verdict: bool = False,
) -> Rollout:
    """Do something with a rollout: its state, the traffic that follows, an event.

    Args:
        act: The change under way.
        rollout: As it stands in this transaction.
        action: What is done.
        reason: Why, where the change gives no reason.
        targets: Of an abort, what it goes back to, its artifacts verified before the write began.
        findings: What an abort rests on, where no person does it.
        has_verdict: Whether the test of the rollout decided it.

    Raises:
        Conflict: Its state does not allow that.
        NothingToRollBack: What an abort would go back to cannot serve.
    """
    why = check_text(act.change.reason, "reason") or reason[:MAX_TEXT_LENGTH]
    done = after(rollout, action, from_micros(act.at), why)
    done = replace(done, dry_run=act.change.dry_run)
    model = act.tx.models.get(rollout.model)
    if is_testing(rollout) and not is_testing(done):
        if not done.dry_run:
            act.tx.rollouts.update(done)  # else it would end with its test
        act = _without_test(act, rollout, done, has_verdict=has_verdict)
        targets = None
    if not done.dry_run:
        if done.is_over:
            release(act, rollout)
        act.tx.rollouts.update(done)
    if done.state == "completed":
        revision = _split(act, model, done, "promote")
    elif done.step > rollout.step:
        revision = _split(act, model, done, "rollout")
    elif done.state == "aborted" and rollout.stages and targets is not None:
        revision = roll_back(act, model, targets, findings)
    else:
        revision = in_force(act, model)
    if done.step > rollout.step and not done.dry_run:
        act.tx.rollouts.add_stage(done, revision.number)
        done = act.tx.rollouts.get(done.rollout_id)
    tell(act, f"rollout.{action}", rollout, done, why)
    return done


def _without_test(act: Act, before: Rollout, done: Rollout, *, has_verdict: bool) -> Act:
    """End the test of a rollout, which put the traffic as it was, and hold what goes on."""
    if act.change.dry_run:
        return act
    in_force(act, act.tx.models.get(before.model))
    act = act._replace(change=replace(act.change, expect_revision=None))
    end_test(act, before, has_verdict=has_verdict)
    if not done.is_over:
        take(act, done)
    return act


def take(act: Act, rollout: Rollout) -> None:
    """Hold the traffic for a rollout."""
    if not act.change.dry_run:
        hold = Hold("rollout", rollout.rollout_id, rollout.revision_before)
        act.tx.traffic.take(rollout.model_key, hold)


def targets_of(objects: ObjectStore, rollout: Rollout) -> RollbackTargets:
    """What an abort goes back to: the traffic before the rollout."""
    return RollbackTargets(objects, to_version=None, to_revision=rollout.revision_before)


def give_up(act: Act, rollout: Rollout, findings: Sequence[Finding], why: str) -> None:
    """End a rollout whose abort finds nothing that could serve: the traffic stays, and it pages."""
    end(act, rollout, f"the traffic stays as it is: {why}")
    tell_refusal(act, act.tx.models.get(rollout.model), findings, why)


def _split(act: Act, model: ModelRow, rollout: Rollout, cause: str) -> Revision:
    """Put its share in force; the versions of before share the rest as they did."""
    now = in_force(act, model)
    before = act.tx.traffic.find(model, rollout.revision_before)
    version = check_servable(act.tx.versions.by_key(rollout.version_key))
    weight = basis_points(rollout.traffic_percent)
    others = [arm for arm in before.live if arm.version_key != version.key] if before else []
    arms: list[Arm] = [*sharing(others, WHOLE - weight), arm_of(version, weight)]
    strategy = before.strategy if before else now.strategy
    wanted = replace(now.answered_by(arms), salt=model.salt, strategy=strategy)
    why = f"rollout {rollout.rollout_id}"
    if cause == "promote":
        return put(act, now, wanted, "promote", why=why, is_confirmed=True)
    return put(act, now, wanted, "rollout", why=why)
