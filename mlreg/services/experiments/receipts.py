"""Receipts: what a verdict was computed from, so that it can be computed again and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlreg.clock import from_micros
from mlreg.entities.analyses import RecordedLook
from mlreg.entities.experiments import Experiment
from mlreg.entities.looks import Decision, PastLook
from mlreg.entities.traffic import Change
from mlreg.jsonable import canonical, restore
from mlreg.services.experiments.lifecycle import tell
from mlreg.store.experiments import ReceiptRow
from mlreg.store.rows import restored

if TYPE_CHECKING:
    from mlreg.evidence.judge import Judged
    from mlreg.services.context import Act

# Raised whenever the same sums may give another verdict, so that old receipts say which rules
# they were made by.
ENGINE = "4"

# The audit trail has an event of this name and the kind for each receipt.
EVENT = "abtest "


def add_receipt(
    act: Act, experiment: Experiment, judged: Judged, kind: str, **more: object
) -> list[RecordedLook]:
    """Store all that a verdict was computed from, and the verdict, under its digest.

    Returns:
        The look for reading; nothing for a conclusion, or if there is a receipt of it already.
    """
    look = judged.decision.look
    slot = look.slot if look is not None and kind == "look" else 0
    content = more | {
        "kind": kind,
        "slot": slot,
        "test_id": experiment.test_id,
        "fingerprint": experiment.fingerprint,
        "engine": ENGINE,
        "observed": judged.observed,
        "past": judged.past,
        "result": judged.decision,
    }
    text = canonical(content)
    row = ReceiptRow(kind, slot, act.at, hashlib.sha256(text.encode()).hexdigest(), text)
    looks = [_recorded(row, judged.decision, look)] if look is not None and slot else []
    if not act.tx.experiments.add_receipt(experiment.key, row):
        return []
    after = {"slot": slot, "digest": row.digest, "verdict": judged.decision.verdict}
    quiet = act._replace(change=Change())
    tell(quiet, f"{EVENT}{kind}", experiment, before=None, after=after)
    return looks


def stored_looks(
    rows: Sequence[ReceiptRow],
) -> tuple[tuple[PastLook, ...], tuple[RecordedLook, ...]]:
    """The looks that counted, the oldest first: as the next one takes them up, and for reading."""
    past, recorded = [], []
    for row in rows:
        if row.kind == "look":
            with reading(row):
                decision = load_decision(json.loads(row.receipt)["result"])
                if decision.look is None:
                    raise ValueError("the receipt of a look says that it did not count")
                past.append(decision.look)
                recorded.append(_recorded(row, decision, decision.look))
    return tuple(past), tuple(recorded)


def reading(row: ReceiptRow) -> restored:
    """A block in which a receipt is read."""
    return restored("experiment_receipts", f"{row.kind} {row.slot or ''}".rstrip())


def load_decision(stored: dict[str, Any]) -> Decision:
    """Read the stored form, also that of an older engine."""
    known = {name: stored[name] for name in Decision._fields if name in stored}
    return restore(Decision, known)


def _recorded(row: ReceiptRow, decision: Decision, look: PastLook) -> RecordedLook:
    return RecordedLook(
        slot=row.slot,
        computed_at=from_micros(row.at),
        information=look.information,
        z=decision.z,
        boundary=decision.boundary,
        alpha_spent=decision.alpha_spent,
        p_value=decision.p_value,
        is_crossed=any(look.crossed),
        is_final=look.is_final,
        verdict=decision.verdict,
        digest=row.digest,
    )
