"""All at a glance, out of one snapshot and of what is summed already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlreg.clock import DAY, HOUR, from_micros
from mlreg.entities.predictions import LIVE
from mlreg.entities.status import ModelStatus, RunningTest, ServingVersion, Status
from mlreg.services.moving import View
from mlreg.services.rollbacks import rollback_of
from mlreg.services.tick import movers, upcoming
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.experiments import Experiment
    from mlreg.entities.traffic import Revision
    from mlreg.services.context import Context
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction


def status(context: Context, name: str | None) -> Status:
    """How one model stands, or all do.

    Args:
        context: The registry.
        name: The model; None: all.

    Raises:
        NotFound: There is no such model.
    """
    now = context.clock()
    with context.folded() as tx:
        names = tx.models.names() if name is None else [tx.models.get(name).name]
        models = tuple(_model(tx, tx.models.get(each), now) for each in names)
        view = View(context, tx, now, None if name is None else tx.models.get(name))
        ticked = tx.decisions.last_tick().at
        return Status(
            time=from_micros(now),
            last_tick=None if ticked is None else from_micros(ticked),
            models=models,
            upcoming=upcoming(view, list(movers(view.tx))),
        )


def _model(tx: Transaction, model: ModelRow, now: int) -> ModelStatus:
    revision = tx.traffic.current(model)
    made = tx.traffic.rollbacks(model, limit=1)
    running = tx.experiments.newest(model_key=model.key, state="running")
    return ModelStatus(
        model=model.name,
        revision=revision.number,
        since=revision.created_at if revision.number else None,
        strategy=revision.strategy,
        policy=tx.decisions.policy_number(model.key),
        serving=tuple(_serving(tx, model, revision, now)),
        alerts=tuple(tx.alerts.open(model.key, now=now)),
        tests=tuple(map(_test, running)),
        rollouts=tuple(tx.rollouts.open(model.key)),
        last_rollback=rollback_of(tx, model, *made[0]) if made else None,
    )


def _serving(
    tx: Transaction, model: ModelRow, revision: Revision, now: int
) -> Iterator[ServingVersion]:
    since = tx.traffic.serving_since(model.key)
    for arm in revision.arms:
        is_live, began = arm.role == "live", since.get(arm.version_key)
        tally = _last_day(tx, arm.version_key, now) if is_live else Tally()
        yield ServingVersion(
            version=arm.version,
            model_id=arm.model_id,
            role=arm.role,
            traffic_percent=100 if revision.live == (arm,) else arm.traffic_percent,
            since=None if began is None or not is_live else from_micros(began),
            requests=tally.requests,
            error_rate=tally.errors / tally.requests if tally.requests else None,
            p95_latency_ms=tally.latency_quantile_ms(0.95),
            accuracy=tally.correct / tally.judged if tally.judged else None,
            labelled=tally.labelled,
        )


def _last_day(tx: Transaction, version: int, now: int) -> Tally:
    """What a version did in live traffic, in whole hours: no row of the log is read."""
    found = Tally()
    for cell, tally in tx.summaries.whole_hours(
        version, (now - DAY) // HOUR, now // HOUR + 1
    ).items():
        if cell.role == LIVE:
            found.merge(tally)
    return found


def _test(experiment: Experiment) -> RunningTest:
    control, *treatments = (variant.version for variant in experiment.design.variants)
    return RunningTest(
        test_id=experiment.test_id,
        control=control,
        treatments=tuple(treatments),
        started_at=experiment.started_at,
    )
