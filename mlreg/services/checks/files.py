"""The files: SQLite and its database, the schema, and the objects beside them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mlreg.errors import ArtifactError, InvalidInput
from mlreg.names import safe
from mlreg.services.checks.findings import Examination, Mend, Problems
from mlreg.store.engines.health import (
    MISSING,
    SchemaProblem,
    journal_mode,
    make_again,
    page_problems,
    reference_problems,
    schema_problems,
    sqlite_facts,
    wal_bytes,
)
from mlreg.store.store import SCHEMA_VERSION
from mlreg.store.summaries import TABLES
from mlreg.store.unit_columns import UNITS_TABLE, VALUES_TABLE

if TYPE_CHECKING:
    from mlreg.services.context import Context
    from mlreg.store.store import Transaction

LARGE_WAL = 64 << 20
LEFTOVER_AGE = 3600.0
# All that is in them is counted from the log.
_DERIVED = (*TABLES, UNITS_TABLE, VALUES_TABLE)


def sqlite(_: Examination, found: Problems) -> str:
    """The library itself."""
    facts = sqlite_facts()
    detail = f"SQLite {facts.version}"
    if not facts.is_sound:
        detail += " can corrupt a WAL that two processes reset at once; 3.51.3 mends it"
        found.add(f"{detail}: install pysqlite3", is_possible=True)
    return detail


def schema(exam: Examination, found: Problems) -> str:
    """Tables, indexes, triggers and views."""
    with exam.context.store.read() as tx:
        problems = schema_problems(tx.connection, exam.schema)
        mode = journal_mode(tx.connection)
    lost = {p.name for p in problems if p.what == MISSING} - set(_DERIVED)
    for problem in problems:
        mend = None if problem.table in lost else _remade(problem)
        found.add(f"{safe(problem.name)} {problem.what}", mend=mend)
    if mode != "wal":
        found.add(f"the journal mode is {mode}, not wal", is_possible=True)
    return f"version {SCHEMA_VERSION}, as it was made"


def _remade(problem: SchemaProblem) -> Mend | None:
    """Triggers are made anew by each repair; indexes and what is derived, by this."""
    is_gone = problem.name in _DERIVED and problem.what == MISSING
    if not (problem.is_code_or_index or is_gone):
        return None
    what = "is removed" if problem.expected is None else "is made again"
    return Mend(
        subject="schema",
        text=f"the {problem.kind} {safe(problem.name)} {what}",
        before={problem.kind: problem.name, "problem": problem.what},
        after={"sql": problem.expected},
        apply=partial(_remake, problem),
    )


def _remake(problem: SchemaProblem, tx: Transaction) -> None:
    if problem.kind != "trigger":
        make_again(tx.connection, problem)


def database(exam: Examination, found: Problems) -> str:
    """Pages and references, by SQLite's own checks."""
    with exam.context.store.read() as tx:
        pages, references = page_problems(tx.connection), reference_problems(tx.connection)
    exam.is_writable = not pages
    for problem in pages + references:
        found.add(problem)
    return "pages and references are sound"


def wal(exam: Examination, found: Problems) -> str:
    """The size of the write-ahead log."""
    size = wal_bytes(exam.context.store.database)
    detail = f"{size / (1 << 20):.1f} MB"
    if size > LARGE_WAL:
        found.add(f"{detail}: a reader holds it open", is_possible=True)
    return detail


def artifacts(exam: Examination, found: Problems) -> str:
    """The bytes of each version against their digest."""
    with exam.context.store.read() as tx:
        digests = tx.versions.digests()
    verified: dict[str, str | None] = {}
    for digest, ref, _ in digests:
        if digest not in verified:
            verified[digest] = _object_problem(exam.context, digest)
        if problem := verified[digest]:
            found.add(f"{safe(ref)}: {problem}")
    return f"{len(verified)} objects match their digests"


def _object_problem(context: Context, digest: str) -> str | None:
    try:
        context.objects.verify(digest)
    except (ArtifactError, InvalidInput) as error:
        return error.message
    return None


def objects(exam: Examination, found: Problems) -> str:
    """Files that belong to no version."""
    # What was sealed counts as used: a row may name another object than it should.
    used = {version.state.get("digest") for version in exam.sealed.versions.values()}
    with exam.context.store.read() as tx:
        used |= {digest for digest, _, _ in tx.versions.digests()}
    store = exam.context.objects
    unused = [digest for digest in store.digests() if digest not in used]
    count = len(unused) + len(list(store.leftovers(LEFTOVER_AGE)))
    if count:
        found.add(
            f"{count} files belong to no version and can be removed",
            is_possible=True,
            mend=Mend(
                subject="objects",
                text=f"{count} files that belong to no version are removed",
                before={"objects": unused},
                after=None,
                apply=partial(_remove, exam.context, unused),
            ),
        )
    return "no leftovers"


def _remove(context: Context, unused: list[str], tx: Transaction) -> None:
    # Under the write lock nobody can begin to use one of them meanwhile.
    for digest in unused:
        if not tx.versions.is_object_used(digest):
            context.objects.discard(digest)
    context.objects.remove_leftovers(LEFTOVER_AGE)
