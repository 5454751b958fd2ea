"""From a draft to an end: every change of traffic a revision, every change an event."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.entities.experiments import Design, Draft, Experiment, Phase, State
from mlreg.entities.predictions import LIVE
from mlreg.entities.traffic import Hold, Revision
from mlreg.errors import AlreadyExists, Conflict
from mlreg.evidence.history import history
from mlreg.names import check_name, check_text, name_key, safe
from mlreg.services.context import Act, Context
from mlreg.services.experiments.design import (
    fingerprint,
    make_design,
    step_weights,
)
from mlreg.services.holds import check_free
from mlreg.services.revisions import in_force, put
from mlreg.services.rollouts.ending import end_with_test
from mlreg.services.splits import arm_of, check_servable
from mlreg.store.summaries import by_role

if TYPE_CHECKING:
    from mlreg.entities.versions import Version
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction


def create(act: Act, context: Context, test_id: str, draft: Draft) -> Experiment:
    """Write a design down."""
    key = name_key(check_name(test_id, "an experiment"))
    tx, change = act.tx, act.change
    twin = tx.experiments.twin(key)
    if twin is not None:
        raise AlreadyExists(f"there is an experiment {safe(twin)}")
    versions = [context.version(tx, ref) for ref in (draft.control, *draft.treatments)]
    experiment = Experiment(
        key=0,
        model_key=versions[0].model_key,
        design=_design(tx, test_id, versions, draft),
        state="draft",
        salt=secrets.token_hex(8),
        fingerprint=None,
        created_at=from_micros(act.at),
        created_by=act.actor,
        dry_run=change.dry_run,
    )
    if change.dry_run:
        return experiment
    row = tx.experiments.insert(experiment, key, [v.key for v in versions], act.at)
    experiment = replace(experiment, key=row)
    tell(act, "abtest create", experiment, before=None)
    return experiment


def start(act: Act, test_id: str) -> Experiment:
    """Freeze a design and put its split in force."""
    tx, change = act.tx, act.change
    experiment = tx.experiments.get(test_id)
    if experiment.state != "draft":
        raise Conflict(f"the experiment {safe(test_id)} is {experiment.state} already")
    model = model_of(act, experiment)
    check_free(tx, model)
    for key in tx.experiments.arm_keys(experiment.key):
        check_servable(tx.versions.by_key(key))
    now = in_force(act, model)
    weights = tuple(variant.weight for variant in experiment.design.variants)
    after = _split(act, experiment, now, weights)
    started = replace(
        experiment,
        state="running",
        fingerprint=fingerprint(experiment.design),
        started_at=from_micros(act.at),
        revision_before=now.number,
        phases=(_phase(after, weights),),
        dry_run=change.dry_run,
    )
    if not change.dry_run:
        tx.traffic.take(model.key, Hold("experiment", test_id, now.number))
        tx.experiments.start(started, at=act.at)
        tx.experiments.add_phase(experiment, after.number)
        tell(act, "abtest start", started, before=experiment)
    return started


def step(act: Act, test_id: str, to: float | None) -> Experiment:
    """Give a canary's treatments more traffic."""
    tx, change = act.tx, act.change
    experiment = running(tx, test_id)
    if experiment.design.strategy != "canary":
        raise Conflict(
            f"{safe(test_id)} is no canary: its split stays as it was designed",
            hint="create it with --strategy canary to go up by steps",
        )
    now = in_force(act, model_of(act, experiment))
    weights = step_weights(experiment.weights, to)
    after = _split(act, experiment, now, weights)
    phases = (*experiment.phases, _phase(after, weights))
    stepped = replace(experiment, phases=phases, dry_run=change.dry_run)
    if not change.dry_run:
        tx.experiments.add_phase(experiment, after.number)
        tell(act, "abtest step", stepped, before=experiment)
    return stepped


def stop(act: Act, test_id: str) -> Experiment:
    """End an experiment without a verdict and put the traffic as it was."""
    experiment = running(act.tx, test_id)
    in_force(act, model_of(act, experiment))
    stopped = replace(
        experiment,
        state="stopped",
        ended_at=from_micros(act.at),
        dry_run=act.change.dry_run,
    )
    if not act.change.dry_run:
        restore(act, experiment)
        end(act, experiment, "stopped")
        tell(act, "abtest stop", stopped, before=experiment)
    return stopped


def delete(act: Act, test_id: str) -> Experiment:
    """Take back a draft; what has started stays, with what it found."""
    experiment = act.tx.experiments.get(test_id)
    if experiment.state != "draft":
        running = experiment.state == "running"
        raise Conflict(
            f"the experiment {safe(test_id)} is {experiment.state}: only a draft can be deleted",
            hint=f"end it: mlreg abtest stop {safe(test_id)}" if running else "",
        )
    if not act.change.dry_run:
        act.tx.experiments.delete(experiment.key)
        gone = {"status": "deleted"}
        tell(act, "abtest delete", experiment, before=experiment, after=gone)
    return replace(experiment, dry_run=act.change.dry_run)


def let_go(act: Act, test_id: str, after: Revision) -> None:
    """End an experiment whose traffic a rollback has taken: that must always be possible."""
    experiment = act.tx.experiments.get(test_id)
    end(act, experiment, "stopped")
    tell(
        act,
        "abtest stop",
        experiment,
        before={"test_id": test_id, "status": experiment.state},
        after={"test_id": test_id, "status": "stopped", "revision": after.number},
        reason=after.reason or f"rollback to revision {after.number}",
    )


def end(
    act: Act,
    experiment: Experiment,
    state: State,
    *,
    verdict: str | None = None,
    winner: str | None = None,
) -> None:
    """Close an experiment, which holds the traffic no longer, and the rollout that it decides."""
    act.tx.experiments.end(experiment, state, at=act.at, verdict=verdict, winner=winner)
    act.tx.traffic.release(experiment.model_key)
    end_with_test(act, experiment.model_key, experiment.test_id)


def restore(act: Act, experiment: Experiment) -> int:
    """Put the traffic as it was before the start; returns the number of the new revision."""
    model = model_of(act, experiment)
    now = in_force(act, model)
    before = act.tx.traffic.find(model, experiment.revision_before or 0)
    wanted = replace(
        now,
        salt=model.salt,
        strategy=before.strategy if before else "random",
        arms=before.arms if before else (),
    )
    why = f"experiment {experiment.test_id} has ended"
    return put(act, now, wanted, "abtest", why=why).number


def model_of(act: Act, experiment: Experiment) -> ModelRow:
    """The model whose traffic an experiment splits."""
    return act.tx.models.get(experiment.model)


def tell(
    act: Act,
    action: str,
    experiment: Experiment,
    *,
    before: object,
    after: object = None,
    reason: str | None = None,
) -> None:
    """Write the event of a change."""
    act.tx.events.append(
        action=action,
        object=experiment.test_id,
        actor=act.actor,
        at=act.at,
        model_key=experiment.model_key,
        model=experiment.model,
        reason=check_text(reason or act.change.reason, "reason"),
        before=before,
        after=after or experiment,
    )


def running(tx: Transaction, test_id: str) -> Experiment:
    """The experiment, if it is running.

    Raises:
        Conflict: It is not.
    """
    experiment = tx.experiments.get(test_id)
    if experiment.state != "running":
        hint = f"run: mlreg abtest start {safe(test_id)}" if experiment.state == "draft" else ""
        raise Conflict(
            f"the experiment {safe(test_id)} is not running: it is {experiment.state}", hint=hint
        )
    return experiment


def _phase(revision: Revision, weights: Sequence[int]) -> Phase:
    return Phase(revision=revision.number, started_at=revision.created_at, weights=tuple(weights))


def _design(tx: Transaction, test_id: str, versions: Sequence[Version], draft: Draft) -> Design:
    control = versions[0]
    names = tx.experiments.recorded_values(control.model_key)
    tally = by_role(tx.summaries.all_time(control.key))[control.key, LIVE]
    return make_design(
        test_id,
        control.name,
        versions,
        draft,
        is_value=lambda name: name in names,
        history=lambda metric: history(tally, metric),
        directions=tx.models.directions(control.model_key),
    )


def _split(act: Act, experiment: Experiment, now: Revision, weights: Sequence[int]) -> Revision:
    """Put a phase of an experiment in force."""
    strategy = experiment.design.strategy
    keys = act.tx.experiments.arm_keys(experiment.key)
    versions = [act.tx.versions.by_key(key) for key in keys]
    arms = [arm_of(v, weight) for v, weight in zip(versions, weights, strict=True)]
    wanted = replace(
        now.answered_by(arms),
        strategy="sticky" if strategy == "canary" else strategy,
        salt=experiment.salt,
    )
    return put(act, now, wanted, "abtest", why=f"experiment {experiment.test_id}")
