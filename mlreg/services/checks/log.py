"""The log, the feedback and their summaries: this is what a verdict rests on."""

from __future__ import annotations

from collections.abc import Iterator

from mlreg.entities.predictions import ROLES
from mlreg.names import safe
from mlreg.services.checks.findings import SHOWN, Examination, Mend, Problems, shown
from mlreg.store.log_checks import examine, lost_requests
from mlreg.store.raw_rows import VERSIONS, rows
from mlreg.store.refolding import Difference, Refold, refold, refolding
from mlreg.store.summaries import SOURCES

_GRAINS = ("all time", "day", "hour")
_NUMBERS = frozenset({"requests", "errors", "labelled", "judged", "correct"})


def log(exam: Examination, found: Problems) -> str:
    """Rows of the log and of the feedback that cannot be, and those that are gone."""
    store, counts = exam.context.store, []
    for table in ("predictions", "feedback"):
        count = 0
        for number, odd in examine(store, table):
            exam.advance(number)
            count += number
            for row in odd:
                name = f"{table} row {row.row}"
                found.add(f"{name} {row.problem}", is_possible=row.is_possible)
                # A clock may go back; but what contradicts itself is nothing to derive from.
                exam.is_log_sound &= row.is_possible and row.table == "predictions"
        counts.append(count)
    for request in lost_requests(store, SHOWN):
        found.add(f"request {shown(request)} leads to no prediction of its model")
    return f"{counts[0]:,} predictions and {counts[1]:,} rows of feedback that can be"


def summaries(exam: Examination, found: Problems) -> str:
    """The summaries folded again from the first row on, beside the stored ones."""
    # It stays open until the end of the examination: a repair puts it in place.
    anew = exam.keep(refolding(exam.schema))
    fold_anew(exam, anew)
    problems = [*_marks(anew), *(_said(exam, d) for d in anew.differences(SHOWN + 1))]
    mend = Mend(
        subject="summaries",
        text="the summaries and their watermarks are folded again from the log",
        before={"watermarks": anew.marks},
        after={"watermarks": {source: getattr(anew.upto, source) for source in SOURCES}},
        apply=lambda tx: anew.put(tx.connection),
    )
    for problem in problems:
        found.add(problem, mend=mend if exam.is_log_sound and problem is problems[0] else None)
    if problems:
        return ""
    with exam.context.store.read() as tx:
        counted = sum(tx.summaries.request_counts().values())
        behind = tx.summaries.is_behind()
    return f"{counted} predictions, as the log gives them" + ", some not yet folded" * behind


def fold_anew(exam: Examination, anew: Refold, *, whole: bool = False) -> None:
    """Fold the log beside the tables, as far as the stored summaries go or as a whole."""
    with exam.context.store.read() as tx:
        anew.begin(tx.connection)
    if whole:
        anew.marks = {}
    for number in refold(exam.context.store, anew):
        exam.advance(number)


def _marks(anew: Refold) -> Iterator[str]:
    for source in SOURCES:
        mark, end = anew.marks.get(source), getattr(anew.ends, source)
        if mark is None:
            yield f"watermarks has no row {source}"
        elif getattr(anew.upto, source) != mark:
            yield f"the summaries are said to cover {source} up to {mark}, of {end}"


def _said(exam: Examination, difference: Difference) -> str:
    with exam.context.store.read() as tx:
        refs = {row["key"]: safe(f"{row['name']}@{row['version']}") for row in rows(
            tx.connection, VERSIONS)}  # fmt: skip
    where = f"{_GRAINS[difference.grain]} {difference.bucket or ''}".rstrip()
    what = (
        f"{refs.get(difference.version, difference.version)}, {where}, revision "
        f"{difference.revision}, {ROLES[difference.role]}"
    )
    if difference.stored is None or difference.folded is None:
        there = "is missing" if difference.stored is None else "has nothing in the log"
        return f"{what}: the row {there}"
    if difference.column in _NUMBERS:
        return (
            f"{what}: {difference.column} is {difference.stored}, the log gives {difference.folded}"
        )
    return f"{what}: {difference.column} is not what the log gives"
