"""Looks: fold what is new, judge it, and record the look if it opens a slot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mlreg.entities.analyses import Analysis, RecordedLook, Standing, Verification
from mlreg.entities.experiments import Experiment
from mlreg.entities.traffic import WHOLE, Change
from mlreg.errors import CheckFailed, Conflict, Inconclusive, InvalidInput
from mlreg.names import check_text, safe
from mlreg.services.context import UNWRITABLE, Act, Context
from mlreg.services.experiments.analyses import analysis
from mlreg.services.experiments.lifecycle import end, model_of, restore, running, tell
from mlreg.services.experiments.maturity import fix, ripe, settle, window_now
from mlreg.services.experiments.receipts import add_receipt, stored_looks
from mlreg.services.revisions import in_force, put
from mlreg.services.splits import arm_of
from mlreg.store.rows import damaged
from mlreg.store.unit_columns import Wanted, wanted
from mlreg.tallies import Marks

if TYPE_CHECKING:
    from mlreg.evidence.judge import Judged
    from mlreg.store.store import Transaction

# One statement groups so many rows: a user's many are then one row to write.
_FOLD = 1_000_000
_SUMMARIES = 50_000


class _Look(NamedTuple):
    """A look with those that are recorded, itself among them if it is."""

    experiment: Experiment
    judged: Judged
    looks: tuple[RecordedLook, ...]
    slot: int | None = None


def analyze(context: Context, test_id: str) -> Analysis:
    """Look at an experiment; where nothing can be written, the look only shows."""
    try:
        return _analyze(context, test_id)
    except UNWRITABLE:
        return _look_aside(context, test_id)


def _analyze(context: Context, test_id: str) -> Analysis:
    _catch_up(context, test_id)
    with context.store.read() as tx:
        experiment = _started(tx, test_id)
        # A first look mostly counts; later ones seldom do, and then nobody has to wait.
        if experiment.state != "running" or tx.experiments.receipts(experiment.key):
            look = _judge(tx, experiment, context.clock())
            if experiment.state != "running" or look.judged.decision.look is None:
                return analysis(*look)
    with context.acting(Change()) as act:
        return analysis(*_look(act, _started(act.tx, test_id)))


def status(tx: Transaction, test_id: str | None) -> tuple[Standing, ...]:
    """What an experiment, or each one that runs, has gathered so far."""
    if test_id is None:
        found = tx.experiments.newest(state="running")
    else:
        found = [tx.experiments.get(test_id)]
    standings = []
    for experiment in found:
        requests = tx.experiments.units.requests(experiment.key)
        counts = tuple(requests.get(arm, 0) for arm in tx.experiments.arm_keys(experiment.key))
        _, looks = stored_looks(tx.experiments.receipts(experiment.key))
        standings.append(Standing.of(experiment, counts, looks))
    return tuple(standings)


def conclude(
    context: Context, test_id: str, *, promote_winner: bool, force: bool, change: Change
) -> Analysis:
    """End an experiment with its verdict."""
    if force and not check_text(change.reason, "reason").strip():
        raise InvalidInput("to force a conclusion, say why", hint="give --reason TEXT")
    _catch_up(context, test_id)
    # A dry run writes what it folds, too: that changes nothing that anybody can see.
    with context.acting(replace(change, dry_run=False)) as act:
        dry = change.dry_run
        return concluded(act, test_id, promote_winner=promote_winner, force=force, dry_run=dry)


def concluded(
    act: Act,
    test_id: str,
    *,
    promote_winner: bool = False,
    force: bool = False,
    dry_run: bool = False,
) -> Analysis:
    """The experiment with its verdict, ended inside a change that is under way."""
    experiment = running(act.tx, test_id)
    in_force(act, model_of(act, experiment))
    look = _look(act, experiment, dry=dry_run)
    found = analysis(*look)
    winner = _winner(found, look.judged, force=force, is_promoted=promote_winner)
    ended = replace(found, status="concluded", winner=winner, dry_run=dry_run)
    if dry_run:
        return ended
    return _end(act, experiment, look.judged, ended, forced=force, is_promoted=promote_winner)


def folded(tx: Transaction, experiment: Experiment, at: int) -> Analysis:
    """What the evidence says as far as it is folded; nothing is recorded."""
    return analysis(*_judge(tx, experiment, at))


def verify(tx: Transaction, test_id: str) -> Verification:
    """Compute every stored verdict again, from its receipt and from the log."""
    from mlreg.services.experiments.verification import (
        check_design,
        check_receipt,
        check_trail,
    )

    experiment = _started(tx, test_id)
    checks = [check_design(tx.experiments.design_text(experiment.key), experiment)]
    rows = tx.experiments.receipts(experiment.key)
    events = tx.events.list(model_key=experiment.model_key)
    checks.append(check_trail(experiment, rows, events))
    what = wanted(experiment.design)
    with tx.experiments.folds.aside(experiment.key, what) as fold_to:
        checks += [check_receipt(tx, experiment, row, fold_to) for row in rows]
    return Verification(test_id=test_id, checks=tuple(checks))


def _catch_up(context: Context, test_id: str) -> None:
    """Fold what is new before the look, in writes of bounded length."""
    with context.store.read() as tx:
        experiment = _started(tx, test_id)
        what, marks = wanted(experiment.design), tx.experiments.folds.marks(experiment.key)
        is_behind = marks[:2] != tx.experiments.folds.ends() or bool(what.fed_back)
    at = context.clock()
    while is_behind:
        with context.store.write(durable=False) as tx:
            is_behind = _fold(tx, experiment, what, at)
    if what.quantiles:
        context.fold_summaries()


def _look(act: Act, experiment: Experiment, *, dry: bool = False) -> _Look:
    """Judge the present inside one write, where what is folded is what the receipt says."""
    tx, what = act.tx, wanted(experiment.design)
    while _fold(tx, experiment, what, act.at):
        pass
    while what.quantiles and tx.summaries.fold(limit=_SUMMARIES):
        pass
    look = _judge(tx, experiment, act.at)
    counted = look.judged.decision.look
    if counted is None or experiment.state != "running" or dry:
        return look
    recorded = add_receipt(act, experiment, look.judged, "look")
    fix(tx, experiment.key, look.judged.observed)
    return look._replace(looks=(*look.looks, *recorded), slot=counted.slot)


def _look_aside(context: Context, test_id: str) -> Analysis:
    """Judge the present from counts beside the tables; nothing is recorded."""
    with context.folded() as tx:
        experiment, at, folds = _started(tx, test_id), context.clock(), tx.experiments.folds
        what, ends = wanted(experiment.design), folds.ends()
        window = window_now(tx, experiment.key, what, at)
        marks = Marks(*ends, ripe(tx, window, at) or 0)
        with folds.aside(experiment.key, what) as fold_to:
            fold_to(marks, window)
            return analysis(*_judge(tx, experiment, at, marks, window))


def _judge(
    tx: Transaction,
    experiment: Experiment,
    at: int,
    marks: Marks | None = None,
    window: int | None = None,
) -> _Look:
    """What is folded, or counted up to marks beside it, judged after the looks so far."""
    from mlreg.evidence.judge import judge_experiment
    from mlreg.services.experiments.observe import observe

    folds = tx.experiments.folds
    past, looks = stored_looks(tx.experiments.receipts(experiment.key))
    if marks is None:
        marks = folds.marks(experiment.key)
        window = folds.labels.window(experiment.key, wanted(experiment.design))
    cuts = folds.cuts(experiment.key)
    observed = observe(tx, experiment, at=at, marks=marks, cuts=cuts, window=window)
    return _Look(experiment, judge_experiment(experiment.design, observed, past), looks)


def _end(
    act: Act,
    experiment: Experiment,
    judged: Judged,
    ended: Analysis,
    *,
    forced: bool,
    is_promoted: bool,
) -> Analysis:
    """Write the end of an experiment: its state, the traffic, a receipt and an event."""
    winner = ended.winner
    end(act, experiment, "concluded", verdict=ended.verdict, winner=winner)
    if is_promoted and winner is not None:
        revision = _promote(act, experiment, winner)
    else:
        revision = restore(act, experiment)
    reason = act.change.reason
    add_receipt(act, experiment, judged, "conclusion", forced=forced, winner=winner, reason=reason)
    after = {"test_id": experiment.test_id, "status": "concluded", "verdict": ended.verdict,
             "winner": winner, "forced": forced}  # fmt: skip
    tell(act, "abtest conclude", experiment, before=experiment, after=after)
    return replace(ended, revision=revision)


def _promote(act: Act, experiment: Experiment, winner: str) -> int:
    model = model_of(act, experiment)
    now, arm = in_force(act, model), arm_of(act.tx.versions.select(model, winner), WHOLE)
    return put(act, now, replace(now, salt=model.salt, arms=(arm,)), "promote").number


def _fold(tx: Transaction, experiment: Experiment, what: Wanted, at: int) -> bool:
    """Fold what is new; True if rows are left."""
    key, folds = experiment.key, tx.experiments.folds
    settle(tx, key, what, at)
    due = ripe(tx, folds.labels.window(key, what), at)
    return folds.fold(key, what, limit=_FOLD, ripe=due)


def _winner(found: Analysis, judged: Judged, *, force: bool, is_promoted: bool) -> str | None:
    """The version that won, if the experiment may end now."""
    test_id = safe(found.test_id)
    if found.verdict in ("continue", "invalid") and not force:
        raise (CheckFailed if found.verdict == "invalid" else Inconclusive)(
            f"{test_id} cannot be concluded yet: {found.recommendation}",
            hint="go on, run abtest stop, or --force with a --reason",
        )
    latest = judged.decision.look or (judged.past[-1] if judged.past else None)
    has_crossed = latest is not None and any(sign > 0 for sign in latest.crossed)
    winner = found.winner
    # A gain that shows before the least time to run is none yet; who forces the end may take it.
    shows_gain = found.primary.verdict in ("better_practical", "better_small")
    if winner is None and force and (has_crossed or shows_gain):
        winner = found.primary.version
    if is_promoted and winner is None:
        raise Inconclusive(f"{test_id} has no winner to promote: {found.recommendation}")
    return winner


def _started(tx: Transaction, test_id: str) -> Experiment:
    experiment = tx.experiments.get(test_id)
    if experiment.state == "draft":
        raise Conflict(
            f"the experiment {safe(test_id)} has not been started",
            hint=f"run: mlreg abtest start {safe(test_id)}",
        )
    if not experiment.phases:  # its start was one
        raise damaged("experiment_phases", test_id)
    return experiment
