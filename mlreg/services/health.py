"""Doctor: does the registry hold what it promises, and what of it can be put right?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from mlreg.entities.audit import Diagnosis, Finding
from mlreg.entities.traffic import Change
from mlreg.errors import MlregError
from mlreg.names import check_text
from mlreg.services.checks import (
    audit,
    experiments,
    files,
    hooks,
    log,
    safety,
    traffic,
    trail,
    versions,
)
from mlreg.services.checks.findings import Examination, Mend, Problems
from mlreg.services.context import Context
from mlreg.store.engines.health import guards_down
from mlreg.store.refolding import refolding

_NO_CHANGE = Change()


class Check(NamedTuple):
    """One promise, and who looks at it.

    Attributes:
        name: What its findings are called.
        look: Notes problems, and returns what to say where there is none.
        reads_all: Whether it reads the whole file or log, so that its cost grows with them.
    """

    name: str
    look: Callable[[Examination, Problems], str]
    reads_all: bool = False


# In the order in which they are shown, and in which a repair goes through them.
CHECKS = (
    Check("sqlite", files.sqlite),
    Check("schema", files.schema),
    Check("database", files.database, reads_all=True),
    Check("damage", safety.damage),
    Check("disk", safety.disk),
    Check("wal", files.wal),
    Check("audit", audit.audit),
    Check("models", versions.models),
    Check("versions", versions.versions),
    Check("aliases", versions.aliases),
    Check("revisions", traffic.revisions),
    Check("experiments", experiments.experiments),
    Check("artifacts", files.artifacts),
    Check("drills", safety.drills),
    Check("ticks", safety.ticks),
    Check("trust", safety.trust),
    Check("hooks", hooks.hooks),
    Check("confinement", safety.confinement),
    Check("log", log.log, reads_all=True),
    Check("summaries", log.summaries, reads_all=True),
    Check("receipts", experiments.receipts, reads_all=True),
    Check("objects", files.objects),
)


class Health:
    """Checks and repairs of one registry."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(
        self, *, quick: bool = False, progress: Callable[[int], None] | None = None
    ) -> Diagnosis:
        """Run all checks. A problem is a finding, never an error.

        Args:
            quick: Leave out the checks that read the whole log.
            progress: Called with the number of rows of the log that were read.
        """
        with Examination(self._context, progress or _ignore) as exam:
            return self._examine(exam, quick=quick)[0]

    def repair(
        self,
        *,
        change: Change = _NO_CHANGE,
        progress: Callable[[int], None] | None = None,
    ) -> Diagnosis:
        """Put right what can be derived, or what the audit trail proves; then check again.

        Derived are summaries, counts of experiments, folded names, indexes and triggers. Rows are
        put back as they were sealed while the chain of events is whole, and only where no event
        that was cut off its end could have changed them. All of it is one transaction, with an
        event for each thing.

        Args:
            change: Why and by whom; with `dry_run` nothing is changed.
            progress: Called with the number of rows of the log that were read.
        """
        reason = check_text(change.reason, "reason")
        with Examination(self._context, progress or _ignore) as exam:
            diagnosis, mends = self._examine(exam)
            if change.dry_run or not mends:
                return diagnosis
            self._apply(exam, mends, change, reason)
        return replace(self.check(progress=progress), repaired=diagnosis.repairable)

    def rebuild_summaries(self) -> None:
        """Throw the summaries away and fold the log again."""
        with (
            Examination(self._context, _ignore) as exam,
            refolding(exam.schema) as anew,
        ):
            log.fold_anew(exam, anew, whole=True)
            with self._context.store.write() as tx:
                anew.put(tx.connection)
        self._context.fold_summaries()

    def log_size(self) -> int:
        """How many rows of the log the checks read, for a progress bar."""
        with self._context.store.read() as tx:
            return 2 * sum(tx.experiments.folds.ends())

    def _examine(
        self, exam: Examination, *, quick: bool = False
    ) -> tuple[Diagnosis, Sequence[Mend]]:
        findings: list[Finding] = []
        mends: list[Mend] = []
        for check in CHECKS:
            if quick and check.reads_all:
                detail = "not looked at: it reads the whole log"
                findings.append(Finding(check=check.name, state="skipped", detail=detail))
                continue
            problems = Problems()
            findings += problems.findings(check.name, _looked(check, exam, problems))
            mends += problems.mends
        mends = mends if exam.is_writable else []
        repairable = tuple(mend.text for mend in mends)
        folder = str(self._context.folder)
        return Diagnosis(registry=folder, findings=tuple(findings), repairable=repairable), mends

    def _apply(self, exam: Examination, mends: Sequence[Mend], change: Change, reason: str) -> None:
        at, actor = self._context.clock(), self._context.actor_of(change)
        with self._context.store.write() as tx:
            with guards_down(tx.connection, exam.schema):
                for mend in mends:
                    mend.apply(tx)
            for mend in mends:
                tx.events.append(
                    action=trail.REPAIR,
                    object=mend.subject,
                    actor=actor,
                    at=at,
                    reason=reason,
                    before={"found": mend.before},
                    after={"restored": mend.after},
                )


def _looked(check: Check, exam: Examination, problems: Problems) -> str:
    """What a check says; that it could not be done is a problem too."""
    try:
        return check.look(exam, problems)
    except MlregError as error:
        problems.add(error.message)
    except Exception as error:  # noqa: BLE001  # whatever damage does to a check, others follow
        problems.add(f"this cannot be checked: {type(error).__name__}: {error}")
    return ""


def _ignore(_: int) -> None:
    pass
