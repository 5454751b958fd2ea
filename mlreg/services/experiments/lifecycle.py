"""From a draft to an end: every change of traffic a revision, every change an event."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.entities.experiments import (
    STATES,
    Experiment,
    Mode,
    Phase,
    State,
    TestStrategy,
)
from mlreg.entities.predictions import ROLES
from mlreg.entities.traffic import Arm, Change, Revision, Strategy
from mlreg.errors import AlreadyExists, Conflict, InvalidInput
from mlreg.names import check_name, check_text, name_key, safe
from mlreg.services.context import Context
from mlreg.services.experiments.design import (
    Amount,
    Wish,
    check_servable,
    fingerprint,
    make_design,
    step_weights,
)
from mlreg.services.experiments.history import history
from mlreg.services.traffic import Traffic, check_expected
from mlreg.store.summaries import by_role

if TYPE_CHECKING:
    from mlreg.entities.versions import Version
    from mlreg.store.store import Transaction

CAUSE = "abtest"
_NO_CHANGE = Change()


class Lifecycle:
    """Creates, starts, steps and stops experiments."""

    def __init__(self, context: Context, traffic: Traffic) -> None:
        self._context = context
        self._traffic = traffic

    def create(
        self,
        test_id: str,
        *,
        control: str,
        treatments: Sequence[str],
        split: float | None = None,
        weights: Mapping[str, float] | None = None,
        strategy: TestStrategy = "random",
        metric: str = "success_rate",
        secondary: Sequence[str] = (),
        guardrails: Sequence[str] = (),
        alpha: float = 0.05,
        power: float = 0.8,
        mde: Amount | None = None,
        min_effect: Amount | None = None,
        min_samples: int = 100,
        min_run: str | None = None,
        max_duration: str | None = None,
        label_window: str | None = None,
        mode: Mode | None = None,
        baseline: float | None = None,
        hypothesis: str = "",
        description: str = "",
        change: Change = _NO_CHANGE,
    ) -> Experiment:
        """Write down a design; nothing changes for users before `start`.

        Args:
            test_id: A name for the experiment.
            control: The version to compare with.
            treatments: The versions that are tried.
            split: Percent of the traffic that the treatments share equally; None: equal arms.
            weights: Percent by version of all arms, instead of `split`.
            strategy: `canary` is sticky routing that begins with a tenth and goes up by `step`.
            metric: What decides.
            secondary: Metrics to show, which decide nothing.
            guardrails: What must hold for a winner, like `p95_latency_ms <= +10%`.
            alpha: Two-sided level, shared among the treatments.
            power: Chance to find a difference of `mde`.
            mde: Smallest difference to find, in the metric's unit; `20%` is a part of the baseline.
            min_effect: Smallest improvement worth shipping, written alike.
            min_samples: Units that each arm needs, at least 100.
            min_run: Such as `12h`: how long it runs before its first verdict; None: three days.
            max_duration: Such as `14d`; then the last look is due.
            label_window: Such as `24h`: the age at which a label is due, so that arms are compared
                by the labels of predictions that are as old; None counts all.
            mode: None: `group-sequential` with an `mde`, else `always-valid`.
            baseline: The control's expected value, to tell the size beforehand; None takes it from
                the log.
            hypothesis: What is expected, for people.
            description: For people.
            change: Why and by whom.

        Raises:
            AlreadyExists: There is an experiment of this name.
            InvalidInput: The design makes no sense.
            Conflict: A version is archived.
        """
        wish = Wish(
            split=split,
            weights=weights,
            strategy=strategy,
            metric=metric,
            secondary=secondary,
            guardrails=guardrails,
            alpha=alpha,
            power=power,
            mde=mde,
            min_effect=min_effect,
            min_samples=min_samples,
            min_run=min_run,
            max_duration=max_duration,
            label_window=label_window,
            mode=mode,
            baseline=baseline,
            hypothesis=hypothesis,
            description=description,
        )
        key = name_key(check_name(test_id, "an experiment"))
        at, actor = self._context.clock(), self._context.actor_of(change)
        with self._transaction(change) as tx:
            twin = tx.experiments.twin(key)
            if twin is not None:
                raise AlreadyExists(f"there is an experiment {safe(twin)}")
            versions = [self._context.version(tx, ref) for ref in (control, *treatments)]
            names = tx.experiments.recorded_values(versions[0].model_key)
            tallies = by_role(tx.summaries.all_time(versions[0].key))
            tally = tallies[versions[0].key, ROLES.index("live")]
            design = make_design(
                test_id,
                versions[0].name,
                versions,
                wish,
                is_value=lambda name: name in names,
                history=lambda metric: history(tally, metric),
            )
            experiment = Experiment(
                key=0,
                model_key=versions[0].model_key,
                design=design,
                state="draft",
                salt=secrets.token_hex(8),
                fingerprint=None,
                created_at=from_micros(at),
                created_by=actor,
                dry_run=change.dry_run,
            )
            if change.dry_run:
                return experiment
            row = tx.experiments.insert(experiment, key, [v.key for v in versions], at)
            experiment = replace(experiment, key=row)
            self.tell(tx, "abtest create", experiment, change, at, before=None)
        return experiment

    def start(self, test_id: str, *, change: Change = _NO_CHANGE) -> Experiment:
        """Freeze the design and put its split in force.

        Raises:
            Conflict: It was started before, another experiment holds the traffic, or a version
                has been archived meanwhile.
        """
        with self._transaction(change) as tx:
            experiment = tx.experiments.get(test_id)
            if experiment.state != "draft":
                raise Conflict(f"the experiment {safe(test_id)} is {experiment.state} already")
            holder = tx.traffic.holder(experiment.model_key)
            if holder is not None:
                raise held(experiment.model, holder)
            versions = [
                check_servable(tx.versions.by_key(key))
                for key in tx.experiments.arm_keys(experiment.key)
            ]
            at = self._context.clock()
            now = self._traffic_now(tx, experiment, change)
            weights = tuple(variant.weight for variant in experiment.design.variants)
            after = self._revision(experiment, now, versions, weights, change, at)
            started = replace(
                experiment,
                state="running",
                fingerprint=fingerprint(experiment.design),
                started_at=from_micros(at),
                revision_before=now.number,
                phases=(_phase(after, weights),),
                dry_run=change.dry_run,
            )
            if not change.dry_run:
                tx.experiments.start(started, at=at)
                self._put(tx, started, now, after)
                self.tell(tx, "abtest start", started, change, at, before=experiment)
        return started

    def get(self, test_id: str) -> Experiment:
        """One experiment.

        Raises:
            NotFound: There is none of this name.
        """
        with self._context.store.read() as tx:
            return tx.experiments.get(test_id)

    def step(
        self, test_id: str, *, to: float | None = None, change: Change = _NO_CHANGE
    ) -> Experiment:
        """Give a canary's treatments more traffic: ten points, or up to `to` percent.

        Raises:
            Conflict: It is no canary, or it is not running.
            InvalidInput: `to` is no more than now, or leaves the control nothing.
        """
        with self._transaction(change) as tx:
            experiment = running(tx, test_id)
            if experiment.design.strategy != "canary":
                raise Conflict(
                    f"{safe(test_id)} is no canary: its split stays as it was designed",
                    hint="create it with --strategy canary to go up by steps",
                )
            at = self._context.clock()
            now = self._traffic_now(tx, experiment, change)
            weights = step_weights(experiment.weights, to)
            versions = [tx.versions.by_key(key) for key in tx.experiments.arm_keys(experiment.key)]
            after = self._revision(experiment, now, versions, weights, change, at)
            stepped = replace(
                experiment,
                phases=(*experiment.phases, _phase(after, weights)),
                dry_run=change.dry_run,
            )
            if not change.dry_run:
                self._put(tx, experiment, now, after)
                self.tell(tx, "abtest step", stepped, change, at, before=experiment)
        return stepped

    def stop(self, test_id: str, *, change: Change = _NO_CHANGE) -> Experiment:
        """End an experiment without a verdict and put the traffic as it was.

        Raises:
            Conflict: It is not running.
        """
        with self._transaction(change) as tx:
            experiment = running(tx, test_id)
            self._traffic_now(tx, experiment, change)
            at = self._context.clock()
            stopped = replace(
                experiment, state="stopped", ended_at=from_micros(at), dry_run=change.dry_run
            )
            if not change.dry_run:
                self._restore(tx, experiment, change, at)
                tx.experiments.end(experiment, "stopped", at=at, verdict=None, winner=None)
                self.tell(tx, "abtest stop", stopped, change, at, before=experiment)
        return stopped

    def list(
        self, *, model: str | None = None, state: State | None = None
    ) -> tuple[Experiment, ...]:
        """The experiments, the newest first."""
        if state is not None and state not in STATES:
            raise InvalidInput(f"status must be one of {', '.join(STATES)}, not {safe(state)}")
        with self._context.store.read() as tx:
            key = tx.models.get(model).key if model else None
            return tuple(tx.experiments.newest(model_key=key, state=state))

    def _transaction(self, change: Change) -> AbstractContextManager[Transaction]:
        return self._context.changing(change)

    def _traffic_now(self, tx: Transaction, experiment: Experiment, change: Change) -> Revision:
        """The revision in force.

        Raises:
            RevisionMoved: It is not the one that the change expects.
        """
        now = tx.traffic.current(self._context.model(tx, experiment.model))
        check_expected(now, change)
        return now

    def _revision(
        self,
        experiment: Experiment,
        now: Revision,
        versions: Sequence[Version],
        weights: Sequence[int],
        change: Change,
        at: int,
    ) -> Revision:
        strategy = experiment.design.strategy
        routed: Strategy = "sticky" if strategy == "canary" else strategy
        arms = [
            Arm(version_key=v.key, model_id=v.model_id, version=v.version, weight=weight)
            for v, weight in zip(versions, weights, strict=True)
        ]
        shadows = [a for a in now.arms if a.role == "shadow" and a.version_key not in {
            v.key for v in versions}]  # fmt: skip
        return replace(
            now,
            number=now.number + 1,
            strategy=routed,
            salt=experiment.salt,
            arms=tuple(sorted((*arms, *shadows), key=lambda arm: arm.version_key)),
            cause=CAUSE,
            reason=check_text(change.reason, "reason") or f"experiment {experiment.test_id}",
            actor=self._context.actor_of(change),
            created_at=from_micros(at),
            dry_run=change.dry_run,
        )

    def _put(self, tx: Transaction, experiment: Experiment, now: Revision, after: Revision) -> None:
        self._traffic.commit(tx, now, after)
        tx.experiments.add_phase(experiment, after.number)

    def _restore(self, tx: Transaction, experiment: Experiment, change: Change, at: int) -> int:
        """Put the traffic as it was before the start; returns the number of the new revision."""
        model, now = (
            self._context.model(tx, experiment.model),
            self._traffic_now(tx, experiment, change),
        )
        before = tx.traffic.find(model, experiment.revision_before or 0)
        after = replace(
            now,
            number=now.number + 1,
            salt=model.salt,
            strategy=before.strategy if before else "random",
            arms=before.arms if before else (),
            cause=CAUSE,
            reason=check_text(change.reason, "reason")
            or f"experiment {experiment.test_id} has ended",
            actor=self._context.actor_of(change),
            created_at=from_micros(at),
        )
        self._traffic.commit(tx, now, after)
        return after.number

    def tell(
        self,
        tx: Transaction,
        action: str,
        experiment: Experiment,
        change: Change,
        at: int,
        *,
        before: object,
        after: object = None,
    ) -> None:
        """Write the event of a change."""
        tx.events.append(
            action=action,
            object=experiment.test_id,
            actor=self._context.actor_of(change),
            at=at,
            model_key=experiment.model_key,
            model=experiment.model,
            reason=check_text(change.reason, "reason"),
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


def held(model: str, holder: str) -> Conflict:
    """The error that an experiment holds a model's traffic."""
    return Conflict(
        f"the experiment {safe(holder)} holds the traffic of {safe(model)}",
        hint=f"run: mlreg abtest conclude {safe(holder)}, or abtest stop {safe(holder)}",
    )


def _phase(revision: Revision, weights: Sequence[int]) -> Phase:
    return Phase(revision=revision.number, started_at=revision.created_at, weights=tuple(weights))
