"""`mlreg tick`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import flag
from mlreg.cli.options import ACTOR, DRY_RUN, NameOptions
from mlreg.cli.session import SessionOptions


def tick(
    session: SessionOptions,
    name: NameOptions,
    dry_run: bool = DRY_RUN,
    plan: bool = flag("--plan", "Do nothing; say what will happen when if nothing changes."),
    actor: str | None = ACTOR,
) -> None:
    """Let time make happen what is due; meant for cron.

    Thresholds are held against what was logged, alerts fire and resolve, rollouts go on. Each step
    is one transaction and leaves a decision with what it rests on. Two ticks at once do everything
    once; one that was killed leaves all of a step or nothing, and the next one goes on.

    $ mlreg tick
    $ mlreg tick --dry-run
    $ mlreg tick --plan
    """
    with session.open_to_read() if dry_run or plan else session.open(actor=actor) as registry:
        session.emit(registry.tick(model=name, dry_run=dry_run, foresees=plan))
