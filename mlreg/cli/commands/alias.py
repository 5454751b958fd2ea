"""`mlreg alias`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument, flag
from mlreg.cli.options import REF, AuthorOptions
from mlreg.cli.session import SessionOptions
from mlreg.errors import InvalidInput


def alias(
    session: SessionOptions,
    change: AuthorOptions,
    ref: str = REF,
    alias: str | None = argument("[ALIAS]", "champion, challenger, …"),
    delete: bool = flag("--delete", "Remove the alias instead."),
) -> None:
    """Point an alias such as champion at a version.

    An alias that another version has moves. With --delete the alias may stand in REF.

    $ mlreg alias sentiment@2.0.0 challenger
    $ mlreg alias sentiment@challenger --delete
    """
    if alias is None and delete:
        alias = ref.rpartition("@")[2]
    if alias is None:
        raise InvalidInput("which alias?", hint=f"mlreg alias {ref} champion")
    with session.open() as registry:
        version = registry.versions.alias(ref, alias, delete=delete, change=change)
        verb = "no longer has" if delete else "has"
        session.emit(version, said=f"{version.ref} {verb} the alias {alias}")
