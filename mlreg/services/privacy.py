"""What of an input may reach the disk, by the setting `log_inputs`.

Hashes are keyed by a secret that is no part of the registry: with the key beside them, whoever has
the file could try all inputs that they can think of.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

from mlreg import user
from mlreg.errors import KeyUnusable, MlregWarning, StoreError
from mlreg.jsonable import canonical, encode_plain

if TYPE_CHECKING:
    from mlreg.artifacts.runner import Failure
    from mlreg.config import Settings
    from mlreg.entities.versions import Version
    from mlreg.inputs import Input

_KIND = re.compile(r"[^\W\d]\w{0,99}(?=:|$)")
_PURPOSE, _NAME_OF_KEY = b"mlreg inputs", b"mlreg key name"


class Privacy:
    """The policy of a registry for inputs, and for what may quote them."""

    def __init__(self, settings: Settings) -> None:
        self._policy = settings.text("log_inputs")
        self._shared_secret = settings.text("hash_key")

    @property
    def keeps_all(self) -> bool:
        """Whether inputs are kept as they are."""
        return self._policy == "all"

    def logged_input(self, value: Input, version: Version) -> str | None:
        """An input as the log has it: whole, hashed, or not at all."""
        if self._policy == "all":
            return encode_plain(value)
        if self._policy == "none" or self._key is None:
            return None
        return json.dumps(self._keyed(canonical(value), version.model_id))

    def logged_error(self, failure: Failure) -> str:
        """Why a call failed, as the log has it: what a model says may quote its input."""
        if self.keeps_all or failure.kind != "error":
            return failure.message
        return kind_alone(failure.message)

    def request_digest(self, text: str, salt: str) -> str:
        """What tells an input from another that is sent with the same request id."""
        if self.keeps_all:
            return _beside(text, salt)
        return "" if self._key is None else self._keyed(text, salt)

    def is_same_input(self, digest: str, text: str, salt: str) -> bool:
        """Whether a digest may be that of this input; one by another key could be of any."""
        parts = digest.split(":")
        if len(parts) == 2:
            return digest == _beside(text, salt)
        known = len(parts) == 3 and self._key is not None and parts[1] == self._name
        return not known or digest == self._keyed(text, salt)

    @cached_property
    def _key(self) -> bytes | None:
        """The key of hashes; None where this user can have none, and then nothing is kept."""
        try:
            secret = self._shared_secret.encode() or user.ensure_key()
        except (KeyUnusable, StoreError) as problem:
            warnings.warn(
                f"nothing of an input is kept, for want of a key: {problem.message}",
                MlregWarning,
                stacklevel=2,
            )
            return None
        return hashlib.blake2b(secret, digest_size=32, person=_PURPOSE).digest()

    @cached_property
    def _name(self) -> str:
        """What tells hashes by one key from those by another."""
        key = self._key or b""
        return hashlib.blake2b(key, digest_size=4, person=_NAME_OF_KEY).hexdigest()

    def _keyed(self, text: str, within: str) -> str:
        hashed = hashlib.blake2b(f"{within}\n{text}".encode(), digest_size=16, key=self._key or b"")
        return f"blake2b:{self._name}:{hashed.hexdigest()}"


def kind_alone(message: str) -> str:
    """The kind of an error, such as `ValueError`, without what it says."""
    found = _KIND.match(message)
    return found[0] if found else "error"


def _beside(text: str, salt: str) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=16, key=salt.encode()).hexdigest()
    return f"blake2b:{digest}"
