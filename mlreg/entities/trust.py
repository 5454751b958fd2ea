"""Trust: which versions may run any code, by whose word, and whether that counts here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

# own: sealed by this user's key. accepted: this user accepted the artifact. key: sealed by a key
# that this user accepted. The others do not count here.
Standing = Literal["own", "accepted", "key", "unknown", "unsealed", "broken", "revoked"]
HOLDS: frozenset[Standing] = frozenset({"own", "accepted", "key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedVersion:
    """A version that somebody let run any code.

    Attributes:
        standing: Why the trust counts here, or why it does not.
        trusted_by: The name that the giver gave; None where nothing proves who it was.
        key: The giver's public key.
    """

    ref: str
    model_id: str
    digest: str
    standing: Standing
    trusted_by: str | None
    trusted_at: datetime | None
    key: str | None

    __json__: ClassVar[tuple[str, ...]] = (
        "ref",
        "model_id",
        "digest",
        "counts",
        "standing",
        "trusted_by",
        "trusted_at",
        "key",
    )

    @property
    def counts(self) -> bool:
        """Whether it may run here."""
        return self.standing in HOLDS


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedKey:
    """A key whose holder's trust this user takes over."""

    key: str
    since: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustReport:
    """This user's key, the keys that they accept, and the trusted versions of a registry.

    Attributes:
        key: None where none was made yet.
    """

    key: str | None
    accepted_keys: tuple[AcceptedKey, ...]
    versions: tuple[TrustedVersion, ...]
