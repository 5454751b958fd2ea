"""`mlreg trust accept`."""

from __future__ import annotations

from mlreg.cli.asking import confirm
from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.options import YES, AuthorOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import KeyNote
from mlreg.errors import InvalidInput


def accept(
    session: SessionOptions,
    change: AuthorOptions,
    ref: str | None = argument("[REF]", "The version, such as sentiment@2.0.0.", complete="ref"),
    giver: str | None = option("--from KEY", "Instead: all that the holder of this key trusts."),
    yes: bool = YES,
) -> None:
    """Let a version run any code here, or all that somebody trusts.

    It is for you alone, and for these bytes alone, in whatever registry they are. With --from it
    is for whatever is signed by that key, now and later: for a service that runs what its
    deployers trust.

    $ mlreg trust accept sentiment@2.0.0
    $ mlreg trust accept --from $(cat deployer.key) --reason "our deployer" --yes
    """
    from mlreg import trust

    if (ref is None) == (giver is None):
        raise InvalidInput("name a version, or a key by --from", hint="see: mlreg trust list")
    if giver is not None:
        key = trust.check_public_key(giver)
        confirm(f"letting whatever {key} trusts run any code as you", yes=yes)
        trust.accept_key(key, change.reason)
        session.emit(KeyNote(key=key), said=f"what {key} trusts may run here")
        return
    with session.open() as registry:
        version = registry.trust.get(str(ref))
        giver = version.trusted_by or "nobody knows whom"
        doing = f"letting {version.ref} ({version.digest[:12]}), trusted by {giver}, run any code"
        confirm(f"{doing} as you", yes=yes)
        # By id: whoever confirmed has seen which version it is.
        found = registry.trust.accept(version.model_id, change=change)
        session.emit(found, said=f"{found.ref} may run any code here")
