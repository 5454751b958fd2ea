"""`mlreg deactivate`."""

from __future__ import annotations

from mlreg.cli.asking import confirm
from mlreg.cli.changes import emit_change
from mlreg.cli.options import YES, ChangeOptions, RefOptions
from mlreg.cli.session import SessionOptions


def deactivate(
    session: SessionOptions,
    ref: RefOptions,
    change: ChangeOptions,
    yes: bool = YES,
) -> None:
    """Take a version out of the traffic.

    Its share goes to the others in proportion. Where it is the last one, nothing would answer any
    more: that is asked about, or needs --yes.

    $ mlreg deactivate sentiment@1.0.0
    """
    with session.open() as registry:
        version = registry.versions.get(ref)
        live = registry.traffic.current(version.name).live
        is_last = [arm.model_id for arm in live] == [version.model_id]
        if is_last and not change.dry_run:
            confirm(f"deactivating {version.ref}, the last version that serves", yes=yes)
        emit_change(
            session,
            registry,
            lambda: registry.traffic.deactivate(
                version.model_id, allow_empty=is_last, change=change
            ),
        )
