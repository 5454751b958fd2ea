"""`mlreg rollback`."""

from __future__ import annotations

from mlreg.cli.changes import emit_change
from mlreg.cli.kit.parameters import flag, option
from mlreg.cli.kit.values import whole_number
from mlreg.cli.options import LIMIT, ChangeOptions, NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import RollbackList
from mlreg.errors import CheckFailed, InvalidInput


def rollback(
    session: SessionOptions,
    name: NameOptions,
    change: ChangeOptions,
    to: str | None = option(
        "--to VERSION", "Give this version, which served before, all traffic.", complete="selector"
    ),
    to_revision: int | None = option(
        "--to-revision N", "Take the split of this revision.", whole_number
    ),
    drill: bool = flag("--drill", "Try what it would go back to, and change nothing."),
    probe: str | None = option("--probe INPUT", "The input for --drill, as for predict."),
    history: bool = flag("--history", "List the rollbacks instead of making one."),
    limit: int = LIMIT,
) -> None:
    """Put an earlier state of the traffic in force again.

    By default the revision before the present one that still can serve. A rollback is a new
    revision, so that a second one undoes the first.

    A drill proves that what it would go back to fits its digest, loads and answers: an input that
    it has answered before, or the one that is given. It ends with 10 where that fails.

    $ mlreg rollback sentiment --reason "complaints since noon"
    $ mlreg rollback sentiment --to 1.0.0
    $ mlreg rollback sentiment --drill
    $ mlreg rollback sentiment --history
    """
    if probe is not None and not drill:
        raise InvalidInput("--probe goes with --drill")
    if history:
        _refuse_beside_history(
            {
                "drill": drill,
                "to": to,
                "to-revision": to_revision,
                "dry-run": change.dry_run,
                "expect-revision": change.expect_revision,
                "reason": change.reason or None,
                "actor": change.actor,
            }
        )
    with session.open(worker=drill) as registry:
        if drill:
            found = registry.traffic.drill(
                name, to_version=to, to_revision=to_revision, probe=probe, change=change
            )
            session.emit(found)
            if not found.passed:
                raise CheckFailed(f"a rollback of {found.model} would fail: {found.problem}")
            return
        if history:
            session.emit(RollbackList(rollbacks=registry.traffic.rollbacks(name, limit=limit)))
            return
        emit_change(
            session,
            registry,
            lambda: registry.traffic.rollback(
                name, to_version=to, to_revision=to_revision, change=change
            ),
        )
    session.suggest("mlreg history")


def _refuse_beside_history(options: dict[str, object]) -> None:
    """Nobody who meant a rollback is to get a list instead."""
    for name, value in options.items():
        if value not in (None, False):
            raise InvalidInput(
                f"--{name} does not go with --history, which changes nothing",
                hint="leave one of them out",
            )
