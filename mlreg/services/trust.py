"""Trust: who let which version run any code, and whether that counts for this user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlreg import trust
from mlreg.clock import from_micros
from mlreg.entities.traffic import Change
from mlreg.entities.trust import HOLDS, AcceptedKey, Standing, TrustedVersion, TrustReport
from mlreg.entities.versions import Seal, Version
from mlreg.errors import ArtifactError, Conflict, KeyUnusable, TrustNotAccepted
from mlreg.names import safe
from mlreg.services.context import Context
from mlreg.services.version_details import tell

if TYPE_CHECKING:
    from mlreg.store.store import Transaction

_NO_CHANGE = Change()
_FORM = "mlreg trust 1"


class Trust:
    """Which versions may run any code here, and by whose word."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # A signature that was found good or bad stays so.
        self._checked: dict[tuple[str, Seal], bool] = {}

    def list(self) -> TrustReport:
        """This user's key, the keys that they accept, and all versions that somebody trusted."""
        accepted = trust.accepted()
        with self._context.store.read() as tx:
            found = tx.versions.trusted()
        return TrustReport(
            key=trust.public_key(),
            accepted_keys=tuple(
                AcceptedKey(key=key, since=note.get("at", ""), note=note.get("note", ""))
                for key, note in accepted.keys.items()
            ),
            versions=tuple(self._described(version) for version in found),
        )

    def get(self, ref: str) -> TrustedVersion:
        """How the trust in one version stands.

        Raises:
            Conflict: Nobody trusted it: it is loaded through the allow-list.
        """
        with self._context.store.read() as tx:
            return self._described(_trusted(self._context.version(tx, ref)))

    def accept(self, ref: str, *, change: Change = _NO_CHANGE) -> TrustedVersion:
        """Let a version run any code here, whoever trusted it; by its digest.

        Raises:
            Conflict: Nobody trusted it: it is loaded through the allow-list.
            KeyUnusable: The user has no home to keep this in.
        """
        with self._context.store.write() as tx:
            version = _trusted(self._context.version(tx, ref))
            before = self._described(version)
            trust.accept_digest(str(version.digest), version.ref)
            after = self._described(version)
            tell(self._context, tx, "accept", version, change, before=before, after=after)
            return after

    def revoke(self, ref: str, *, change: Change = _NO_CHANGE) -> TrustedVersion:
        """Do not let a version run any code here any more, and take back a seal of one's own.

        Raises:
            Conflict: Nobody trusted it: it is loaded through the allow-list.
        """
        with self._context.store.write() as tx:
            version = _trusted(self._context.version(tx, ref))
            before = self._described(version)
            trust.revoke_digest(str(version.digest), version.ref)
            if version.seal and version.seal.key == trust.public_key():
                tx.versions.break_seal(version.key)
            after = self._described(tx.versions.by_key(version.key))
            tell(self._context, tx, "revoke", version, change, before=before, after=after)
            return after

    def prepare(self) -> None:
        """Have a key to seal with, before anything else is done.

        Raises:
            KeyUnusable: It is damaged, others can read it, or there is no place for one.
        """
        trust.public_key(make=True)

    def give(self, tx: Transaction, version: Version, actor: str) -> None:
        """Seal a version that this user lets run any code."""
        at = self._context.clock()
        key, signature = trust.sign(statement(version, at, actor))
        tx.versions.seal(version.key, Seal(key, signature, at, actor))
        trust.readmit_digest(str(version.digest))

    def refusal(self, version: Version) -> ArtifactError | None:
        """Why a trusted version must not be loaded here; None where it may be.

        This is the one place that decides; it is asked before each call of such a model.
        """
        try:
            standing = self.standing(version)
        except KeyUnusable as problem:
            return problem
        return None if standing in HOLDS else _not_accepted(version, standing)

    def standing(self, version: Version) -> Standing:
        """Why trust in a version counts here, or why not.

        Raises:
            KeyUnusable: The key or the list of what is accepted cannot be used.
        """
        accepted, digest, seal = trust.accepted(), str(version.digest), version.seal
        if digest in accepted.revoked:
            return "revoked"
        if digest in accepted.digests:
            return "accepted"
        if seal is None:
            return "unsealed"
        if not self._holds(version, seal):
            return "broken"
        if seal.key in accepted.keys:
            return "key"
        return "own" if seal.key == trust.public_key() else "unknown"

    def _holds(self, version: Version, seal: Seal) -> bool:
        known = f"{version.model_id} {version.digest}", seal
        if known not in self._checked:
            said = statement(version, seal.at, seal.actor)
            self._checked[known] = trust.is_signed(said, seal.key, seal.signature)
        return self._checked[known]

    def _described(self, version: Version) -> TrustedVersion:
        seal, standing = version.seal, self.standing(version)
        proved = seal if seal and self._holds(version, seal) else None
        return TrustedVersion(
            ref=version.ref,
            model_id=version.model_id,
            digest=str(version.digest),
            standing=standing,
            trusted_by=proved.actor if proved else None,
            trusted_at=from_micros(proved.at) if proved else None,
            key=proved.key if proved else None,
        )


def statement(version: Version, at: int, actor: str) -> list[object]:
    """What a seal signs: whose bytes, in which version, when and by whom."""
    return [_FORM, version.model_id, version.ref, version.digest, at, actor]


def _trusted(version: Version) -> Version:
    if version.trusted and version.digest:
        return version
    raise Conflict(
        f"{version.ref} was trusted by nobody: it is loaded through the allow-list",
        hint=f"register a version with trust: mlreg register {version.name} ARTIFACT --trust",
    )


def _not_accepted(version: Version, standing: Standing) -> TrustNotAccepted:
    giver = version.seal and f"{safe(version.seal.actor)} (key {version.seal.key[:16]}…)"
    reasons = {
        "unknown": f"by the word of {giver}, which you have not accepted",
        "unsealed": "by trust that nobody signed: it was given elsewhere, or by an older mlreg",
        "broken": "by a signature that does not fit it",
        "revoked": "and you have revoked that",
    }
    return TrustNotAccepted(
        f"{version.ref} may run any code, {reasons[standing]}",
        hint=f"if you trust it yourself: mlreg trust accept {version.ref}",
    )
