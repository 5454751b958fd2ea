"""`mlreg doctor`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.cli.asking import confirm
from mlreg.cli.kit.parameters import flag
from mlreg.cli.options import DRY_RUN, YES, AuthorOptions
from mlreg.cli.session import Session, SessionOptions
from mlreg.errors import ArtifactError, InvalidInput, StoreError

if TYPE_CHECKING:
    from mlreg.entities.audit import Diagnosis
    from mlreg.entities.traffic import Change
    from mlreg.registry import Registry

_ARTIFACTS = "artifacts"


def doctor(
    session: SessionOptions,
    change: AuthorOptions,
    quick: bool = flag("--quick", "Leave out the checks that read the whole log."),
    repair: bool = flag("--repair", "Put right what can be derived or the audit trail proves."),
    rebuild: bool = flag("--rebuild", "First work out the summaries anew from the log."),
    dry_run: bool = DRY_RUN,
    yes: bool = YES,
) -> None:
    """Check that the registry holds what it promises.

    All is compared with the log and the audit trail. A repair puts back what follows from them,
    and says what. Ends with 0 where nothing failed, with 5 where only artifacts did, else with 6.
    Warnings do not count.

    $ mlreg doctor
    $ mlreg doctor --repair --dry-run
    """
    if quick and repair:
        raise InvalidInput("a repair looks at all there is, so it cannot be --quick")
    if dry_run and not repair:
        raise InvalidInput("--dry-run goes with --repair: without it nothing is changed")
    with session.open() as registry:
        if rebuild:
            registry.health.rebuild_summaries()
        diagnosis = _examined(session, registry, quick=quick)
        if repair and diagnosis.repairable and not dry_run:
            diagnosis = _repaired(session, registry, diagnosis, change, yes=yes)
        session.emit(diagnosis)
        if diagnosis.repairable and not repair:
            session.note(
                f"to put right {len(diagnosis.repairable)} of these: mlreg doctor --repair"
            )
    _judge(diagnosis)


def _examined(session: Session, registry: Registry, *, quick: bool) -> Diagnosis:
    from mlreg.cli.streams.progress import Progress

    total = 0 if quick or not session.is_for_people else registry.health.log_size()
    with Progress("rows", total=total) as progress:
        return registry.health.check(quick=quick, progress=progress.advance)


def _repaired(
    session: Session, registry: Registry, diagnosis: Diagnosis, change: Change, *, yes: bool
) -> Diagnosis:
    from mlreg.cli.streams.progress import Progress

    for text in diagnosis.repairable:
        session.note(f"would repair: {text}")
    if not yes:
        session.note(f"copy {registry.folder} first, while nothing uses it")
    confirm(f"changing {len(diagnosis.repairable)} things in {registry.folder}", yes=yes)
    with Progress("rows") as progress:
        return registry.health.repair(
            change=replace(change, dry_run=False), progress=progress.advance
        )


def _judge(diagnosis: Diagnosis) -> None:
    """Raise what makes the exit code, where a check failed."""
    failed = [finding for finding in diagnosis.findings if finding.state == "failed"]
    if not failed:
        return
    kind = ArtifactError if {f.check for f in failed} == {_ARTIFACTS} else StoreError
    count = "a check" if len(failed) == 1 else f"{len(failed)} checks"
    hint = "restore what is damaged from a backup, or register it again"
    if diagnosis.repairable:
        hint = "see what can be repaired: mlreg doctor --repair --dry-run; else restore a backup"
    raise kind(f"{count} failed; {failed[0].check}: {failed[0].detail}", hint=hint)
