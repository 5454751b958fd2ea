"""Looks: fold what is new, judge it, and record the look if it opens a slot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.clock import from_micros
from mlreg.entities.analyses import Analysis, Exposure, Standing, Verification, Watermark
from mlreg.entities.experiments import Experiment
from mlreg.entities.traffic import Change
from mlreg.errors import CheckFailed, Conflict, Inconclusive, InvalidInput
from mlreg.names import check_text, safe
from mlreg.services.context import UNWRITABLE
from mlreg.services.experiments.lifecycle import Lifecycle, running
from mlreg.store.experiment_folds import Marks
from mlreg.store.measures import Wanted, wanted
from mlreg.store.rows import damaged

if TYPE_CHECKING:
    from mlreg.entities.experiments import Design
    from mlreg.services.experiments.judging import Judged
    from mlreg.services.experiments.observing import Observed
    from mlreg.services.experiments.verdicts import PastLook
    from mlreg.store.experiments import ReceiptRow
    from mlreg.store.store import Transaction

# One statement groups so many rows: a user's many are then one row to write.
_FOLD = 1_000_000
_SUMMARIES = 50_000
_NO_CHANGE = Change()


class _Look(NamedTuple):
    """A look with what it was computed from."""

    analysis: Analysis
    judged: Judged
    observed: Observed
    past: list[PastLook]


class Looking(Lifecycle):
    """Analyses, concludes and verifies experiments."""

    def analyze(self, test_id: str) -> Analysis:
        """Look at an experiment; the look counts when it opens a new slot.

        Others only show. Two processes that look at one moment record one look. Where nothing can
        be written, each look only shows.

        Raises:
            Conflict: It has not been started.
        """
        try:
            return self._analyze(test_id)
        except UNWRITABLE:
            return self._look_aside(test_id)

    def _analyze(self, test_id: str) -> Analysis:
        self._catch_up(test_id)
        with self._context.store.read() as tx:
            experiment = _started(tx, test_id)
            # A first look mostly counts; later ones seldom do, and then nobody has to wait.
            if experiment.state != "running" or tx.experiments.receipts(experiment.key):
                look = self._judge(tx, experiment, self._context.clock())
                if experiment.state != "running" or look.judged.look is None:
                    return look.analysis
        with self._context.store.write() as tx:
            return self._look(tx, _started(tx, test_id)).analysis

    def status(self, test_id: str | None = None) -> tuple[Standing, ...]:
        """What an experiment, or each one that runs, has gathered so far; nothing is judged.

        Raises:
            NotFound: There is none of this name.
        """
        from mlreg.services.experiments.receipts import recorded_looks

        with self._context.store.read() as tx:
            if test_id is None:
                found = tx.experiments.newest(state="running")
            else:
                found = [tx.experiments.get(test_id)]
            standings = []
            for experiment in found:
                requests = tx.experiments.units.requests(experiment.key)
                rows = tx.experiments.receipts(experiment.key)
                standings.append(
                    Standing.of(
                        experiment,
                        tuple(
                            requests.get(arm, 0) for arm in tx.experiments.arm_keys(experiment.key)
                        ),
                        recorded_looks(rows),
                    )
                )
        return tuple(standings)

    def conclude(
        self,
        test_id: str,
        *,
        promote_winner: bool = False,
        force: bool = False,
        change: Change = _NO_CHANGE,
    ) -> Analysis:
        """End an experiment with its verdict.

        Args:
            test_id: Its name.
            promote_winner: Give the winner all traffic; otherwise it is put as it was before.
            force: End it although the verdict is `continue` or `invalid`, and take the version
                that leads for the winner if it has crossed the boundary; needs a reason.
            change: Why and by whom.

        Raises:
            Conflict: It is not running.
            CheckFailed: A gate says that its numbers cannot be trusted.
            Inconclusive: It is too early for a verdict, or there is no winner to promote.
        """
        if force and not check_text(change.reason, "reason").strip():
            raise InvalidInput("to force a conclusion, say why", hint="give --reason TEXT")
        self._catch_up(test_id)
        with self._context.store.write() as tx:
            experiment = running(tx, test_id)
            self._traffic_now(tx, experiment, change)
            look = self._look(tx, experiment, dry=change.dry_run)
            winner = _winner(experiment, look, force=force, is_promoted=promote_winner)
            ended = replace(
                look.analysis, status="concluded", winner=winner, dry_run=change.dry_run
            )
            if change.dry_run:
                return ended
            return self._end(
                tx, experiment, look, ended, promote_winner=promote_winner, force=force,
                change=change,
            )  # fmt: skip

    def verify(self, test_id: str) -> Verification:
        """Compute every stored verdict again, from its receipt and from the log.

        That the audit trail itself is whole, `audit.verify` tells.
        """
        from mlreg.services.experiments.receipts import check_design, check_receipt, check_trail

        with self._context.store.read() as tx:
            experiment = _started(tx, test_id)
            checks = [check_design(tx.experiments.design_text(experiment.key), experiment)]
            rows = tx.experiments.receipts(experiment.key)
            events = tx.events.list(model_key=experiment.model_key)
            checks.append(check_trail(experiment, rows, events))
            what = wanted(experiment.design)
            with tx.experiments.folds.aside(experiment.key, what) as fold_to:
                checks += [check_receipt(tx, experiment, row, fold_to) for row in rows]
        return Verification(test_id=test_id, checks=tuple(checks))

    def _catch_up(self, test_id: str) -> None:
        """Fold what is new before the look, in writes of bounded length."""
        with self._context.store.read() as tx:
            experiment = _started(tx, test_id)
            what, marks = wanted(experiment.design), tx.experiments.folds.marks(experiment.key)
            is_behind = marks[:2] != tx.experiments.folds.ends() or bool(what.window)
        at = self._context.clock()
        while is_behind:
            with self._context.store.write(durable=False) as tx:
                is_behind = _fold(tx, experiment, what, at)
        if what.quantiles:
            self._context.fold_summaries()

    def _look(self, tx: Transaction, experiment: Experiment, *, dry: bool = False) -> _Look:
        """Judge the present inside one write, where what is folded is what the receipt says."""
        from mlreg.services.experiments.receipts import receipt, recorded_looks

        at, what = self._context.clock(), wanted(experiment.design)
        while _fold(tx, experiment, what, at):
            pass
        while what.quantiles and tx.summaries.fold(limit=_SUMMARIES):
            pass
        look = self._judge(tx, experiment, at)
        counted = look.judged.look
        if counted is None or experiment.state != "running" or dry:
            return look
        content = receipt("look", counted.slot, experiment, look.observed, look.past, look.judged)
        self._store(tx, experiment, content, at)
        rows = tx.experiments.receipts(experiment.key)
        looks = recorded_looks(rows)
        analysis = replace(look.analysis, looks=looks, recorded_slot=counted.slot)
        return look._replace(analysis=analysis)

    def _look_aside(self, test_id: str) -> Analysis:
        """Judge the present from counts beside the tables; nothing is recorded."""
        with self._context.folded() as tx:
            experiment, at, folds = (
                _started(tx, test_id),
                self._context.clock(),
                tx.experiments.folds,
            )
            what, ends = wanted(experiment.design), folds.ends()
            marks = Marks(*ends, _ripe(tx, what, at) or 0)
            with folds.aside(experiment.key, what) as fold_to:
                fold_to(marks)
                return self._judge(tx, experiment, at, marks).analysis

    def _judge(
        self, tx: Transaction, experiment: Experiment, at: int, marks: Marks | None = None
    ) -> _Look:
        """What is folded, or counted up to marks beside it, judged after the looks so far."""
        from mlreg.services.experiments.judging import judge_experiment
        from mlreg.services.experiments.observing import observe
        from mlreg.services.experiments.receipts import past_looks

        rows, folds = tx.experiments.receipts(experiment.key), tx.experiments.folds
        past, marks = past_looks(rows), marks or folds.marks(experiment.key)
        observed = observe(tx, experiment, at=at, marks=marks, cuts=folds.cuts(experiment.key))
        judged = judge_experiment(experiment.design, observed, past)
        last = past[-1] if past and past[-1].is_final else None
        analysis = _analysis(experiment, observed, judged, rows, last)
        return _Look(analysis, judged, observed, past)

    def _end(
        self,
        tx: Transaction,
        experiment: Experiment,
        look: _Look,
        ended: Analysis,
        *,
        promote_winner: bool,
        force: bool,
        change: Change,
    ) -> Analysis:
        """Write the end of an experiment: its state, the traffic, a receipt and an event."""
        from mlreg.services.experiments.receipts import receipt

        at, winner = self._context.clock(), ended.winner
        tx.experiments.end(experiment, "concluded", at=at, verdict=ended.verdict, winner=winner)
        if promote_winner:
            ref = f"{experiment.model}@{winner}"
            revision = self._traffic.promote_in(tx, ref, change=change).number
        else:
            revision = self._restore(tx, experiment, change, at)
        content = receipt("conclusion", 0, experiment, look.observed, look.past, look.judged)
        content |= {"forced": force, "winner": winner, "reason": change.reason}
        self._store(tx, experiment, content, at)
        after = {"test_id": experiment.test_id, "status": "concluded", "verdict": ended.verdict,
                 "winner": winner, "forced": force}  # fmt: skip
        self.tell(tx, "abtest conclude", experiment, change, at, before=experiment, after=after)
        return replace(ended, revision=revision)

    def _store(
        self, tx: Transaction, experiment: Experiment, content: dict[str, Any], at: int
    ) -> None:
        from mlreg.services.experiments.receipts import EVENT, row

        stored = row(content, at)
        if tx.experiments.add_receipt(experiment.key, stored):
            verdict = content["result"]["verdict"]
            after = {"slot": stored.slot, "digest": stored.digest, "verdict": verdict}
            action = f"{EVENT}{stored.kind}"
            self.tell(tx, action, experiment, _NO_CHANGE, at, before=None, after=after)


def _fold(tx: Transaction, experiment: Experiment, what: Wanted, at: int) -> bool:
    """Fold what is new; True if rows are left."""
    ripe = _ripe(tx, what, at)
    return tx.experiments.folds.fold(experiment.key, what, limit=_FOLD, ripe=ripe)


def _ripe(tx: Transaction, what: Wanted, at: int) -> int | None:
    """The newest id whose label is due, where labels have a window."""
    return tx.predictions.first_id(at - what.window) - 1 if what.window else None


def _winner(experiment: Experiment, look: _Look, *, force: bool, is_promoted: bool) -> str | None:
    """The version that won, if the experiment may end now."""
    analysis, test_id = look.analysis, safe(experiment.test_id)
    if analysis.verdict in ("continue", "invalid") and not force:
        raise (CheckFailed if analysis.is_faulty else Inconclusive)(
            f"{test_id} cannot be concluded yet: {analysis.recommendation}",
            hint="go on, run abtest stop, or --force with a --reason",
        )
    latest = look.judged.look or (look.past[-1] if look.past else None)
    has_crossed = latest is not None and any(sign > 0 for sign in latest.crossed)
    winner = analysis.winner
    if winner is None and force and has_crossed:
        winner = analysis.primary.version
    if is_promoted and winner is None:
        raise Inconclusive(f"{test_id} has no winner to promote: {analysis.recommendation}")
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


def _analysis(
    experiment: Experiment,
    observed: Observed,
    judged: Judged,
    rows: list[ReceiptRow],
    last: PastLook | None,
) -> Analysis:
    from mlreg.services.experiments.receipts import ENGINE, recorded_looks

    design, lead = experiment.design, judged.primaries[judged.leading]
    users, alone, double, torn = observed.exposure
    return Analysis(
        test_id=experiment.test_id,
        model=experiment.model,
        status=experiment.state,
        unit=design.unit,
        mode=design.mode,
        verdict=judged.verdict,
        winner=judged.winner,
        statistical_significance=judged.significant,
        practical_significance=judged.practical,
        primary=lead,
        primaries=judged.primaries,
        secondary=judged.secondary,
        guardrails=judged.guardrails,
        gates=judged.gates,
        failed_gates=tuple(g for g in judged.gates if not g.passed and g.effect != "warn"),
        looks=recorded_looks(rows),
        phases=judged.phases,
        exposure=Exposure(units=users + alone, unkeyed=alone, double_exposed=double, excluded=torn),
        is_decision_point=judged.look is not None,
        is_final=bool(judged.look and judged.look.is_final),
        recorded_slot=None,
        units_still_needed=judged.units_needed,
        days_still_needed=judged.days_needed,
        recommendation=judged.sentence,
        assumptions=_assumptions(design, observed, last),
        warnings=judged.warnings,
        fingerprint=experiment.fingerprint or "",
        computed_at=from_micros(observed.at),
        watermark=Watermark(predictions=observed.predictions, feedback=observed.feedback),
        engine_version=ENGINE,
        revision=experiment.revision,
    )


def _assumptions(design: Design, observed: Observed, last: PastLook | None) -> tuple[str, ...]:
    found = []
    if last is not None:
        found.append(f"the test ended with look {last.slot}; what came later changes no verdict")
    if design.unit == "request":
        found.append("each request was split on its own, so requests are the units")
    elif observed.exposure[1]:
        found.append(f"{observed.exposure[1]} requests without a user count as units of their own")
    if observed.exposure[3]:
        found.append(
            f"{observed.exposure[3]} users who saw two arms within a phase are left out of it"
        )
    if len(observed.phases) > 1:
        found.append("arms are compared within each phase, users tie the phases together")
    return tuple(found)
