"""`mlreg trust revoke`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument
from mlreg.cli.options import AuthorOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import KeyNote


def revoke(
    session: SessionOptions,
    change: AuthorOptions,
    what: str = argument("REF|KEY", "A version, or a key that you accepted.", complete="ref"),
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
