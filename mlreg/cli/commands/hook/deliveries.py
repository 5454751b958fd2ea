"""`mlreg hook deliveries`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument, flag, option
from mlreg.cli.kit.values import whole_number
from mlreg.cli.options import LIMIT, AuthorOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import DeliveryList
from mlreg.errors import InvalidInput


def deliveries(
    session: SessionOptions,
    change: AuthorOptions,
    hook: str | None = argument("[HOOK]", "Only those of this hook.", complete="hook"),
    failed: bool = flag("--failed", "Only those that failed, and have not succeeded since."),
    redeliver: int | None = option(
        "--redeliver ID", "Have this one told anew by the next turn.", whole_number
    ),
    limit: int = LIMIT,
) -> None:
    """List what hooks were told, the newest first, or have it told anew.

    $ mlreg hook deliveries --failed
    $ mlreg hook deliveries --redeliver 17
    """
    if redeliver is not None and (hook is not None or failed):
        raise InvalidInput("--redeliver stands alone", hint="mlreg hook deliveries --redeliver ID")
    with session.open_to_read() if redeliver is None else session.open() as registry:
        if redeliver is not None:
            found = registry.hooks.redeliver(redeliver, change=change)
            said = f"{found.hook} is told of event {found.event} anew by the next turn"
            session.emit(DeliveryList(deliveries=[found]), said=said)
            return
        listed = registry.hooks.deliveries(hook, failed=failed, limit=limit)
        session.emit(DeliveryList(deliveries=list(listed)))
