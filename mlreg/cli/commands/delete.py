"""`mlreg delete`."""

from __future__ import annotations

from mlreg.cli.asking import confirm
from mlreg.cli.options import DRY_RUN, YES, AuthorOptions, RefOptions
from mlreg.cli.session import SessionOptions


def delete(
    session: SessionOptions,
    ref: RefOptions,
    change: AuthorOptions,
    dry_run: bool = DRY_RUN,
    yes: bool = YES,
) -> None:
    """Delete a version and its artifact; its predictions stay.

    Never one that has traffic or that another version names as its parent. Its number is not
    given out again.

    $ mlreg delete sentiment@1.0.0 --yes
    """
    from dataclasses import replace

    with session.open() as registry:
        version = registry.versions.get(ref)
        if not dry_run:
            confirm(f"deleting {version.ref} and its artifact for good", yes=yes)
        # By id: whoever confirmed has seen which version it is.
        gone = registry.versions.delete(version.model_id, change=replace(change, dry_run=dry_run))
        session.emit(gone, said=f"{gone.ref} {'would be' if dry_run else 'is'} deleted")
