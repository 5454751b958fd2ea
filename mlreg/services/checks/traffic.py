"""Revisions and their arms: gap-free, whole, and as the audit trail sealed them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mlreg.entities.traffic import WHOLE
from mlreg.jsonable import canonical
from mlreg.names import safe
from mlreg.services.checks.findings import Examination, Mend, Problems, shown
from mlreg.services.checks.told import Column, as_time, compare_row, stored_time
from mlreg.store.raw_rows import (
    ARMS,
    ARMS_WITHOUT_REVISION,
    PHASE_SALT,
    REVISIONS,
    VERSION_KEY,
    Row,
    delete,
    insert,
    one,
    rows,
)

if TYPE_CHECKING:
    from mlreg.services.checks.trail import Sealed, State
    from mlreg.store.engines import Connection
    from mlreg.store.store import Transaction

_COLUMNS = (
    Column("strategy"),
    Column("cause"),
    Column("reason"),
    Column("actor"),
    Column("created_at", read=as_time, write=stored_time),
    Column("previous", told="previous_revision"),
    Column("evidence"),
)


def revisions(exam: Examination, found: Problems) -> str:
    """Each revision with its arms."""
    sealed, seen = exam.sealed, set()
    with exam.context.store.read() as tx:
        for row in rows(tx.connection, REVISIONS):
            key = row["model"], row["number"]
            seen.add(key)
            if key in sealed.revisions:
                _compare(tx.connection, found, row, sealed)
        for row in rows(tx.connection, ARMS_WITHOUT_REVISION):
            found.add(f"{_subject(row['name'], row['revision'])} has arms and does not exist")
        broken = tx.traffic.broken()
    for key in sorted(sealed.revisions.keys() - seen):
        subject = _subject(sealed.models.get(key[0]), key[1])
        mend = _whole(subject, key, sealed, None) if sealed.is_sound else None
        found.add(f"{subject} is missing", mend=mend)
    for name in broken:
        found.add(f"{name} has a gap before it or does not sum to 100 %")
    return f"{len(seen)}, gap-free, each sums to 100 % and is as it was sealed"


def _subject(name: object, number: int) -> str:
    return safe(f"{name} revision {number}")


def _compare(connection: Connection, found: Problems, row: Row, sealed: Sealed) -> None:
    key = row["model"], row["number"]
    told = sealed.revisions[key]
    subject, state = _subject(sealed.models.get(row["model"]), row["number"]), _with_evidence(told)
    where = {"model": row["model"], "number": row["number"]}
    sure = sealed.is_sound
    compare_row(found, subject, "revisions", where, row, state, dict.fromkeys(_COLUMNS, sure))
    if row["experiment"] is None and row["salt"] is not None:
        found.add(f"{subject}: it has a salt of its own and is part of no experiment")
    stored, wanted = _arms(connection, row), _told_arms(told)
    if stored != wanted:
        mend = _whole(subject, key, sealed, stored) if sealed.is_sound else None
        found.add(
            f"{subject}: its arms are {_said(stored)}, the audit trail says {_said(wanted)}",
            mend=mend,
        )


def _with_evidence(told: State) -> State:
    number = told["revision"]
    evidence: State = {"from_revision": number - 1} if told["cause"] == "rollback" else {}
    if "findings" in told:
        evidence = {**evidence, "findings": told["findings"]}
    return {**told, "evidence": canonical(evidence)}


def _arms(connection: Connection, row: Row) -> list[dict[str, Any]]:
    own = {"model": row["model"], "revision": row["number"]}
    return [
        {"model_id": arm["model_id"], "version": arm["version"], "role": arm["role"],
         "traffic_percent": arm["weight"] * 100 / WHOLE}
        for arm in rows(connection, ARMS, **own)
    ]  # fmt: skip


def _told_arms(told: State) -> list[dict[str, Any]]:
    return sorted(told["arms"], key=lambda arm: str(arm["model_id"]))


def _said(arms: Sequence[dict[str, Any]]) -> str:
    said = (
        f"{arm['version']}={arm['traffic_percent']:g}{' shadow' * (arm['role'] == 'shadow')}"
        for arm in arms
    )
    return shown(", ".join(said) or None)


def _whole(
    subject: str, key: tuple[int, int], sealed: Sealed, stored: list[dict[str, Any]] | None
) -> Mend:
    """Writes a revision that is missing, or its arms, as they were sealed."""
    told = sealed.revisions[key]
    what = "is there again" if stored is None else "has its arms again"
    return Mend(
        subject=subject,
        text=f"{subject} {what}: {_said(_told_arms(told))}",
        before=None if stored is None else {"arms": stored},
        after={"arms": told["arms"]},
        apply=partial(_write, key, told, stored is None),
    )


def _write(key: tuple[int, int], told: State, is_missing: bool, tx: Transaction) -> None:
    model, number = key
    own = {"model": model, "revision": number}
    delete(tx.connection, "arms", own)
    for arm in told["arms"]:
        version = one(tx.connection, VERSION_KEY, model_id=arm["model_id"])
        weight = round(arm["traffic_percent"] * WHOLE / 100)
        values = {"version": version, "weight": weight, "role": arm["role"]}
        insert(tx.connection, "arms", own | values)
    if is_missing:
        row = {column.name: column.write(_with_evidence(told)[column.told]) for column in _COLUMNS}
        salt = one(tx.connection, PHASE_SALT, **own)
        values = {"model": model, "number": number, "salt": salt, **row}
        insert(tx.connection, "revisions", values)
