"""`mlreg archive`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import flag
from mlreg.cli.options import AuthorOptions, RefOptions
from mlreg.cli.session import SessionOptions


def archive(
    session: SessionOptions,
    ref: RefOptions,
    change: AuthorOptions,
    restore: bool = flag("--restore", "Take it back."),
) -> None:
    """Retire a version so that it can get no traffic.

    $ mlreg archive sentiment@1.0.0 --reason "superseded"
    $ mlreg archive sentiment@1.0.0 --restore
    """
    with session.open() as registry:
        version = registry.versions.archive(ref, restore=restore, change=change)
        session.emit(version, said=f"{version.ref} is {version.status}")
