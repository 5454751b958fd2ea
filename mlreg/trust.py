"""Trust that can be proved: signatures by the keys of users, and which of them this user accepts.

What is accepted lies in `~/.config/mlreg/trust.json`, never in a registry: a registry cannot vouch
for itself. A signature is Ed25519, so that whoever checks it needs no secret of whoever gave it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlreg import clock, files, user
from mlreg.errors import InvalidInput, KeyUnusable, NotFound
from mlreg.jsonable import canonical, restore
from mlreg.names import safe

FILE = "trust.json"
PREFIX = "ed25519:"
_KEY = re.compile(r"ed25519:[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")

# A key or a digest, and since when and for what it stands there.
Notes = dict[str, dict[str, str]]


@dataclass(slots=True)
class Accepted:
    """What this user lets run any code, and what not any more.

    Attributes:
        keys: Public keys of users whose trust is taken over.
        digests: Artifacts that were accepted one by one.
        revoked: Artifacts that must not run, whoever trusts them.
    """

    keys: Notes = field(default_factory=dict)
    digests: Notes = field(default_factory=dict)
    revoked: Notes = field(default_factory=dict)


def check_public_key(text: str) -> str:
    """A public key in its one spelling.

    Raises:
        InvalidInput: It is none.
    """
    if not _KEY.fullmatch(text):
        raise InvalidInput(
            f"{safe(text)} is not a key: it is {PREFIX} and 64 hexadecimal digits",
            hint="whoever gave the trust sees theirs with: mlreg trust key",
        )
    return text


def is_key(text: str) -> bool:
    """Whether a word is meant as a key, be it a valid one or not."""
    return text.startswith(PREFIX)


def public_key(*, make: bool = False) -> str | None:
    """This user's public key; None where none was made yet and none is to be made now.

    Raises:
        KeyUnusable: The key is damaged, others can read it, or there is no place for one.
    """
    secret = user.ensure_key() if make else user.find_key()
    if secret is None:
        return None
    public = _signer(secret).public_key().public_bytes_raw()
    return f"{PREFIX}{public.hex()}"


def sign(statement: list[object]) -> tuple[str, str]:
    """This user's public key and their signature of a statement; the key is made if need be."""
    signer = _signer(user.ensure_key())
    public = signer.public_key().public_bytes_raw().hex()
    return f"{PREFIX}{public}", signer.sign(_bytes(statement)).hex()


def is_signed(statement: list[object], key: str, signature: str) -> bool:
    """Whether the holder of this key signed exactly this."""
    if not (_KEY.fullmatch(key) and _SIGNATURE.fullmatch(signature)):
        return False
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = bytes.fromhex(key.removeprefix(PREFIX))
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            bytes.fromhex(signature), _bytes(statement)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _signer(secret: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(secret)


def _bytes(statement: list[object]) -> bytes:
    return canonical(statement).encode()


def accepted() -> Accepted:
    """What this user accepts.

    Raises:
        KeyUnusable: The file is damaged, or others could have written it.
    """
    place = user.folder()
    return Accepted() if place is None else _read(place / FILE)


def accept_key(key: str, note: str) -> None:
    """Let run what the holder of a key trusts, in whatever registry."""
    with changing() as found:
        found.keys[check_public_key(key)] = _noted(note)


def revoke_key(key: str) -> None:
    """Do not take over any more what the holder of a key trusts.

    Raises:
        NotFound: It was not accepted.
    """
    with changing() as found:
        if found.keys.pop(check_public_key(key), None) is None:
            raise NotFound(f"{key} is not among the accepted keys", hint="see: mlreg trust list")


def accept_digest(digest: str, note: str) -> None:
    """Let this artifact run any code, whoever trusts it."""
    with changing() as found:
        found.revoked.pop(digest, None)
        found.digests[digest] = _noted(note)


def revoke_digest(digest: str, note: str) -> None:
    """Do not let this artifact run any more, whoever trusts it."""
    with changing() as found:
        found.digests.pop(digest, None)
        found.revoked[digest] = _noted(note)


def readmit_digest(digest: str) -> None:
    """Forget that trust in this artifact was revoked."""
    if digest in accepted().revoked:
        with changing() as found:
            found.revoked.pop(digest, None)


@contextmanager
def changing() -> Iterator[Accepted]:
    """What is accepted, to be changed: written at the end of the block, one process at a time."""
    place = user.make_folder()
    with files.locked(place / user.LOCK):
        found = _read(place / FILE)
        yield found
        content = {name: getattr(found, name) for name in Accepted.__slots__}
        text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=True)
        files.replace(place / FILE, f"{text}\n".encode(), mode=0o600)


def _noted(what: str) -> dict[str, str]:
    return {"at": clock.isoformat(clock.from_micros(clock.now())), "note": what}


def _read(path: Path) -> Accepted:
    try:
        data = user.read(path)
        return Accepted() if data is None else restore(Accepted, json.loads(data))
    except files.Unusable as problem:
        reason = str(problem)
    except (ValueError, TypeError, RecursionError):
        reason = "is damaged"
    raise KeyUnusable(
        f"{safe(str(path))}, which says whose trust you accept, {reason}",
        hint="make it yours alone, or remove it and accept again: mlreg trust accept",
    )
