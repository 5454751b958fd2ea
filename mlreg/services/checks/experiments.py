"""Experiments: designs, ends and receipts as they were sealed, counts as the log gives them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mlreg.errors import StoreDamaged
from mlreg.jsonable import jsonable
from mlreg.names import name_key, safe
from mlreg.services.checks.findings import Examination, Mend, Problems, shown
from mlreg.services.checks.told import (
    Column,
    as_json,
    as_time,
    compare_row,
    stored_json,
    stored_time,
)
from mlreg.store.raw_rows import (
    EXPERIMENT_ARMS,
    EXPERIMENTS,
    HOLDS,
    PHASES,
    RUNNING,
    Row,
    delete,
    insert,
    rows,
    update,
)
from mlreg.store.unit_columns import wanted
from mlreg.tallies import Marks

if TYPE_CHECKING:
    from mlreg.entities.experiments import Experiment
    from mlreg.services.checks.trail import Sealed, State
    from mlreg.store.store import Transaction

_RANKS = {"draft": 0, "running": 1, "concluded": 2, "stopped": 2}

_DESIGN = (
    Column("design", read=as_json, write=stored_json),
    Column("created_at", read=as_time, write=stored_time),
    Column("created_by"),
)
_START = (
    Column("fingerprint"),
    Column("started_at", read=as_time, write=stored_time),
    Column("revision_before"),
)
_END = (
    Column("state", told="status"),
    Column("ended_at", read=as_time, write=stored_time),
    Column("verdict"),
    Column("winner"),
)


def experiments(exam: Examination, found: Problems) -> str:
    """Each experiment as the audit trail sealed it."""
    sealed = exam.sealed
    with exam.context.store.read() as tx:
        all_rows = list(rows(tx.connection, EXPERIMENTS))
        for row in all_rows:
            subject = f"experiment {shown(row['test_id'])}"
            told = sealed.experiments.get(row["test_id"])
            if told is not None:
                _compare(found, subject, row, told, sealed)
                _compare_parts(tx, found, subject, row, told)
            if row["id_key"] != name_key(row["test_id"]):
                found.add(f"{subject}: its name folds to another than {shown(row['id_key'])}")
    for test_id in sealed.experiments.keys() - {row["test_id"] for row in all_rows}:
        found.add(f"experiment {safe(test_id)} is missing")
    with exam.context.store.read() as tx:
        _compare_holds(tx, found)
    return f"{len(all_rows)} as they were sealed"


def _compare_holds(tx: Transaction, found: Problems) -> None:
    """A running experiment holds its model's traffic, and nobody else does."""
    held = {row["model"]: row for row in rows(tx.connection, HOLDS)}
    for model, after in _wanted_holds(tx, held).items():
        subject, before = f"the traffic of model {model}", held.get(model)
        mend = Mend(
            subject=subject,
            text=f"{subject} is held by who runs on it",
            before=before,
            after=after,
            apply=_hold_anew,
        )
        found.add(
            f"{subject} is held by {_holder(before)}, and should be by {_holder(after)}", mend=mend
        )


def _wanted_holds(tx: Transaction, held: dict[int, Row]) -> dict[int, Row | None]:
    """Who should hold the traffic of each model where somebody else does, or nobody."""
    running = {row["model"]: row for row in rows(tx.connection, RUNNING)}
    models = sorted(held.keys() | running.keys())
    return {m: running.get(m) for m in models if held.get(m) != running.get(m)}


def _holder(row: Row | None) -> str:
    return "nobody" if row is None else f"{row['kind']} {shown(row['id'])}"


def _hold_anew(tx: Transaction) -> None:
    """By the states as they are by now: the repair may have changed them before."""
    held = {row["model"]: row for row in rows(tx.connection, HOLDS)}
    for model, row in _wanted_holds(tx, held).items():
        delete(tx.connection, "holds", {"model": model})
        if row is not None:
            insert(tx.connection, "holds", row)


def _compare(found: Problems, subject: str, row: Row, told: State, sealed: Sealed) -> None:
    where = {"key": row["key"]}
    # One that has ended stays as it is; one that runs may have been ended by an event that is gone.
    status = told["status"]
    is_behind = _RANKS.get(row["state"], 0) <= _RANKS[status]
    sure = sealed.is_sound
    state: dict[str, Any] = {"verdict": None, "winner": None, **told}
    phases = told.get("phases") or ()
    if phases:
        state["revision_before"] = phases[0]["revision"] - 1
    columns = {
        **dict.fromkeys(_DESIGN, sure),
        **dict.fromkeys(_START, sure and is_behind and status != "draft"),
        **dict.fromkeys(_END, sure and is_behind),
    }
    _together(found, subject, where, row, state, columns)


def _together(
    found: Problems,
    subject: str,
    where: dict[str, object],
    row: Row,
    state: State,
    columns: dict[Column, bool],
) -> None:
    """Compare, and mend all columns at once: rules of the table tie them together."""
    own = Problems()
    compare_row(own, subject, "experiments", where, row, state, columns)
    values = {
        column.name: column.write(state[column.told])
        for column, is_sure in columns.items()
        if is_sure and column.difference(row, state)
    }
    mend = None
    if values:
        names = ", ".join(values)
        mend = Mend(
            subject=subject,
            text=f"{subject}: {names} as the audit trail says",
            before={name: jsonable(row[name]) for name in values},
            after=values,
            apply=lambda tx: update(tx.connection, "experiments", where, values),
        )
    for detail in own.details():
        found.add(detail, mend=mend)
        mend = None


def _compare_parts(tx: Transaction, found: Problems, subject: str, row: Row, told: State) -> None:
    """The phases that belong to it, and the versions that take part."""
    own = {"experiment": row["key"]}
    stored = [phase["revision"] for phase in rows(tx.connection, PHASES, **own)]
    phases = [phase["revision"] for phase in told.get("phases") or ()]
    if stored != phases:
        found.add(
            f"{subject}: its phases are revisions {shown(stored)}, "
            f"the audit trail says {shown(phases)}"
        )
    arms = [arm["model_id"] for arm in rows(tx.connection, EXPERIMENT_ARMS, **own)]
    variants = [variant["model_id"] for variant in told["design"]["variants"]]
    if arms != variants:
        found.add(f"{subject}: other versions take part than the audit trail says")


def receipts(exam: Examination, found: Problems) -> str:
    """Every verdict computed again, and what each unit did counted again from the log."""
    with exam.context.store.read() as tx:
        known = [row for row in rows(tx.connection, EXPERIMENTS) if row["fingerprint"]]
    count = 0
    for row in known:
        subject = f"experiment {shown(row['test_id'])}"
        try:
            with exam.context.store.read() as tx:
                experiment = tx.experiments.get(row["test_id"])
                count += _verify(tx, exam, found, subject, experiment)
                _count_again(tx, exam, found, subject, experiment)
        except StoreDamaged as error:
            found.add(f"{subject}: {error.message}")
    return f"{count} verdicts follow from the log"


def _verify(
    tx: Transaction, exam: Examination, found: Problems, subject: str, experiment: Experiment
) -> int:
    """What `abtest verify` does, and the counts themselves; returns the number of receipts."""
    from mlreg.services.experiments.verification import (
        check_design,
        check_receipt,
        check_trail,
    )

    checks = [check_design(tx.experiments.design_text(experiment.key), experiment)]
    stored = tx.experiments.receipts(experiment.key)
    checks.append(check_trail(experiment, stored, exam.sealed.receipts))
    if stored:
        with tx.experiments.folds.aside(experiment.key, wanted(experiment.design)) as fold_to:
            checks += [check_receipt(tx, experiment, row, fold_to) for row in stored]
    for check in checks:
        if check.agrees is False:
            found.add(f"{subject}, {check.kind} {check.slot or ''}".rstrip() + f": {check.detail}")
    return len(stored)


def _count_again(
    tx: Transaction, exam: Examination, found: Problems, subject: str, experiment: Experiment
) -> None:
    """What each unit did, beside the log: a count of its own, as marks may lie before a receipt."""
    folds = tx.experiments.folds
    marks, (predictions, feedback) = folds.marks(experiment.key), folds.ends()
    ends = (predictions, feedback, predictions)
    upto = Marks(*(max(0, min(pair)) for pair in zip(marks, ends, strict=True)))
    what = wanted(experiment.design)
    with folds.aside(experiment.key, what) as fold_to:
        fold_to(upto, folds.labels.window(experiment.key, what))
        differing = folds.differing(experiment.key)
    if differing or upto != marks:
        said = f"{differing:,} of its counts are" if differing else "how far it counts is"
        found.add(
            f"{subject}: {said} not what the log gives",
            mend=_counted(subject, experiment, upto) if exam.is_log_sound else None,
        )


def _counted(subject: str, experiment: Experiment, upto: Marks) -> Mend:
    return Mend(
        subject=subject,
        text=f"{subject}: what its units did is counted again from the log",
        before=None,
        after=upto._asdict(),
        apply=partial(_count, experiment, upto),
    )


def _count(experiment: Experiment, upto: Marks, tx: Transaction) -> None:
    folds = tx.experiments.folds
    what = wanted(experiment.design)
    with folds.aside(experiment.key, what) as fold_to:
        fold_to(upto, folds.labels.window(experiment.key, what))
        folds.take_over(experiment.key, upto)
