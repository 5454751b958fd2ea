"""Looks: fold what is new, judge it, and record the look if it opens a slot; and the receipts."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from mlreg.clock import from_micros
from mlreg.entities.experiments import (
    Analysis,
    Experiment,
    Exposure,
    ReceiptCheck,
    RecordedLook,
    Verification,
    Watermark,
)
from mlreg.entities.traffic import Change
from mlreg.errors import Conflict, Inconclusive, InvalidInput
from mlreg.jsonable import canonical
from mlreg.names import check_text, safe
from mlreg.services.experiments.design import fingerprint
from mlreg.services.experiments.lifecycle import Lifecycle, running
from mlreg.services.experiments.observing import Observed, all_metrics, load_observed, observe
from mlreg.store.experiment_units import VALUE
from mlreg.store.experiments import ReceiptRow

if TYPE_CHECKING:
    from mlreg.entities.experiments import Design
    from mlreg.services.experiments.judging import Judged, PastLook
    from mlreg.store.store import Transaction

# Raised whenever the same sums may give another verdict, so that old receipts say which rules
# they were made by.
ENGINE = "1"

_FOLD = 250_000
_SUMMARIES = 50_000
_NO_CHANGE = Change()
_FOREVER = 2**62


class Looking(Lifecycle):
    """Analyses, concludes and verifies experiments."""

    def analyze(self, test_id: str) -> Analysis:
        """Look at an experiment; the look counts when it opens a new slot.

        Others only show. Two processes that look at one moment record one look.

        Raises:
            Conflict: It has not been started.
        """
        self._catch_up(test_id)
        with self._context.store.write() as tx:
            return self._look(tx, _started(tx, test_id))[0]

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
            Inconclusive: The verdict is not final, or there is no winner to promote.
        """
        if force and not check_text(change.reason, "reason").strip():
            raise InvalidInput("to force a conclusion, say why", hint="give --reason TEXT")
        self._catch_up(test_id)
        with self._context.store.write() as tx:
            experiment = running(tx, test_id)
            analysis, judged, observed, past = self._look(tx, experiment, dry=change.dry_run)
            if analysis.verdict in ("continue", "invalid") and not force:
                raise Inconclusive(
                    f"{safe(test_id)} cannot be concluded yet: {analysis.recommendation}",
                    hint="go on, run abtest stop, or --force with a --reason",
                )
            winner = analysis.winner
            if force and winner is None and any(sign > 0 for sign in _signs(judged, past)):
                winner = analysis.primary.version
            if promote_winner and winner is None:
                raise Inconclusive(
                    f"{safe(test_id)} has no winner to promote: {analysis.recommendation}"
                )
            ended = replace(analysis, status="concluded", winner=winner, dry_run=change.dry_run)
            if change.dry_run:
                return ended
            at = self._context.clock()
            tx.experiments.end(
                experiment, "concluded", at=at, verdict=analysis.verdict, winner=winner
            )
            revision = self._finish(tx, experiment, winner if promote_winner else None, change, at)
            receipt = _receipt("conclusion", 0, experiment, observed, past, judged)
            receipt |= {"forced": force, "winner": winner, "reason": change.reason}
            self._store(tx, experiment, "conclusion", 0, receipt, at)
            after = {"test_id": test_id, "status": "concluded", "verdict": analysis.verdict,
                     "winner": winner, "forced": force}  # fmt: skip
            self.tell(tx, "abtest conclude", experiment, change, at, before=experiment, after=after)
            return replace(ended, revision=revision)

    def verify(self, test_id: str) -> Verification:
        """Compute every stored verdict again, from its receipt and from the log."""
        with self._context.store.read() as tx:
            experiment = _started(tx, test_id)
            checks = [_check_design(experiment)]
            rows = tx.experiments.receipts(experiment.key)
            names = _value_names(experiment.design)
            with tx.experiments.units.aside(experiment.key, by_user=_by_user(experiment),
                                            names=names) as fold_to:  # fmt: skip
                checks += [_check_receipt(tx, experiment, row, fold_to) for row in rows]
        return Verification(test_id=test_id, checks=tuple(checks))

    def _catch_up(self, test_id: str) -> None:
        """Fold what is new in writes of bounded length, so that nobody waits for long."""
        with self._context.store.read() as tx:
            experiment = _started(tx, test_id)
            is_behind = tx.experiments.units.marks(experiment.key) != tx.experiments.units.ends()
        has_quantile = _has_quantile(experiment.design)
        while is_behind:
            with self._context.store.write(durable=False) as tx:
                is_behind = self._fold(tx, experiment)
        while has_quantile:
            with self._context.store.write(durable=False) as tx:
                has_quantile = tx.summaries.fold(limit=_SUMMARIES)

    def _fold(self, tx: Transaction, experiment: Experiment) -> bool:
        return tx.experiments.units.fold(
            experiment.key,
            by_user=_by_user(experiment),
            names=_value_names(experiment.design),
            limit=_FOLD,
        )

    def _look(
        self, tx: Transaction, experiment: Experiment, *, dry: bool = False
    ) -> tuple[Analysis, Judged, Observed, list[PastLook]]:
        """Judge the present, inside one write: what is folded is what the receipt says."""
        from mlreg.services.experiments.judging import judge_experiment

        at = self._context.clock()
        while self._fold(tx, experiment):
            pass
        if _has_quantile(experiment.design):
            while tx.summaries.fold(limit=_SUMMARIES):
                pass
        rows = tx.experiments.receipts(experiment.key)
        past = _past(rows)
        marks = tx.experiments.units.marks(experiment.key)
        observed = observe(tx, experiment, at=at, marks=marks)
        judged = judge_experiment(experiment.design, observed, past)
        slot = None
        is_open = experiment.state == "running" and not dry
        if judged.look is not None and is_open:
            slot = judged.look.slot
            receipt = _receipt("look", slot, experiment, observed, past, judged)
            self._store(tx, experiment, "look", slot, receipt, at)
            rows = tx.experiments.receipts(experiment.key)
        return _analysis(experiment, observed, judged, rows, slot), judged, observed, past

    def _store(
        self,
        tx: Transaction,
        experiment: Experiment,
        kind: str,
        slot: int,
        receipt: dict[str, Any],
        at: int,
    ) -> None:
        text = canonical(receipt)
        digest = hashlib.sha256(text.encode()).hexdigest()
        row = ReceiptRow(kind, slot, at, digest, text)
        if tx.experiments.add_receipt(experiment.key, row):
            after = {"slot": slot, "digest": digest, "verdict": receipt["result"]["verdict"]}
            self.tell(tx, f"abtest {kind}", experiment, _NO_CHANGE, at, before=None, after=after)

    def _finish(
        self, tx: Transaction, experiment: Experiment, winner: str | None, change: Change, at: int
    ) -> int:
        """Put the traffic as it was, or give the winner all of it."""
        if winner is None:
            return self._restore(tx, experiment, change, at)
        ref = f"{experiment.model}@{winner}"
        return self._traffic.promote_in(tx, ref, change=change).number


def _started(tx: Transaction, test_id: str) -> Experiment:
    experiment = tx.experiments.get(test_id)
    if experiment.state == "draft":
        raise Conflict(
            f"the experiment {safe(test_id)} has not been started",
            hint=f"run: mlreg abtest start {safe(test_id)}",
        )
    return experiment


def _by_user(experiment: Experiment) -> bool:
    return experiment.design.unit == "user"


def _has_quantile(design: Design) -> bool:
    return any(metric.kind == "quantile" for metric in all_metrics(design))


def _value_names(design: Design) -> list[str]:
    names = {m.name.removeprefix(VALUE) for m in all_metrics(design) if m.name.startswith(VALUE)}
    return sorted(names)


def _signs(judged: Judged, past: list[PastLook]) -> tuple[int, ...]:
    latest = judged.look or (past[-1] if past else None)
    return latest.crossed if latest else ()


def _load(stored: dict[str, Any]) -> PastLook:
    from mlreg.services.experiments.judging import PastLook

    values: dict[str, Any] = stored | {"p": tuple(stored["p"]), "crossed": tuple(stored["crossed"])}
    return PastLook(**values)


def _past(rows: list[ReceiptRow]) -> list[PastLook]:
    looks = [json.loads(row.receipt)["result"]["look"] for row in rows if row.kind == "look"]
    return [_load(look) for look in looks]


def _receipt(
    kind: str,
    slot: int,
    experiment: Experiment,
    observed: Observed,
    past: list[PastLook],
    judged: Judged,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "slot": slot,
        "test_id": experiment.test_id,
        "fingerprint": experiment.fingerprint,
        "engine": ENGINE,
        "observed": asdict(observed),
        "past": [look._asdict() for look in past],
        "result": _decision(judged),
    }


def _decision(judged: Judged) -> dict[str, Any]:
    lead = judged.primaries[judged.leading]
    return {
        "verdict": judged.verdict,
        "winner": judged.winner,
        "sentence": judged.sentence,
        "look": judged.look._asdict() if judged.look else None,
        "z": lead.statistic,
        "boundary": lead.boundary,
        "alpha_spent": lead.alpha_spent,
        "p_value": lead.p_value,
        "difference": lead.difference,
        "failed_gates": [gate.gate for gate in judged.gates if not gate.passed],
    }


def _check_design(experiment: Experiment) -> ReceiptCheck:
    agrees = fingerprint(experiment.design) == experiment.fingerprint
    detail = "the design has its fingerprint" if agrees else "the design has been changed"
    return ReceiptCheck(kind="design", slot=None, agrees=agrees, detail=detail)


def _check_receipt(
    tx: Transaction, experiment: Experiment, row: ReceiptRow, fold_to: Any
) -> ReceiptCheck:
    problem = _problem(tx, experiment, row, fold_to)
    verdict = ""
    with suppress(ValueError, KeyError, TypeError):
        verdict = json.loads(row.receipt)["result"]["verdict"]
    return ReceiptCheck(
        kind="look" if row.kind == "look" else "conclusion",
        slot=row.slot or None,
        agrees=problem is None,
        detail=problem or f"{verdict}, from the receipt and from the log",
    )


def _problem(tx: Transaction, experiment: Experiment, row: ReceiptRow, fold_to: Any) -> str | None:
    """What does not agree; None if everything does."""
    from mlreg.services.experiments.judging import judge_experiment

    if hashlib.sha256(row.receipt.encode()).hexdigest() != row.digest:
        return "the receipt does not have its digest: it has been changed"
    stored = json.loads(row.receipt)
    if stored["fingerprint"] != experiment.fingerprint:
        return "the receipt is about another design"
    observed = load_observed(stored["observed"])
    past = [_load(look) for look in stored["past"]]
    again = _decision(judge_experiment(experiment.design, observed, past))
    if canonical(again) != canonical(stored["result"]):
        return f"the receipt's numbers give {again['verdict']}, it says otherwise"
    marks = observed.predictions, observed.feedback
    fold_to(marks)
    tallies = None
    if _has_quantile(experiment.design):
        tallies = tx.summaries.edge(first_id=1, last_id=marks[0], since=-_FOREVER, until=_FOREVER)
    shown = replace(experiment, phases=experiment.phases[: len(observed.phases)])
    logged = observe(tx, shown, at=observed.at, marks=marks, tallies=tallies)
    return (
        None
        if _alike(asdict(logged), asdict(observed))
        else ("the log gives other sums than the receipt has")
    )


def _alike(one: Any, other: Any) -> bool:
    """Equal, but for the rounding of sums that were added in another order."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return bool(abs(one - other) <= 1e-9 * max(1.0, abs(one), abs(other)))
    return bool(one == other)


def _analysis(
    experiment: Experiment,
    observed: Observed,
    judged: Judged,
    rows: list[ReceiptRow],
    slot: int | None,
) -> Analysis:
    design, lead = experiment.design, judged.primaries[judged.leading]
    users, alone, double, torn = observed.exposure
    return Analysis(
        test_id=experiment.test_id,
        model=experiment.model,
        status=experiment.state,
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
        looks=tuple(_recorded(row) for row in rows if row.kind == "look"),
        phases=judged.phases,
        exposure=Exposure(units=users + alone, unkeyed=alone, double_exposed=double, excluded=torn),
        is_decision_point=judged.look is not None,
        is_final=bool(judged.look and judged.look.is_final),
        recorded_slot=slot,
        units_still_needed=judged.units_needed,
        days_still_needed=judged.days_needed,
        recommendation=judged.sentence,
        assumptions=_assumptions(design, observed),
        warnings=judged.warnings,
        fingerprint=experiment.fingerprint or "",
        computed_at=from_micros(observed.at),
        watermark=Watermark(predictions=observed.predictions, feedback=observed.feedback),
        engine_version=ENGINE,
        revision=experiment.revision,
    )


def _recorded(row: ReceiptRow) -> RecordedLook:
    stored = json.loads(row.receipt)["result"]
    look = stored["look"] or {}
    return RecordedLook(
        slot=row.slot,
        computed_at=from_micros(row.at),
        information=look.get("information"),
        z=stored["z"],
        boundary=stored["boundary"],
        alpha_spent=stored["alpha_spent"],
        p_value=stored["p_value"],
        is_crossed=any(look.get("crossed", ())),
        is_final=bool(look.get("is_final")),
        verdict=stored["verdict"],
        digest=row.digest,
    )


def _assumptions(design: Design, observed: Observed) -> tuple[str, ...]:
    found = []
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
