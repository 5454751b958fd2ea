"""`mlreg trust revoke`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.kit.completion import complete_ref
from mlreg.cli.options import AuthorOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import KeyNote


def revoke(
    session: SessionOptions,
    what: Annotated[
        str,
        typer.Argument(
            metavar="REF|KEY",
            show_default=False,
            help="A version, or a key that you accepted.",
            autocompletion=complete_ref,
        ),
    ],
    change: AuthorOptions,
) -> None:
    """Take back trust in a version or in somebody.

    A version then does not run here any more, whoever trusts it; where you had signed it
    yourself, the signature is taken away as well, for all who go by your key. Accepting it again
    undoes that.

    $ mlreg trust revoke sentiment@2.0.0
    """
    from mlreg import trust

    if trust.is_key(what):
        trust.revoke_key(what)
        session.emit(KeyNote(key=what), said=f"what {what} trusts may no longer run here")
        return
    with session.open() as registry:
        found = registry.trust.revoke(what, change=change)
        session.emit(found, said=f"{found.ref} may no longer run here")
