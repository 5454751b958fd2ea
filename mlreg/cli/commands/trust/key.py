"""`mlreg trust key`."""

from __future__ import annotations

from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import KeyNote


def key(session: SessionOptions) -> None:
    """Print the public key that your own trust is signed by.

    It is made when it is first asked for. Others accept it with `mlreg trust accept --from KEY`.
    The secret part is ~/.config/mlreg/key: whoever has it can let code run as you.

    $ mlreg trust key
    """
    from mlreg import trust

    found = trust.public_key(make=True)
    session.emit(KeyNote(key=found), said=found)
