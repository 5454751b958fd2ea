"""Verifying: every stored verdict is computed again, from its receipt and from the log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from mlreg.clock import from_micros, to_micros
from mlreg.entities.analyses import ReceiptCheck
from mlreg.entities.experiments import Experiment
from mlreg.entities.looks import PastLook
from mlreg.evidence.judge import judge_experiment
from mlreg.evidence.observed import Observed
from mlreg.jsonable import canonical, restore
from mlreg.services.experiments import receipts
from mlreg.services.experiments.observe import observe
from mlreg.services.experiments.receipts import EVENT, reading
from mlreg.store.experiments import ReceiptRow
from mlreg.store.rows import UNREADABLE, restored
from mlreg.tallies import Marks

if TYPE_CHECKING:
    from mlreg.entities.audit import Event
    from mlreg.store.store import Transaction

FoldTo = Callable[[Marks, int | None], None]

_FOREVER = 2**62
_ROUNDING = 1e-9


def check_design(text: str, experiment: Experiment) -> ReceiptCheck:
    """Whether the stored design has the fingerprint of the start."""
    agrees = hashlib.sha256(text.encode()).hexdigest() == experiment.fingerprint
    detail = "the design has its fingerprint" if agrees else "the design has been changed"
    return ReceiptCheck(kind="design", slot=None, agrees=agrees, detail=detail)


def check_trail(
    experiment: Experiment, rows: Sequence[ReceiptRow], events: Sequence[Event]
) -> ReceiptCheck:
    """Whether the receipts are those that the audit trail tells of, and the state is theirs."""
    stored = {(row.kind, row.slot): (row.digest, row.at) for row in rows}
    told = dict(_told(event) for event in events if _tells_of_receipt(event, experiment))
    for kind, slot in sorted(stored.keys() | told.keys()):
        name, key = f"the {kind} {slot or ''}".rstrip(), (kind, slot)
        if key not in stored:
            return _trail(f"{name} of the audit trail has no receipt")
        if stored[key] != told.get(key):
            return _trail(f"{name} is not the one of the audit trail")
    ended = [row for row in rows if row.kind == "conclusion"]
    if [_end(row) for row in ended] != [_state(experiment)] * (experiment.state == "concluded"):
        return _trail(f"the experiment is {experiment.state}, which its receipts do not say")
    return _trail(None)


def _tells_of_receipt(event: Event, experiment: Experiment) -> bool:
    kinds = (f"{EVENT}look", f"{EVENT}conclusion")
    return event.object == experiment.test_id and event.action in kinds


def _told(event: Event) -> tuple[tuple[str, int], tuple[str, int]]:
    """Kind and slot of a receipt, with its digest and time, as an event tells them."""
    with restored("events", event.seq):
        after = dict(event.after or {})
        key = event.action.removeprefix(EVENT), int(after["slot"])
        return key, (str(after["digest"]), to_micros(event.time))


def _trail(problem: str | None) -> ReceiptCheck:
    detail = problem or "the receipts are those of the audit trail"
    return ReceiptCheck(kind="trail", slot=None, agrees=problem is None, detail=detail)


def _end(row: ReceiptRow) -> tuple[object, ...]:
    with reading(row):
        stored = json.loads(row.receipt)
        return stored["result"]["verdict"], stored["winner"], from_micros(row.at)


def _state(experiment: Experiment) -> tuple[object, ...]:
    return experiment.verdict, experiment.winner, experiment.ended_at


def check_receipt(
    tx: Transaction, experiment: Experiment, row: ReceiptRow, fold_to: FoldTo
) -> ReceiptCheck:
    """Whether a stored verdict follows from its receipt, and the receipt from the log."""
    try:
        agrees, detail = _judged_again(tx, experiment, row, fold_to)
    except UNREADABLE:
        agrees, detail = False, "the receipt cannot be read"
    return ReceiptCheck(
        kind="look" if row.kind == "look" else "conclusion",
        slot=row.slot or None,
        agrees=agrees,
        detail=detail,
    )


def _judged_again(
    tx: Transaction, experiment: Experiment, row: ReceiptRow, fold_to: FoldTo
) -> tuple[bool | None, str]:
    """Whether a receipt agrees, None where this mlreg cannot tell, and what was found."""
    if problem := _damage(experiment, row):
        return False, problem
    stored = json.loads(row.receipt)
    verdict, engine = stored["result"]["verdict"], stored["engine"]
    if engine != receipts.ENGINE:
        return None, f"{verdict}, by engine {engine}; this mlreg has engine {receipts.ENGINE}"
    if problem := _contradiction(tx, experiment, stored, fold_to):
        return False, problem
    return True, f"{verdict}, from the receipt and from the log"


def _damage(experiment: Experiment, row: ReceiptRow) -> str | None:
    """What is wrong with a receipt itself; None if nothing is."""
    if hashlib.sha256(row.receipt.encode()).hexdigest() != row.digest:
        return "the receipt does not have its digest: it has been changed"
    if json.loads(row.receipt)["fingerprint"] != experiment.fingerprint:
        return "the receipt is about another design"
    return None


def _contradiction(
    tx: Transaction,
    experiment: Experiment,
    stored: dict[str, Any],
    fold_to: FoldTo,
) -> str | None:
    """What does not follow, from the receipt's numbers or from the log; None if all does."""
    observed = restore(Observed, stored["observed"])
    past = [restore(PastLook, look) for look in stored["past"]]
    again = judge_experiment(experiment.design, observed, past).decision
    if canonical(again) != canonical(stored["result"]):
        return f"the receipt's numbers give {again.verdict}, it says otherwise"
    logged = _from_log(tx, experiment, observed, fold_to)
    if not _alike(asdict(logged), asdict(observed)):
        return "the log gives other sums than the receipt has"
    return None


def _from_log(
    tx: Transaction, experiment: Experiment, observed: Observed, fold_to: FoldTo
) -> Observed:
    """What was to be seen at the moment of a receipt, counted again."""
    marks = Marks(observed.predictions, observed.feedback, observed.ripe)
    fold_to(marks, observed.window)
    tallies = None
    if observed.histograms:
        tallies = tx.summaries.edge(
            first_id=1, last_id=marks.predictions, since=-_FOREVER, until=_FOREVER
        )
    shown = replace(experiment, phases=experiment.phases[: len(observed.phases)])
    return observe(
        tx,
        shown,
        at=observed.at,
        marks=marks,
        cuts=observed.cuts,
        window=observed.window,
        tallies=tallies,
    )


def _alike(one: Any, other: Any) -> bool:
    """Equal, but for the rounding of sums that were added in another order."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return bool(abs(one - other) <= _ROUNDING * max(1.0, abs(one), abs(other)))
    return bool(one == other)
