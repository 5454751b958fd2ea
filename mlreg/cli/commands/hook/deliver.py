"""`mlreg hook deliver`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument
from mlreg.cli.options import DRY_RUN
from mlreg.cli.session import SessionOptions


def deliver(
    session: SessionOptions,
    hook: str | None = argument("[HOOK]", "Only this hook.", complete="hook"),
    dry_run: bool = DRY_RUN,
) -> None:
    """Tell hooks what is due, as each tick does.

    What a hook does not take is tried again later: after half a minute, then after twice as long
    each time, up to six hours. After three days it is given up, and the event hook.dead says so.

    $ mlreg hook deliver
    $ mlreg hook deliver --dry-run
    """
    with session.open() as registry:
        session.emit(registry.hooks.deliver(name=hook, dry_run=dry_run))
