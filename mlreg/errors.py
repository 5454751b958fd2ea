"""What can go wrong, each with a stable `code` that scripts may rest on.

The tree, with the exit code that the command line gives each branch:

    MlregError
    ├── InvalidInput       2   a bad name, value or option
    ├── NotFound           3   no such registry, model, version, prediction
    ├── Conflict           4   exists already, wrong state, someone was faster
    ├── ArtifactError      5   missing, altered, not trusted, cannot be loaded
    ├── StoreError         6   busy, full, read-only, damaged, too new
    ├── PredictionFailed   7   the model raised, hung or answered the wrong shape
    ├── NoActiveVersion    8   nothing serves the model
    ├── CheckFailed       10   a gate says no
    └── Inconclusive      11   not enough data for a verdict
"""

from __future__ import annotations

from typing import Any


class MlregWarning(UserWarning):
    """Something to know that stops nothing, such as a model made by another scikit-learn."""


class MlregError(Exception):
    """The base of every error that mlreg raises on purpose.

    Args:
        message: What is wrong, with which object; one line.
        hint: What to type or to do next; one line, may be empty.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)


class InvalidInput(MlregError):
    """A value that no state of the registry would make right."""

    code = "invalid_input"


class NotFound(MlregError):
    """A thing that was named does not exist."""

    code = "not_found"


class RegistryNotFound(NotFound):
    """No registry here or above, or none at the path that was named."""

    code = "registry_not_found"


class Conflict(MlregError):
    """The registry's present state does not allow the change."""

    code = "conflict"


class AlreadyExists(Conflict):
    """The thing to create is there already."""

    code = "already_exists"


class RevisionMoved(Conflict):
    """`expect_revision` names a revision that is no longer in force."""

    code = "revision_moved"


class PolicyMoved(Conflict):
    """`expect_policy` names a policy that is no longer in force."""

    code = "policy_moved"


class NothingToRollBack(Conflict):
    """No earlier revision can serve."""

    code = "nothing_to_roll_back"


class ArtifactError(MlregError):
    """The bytes of a version cannot be used."""

    code = "artifact"


class ArtifactMissing(ArtifactError):
    """The version has no artifact, or its object is gone."""

    code = "artifact_missing"


class ArtifactAltered(ArtifactError):
    """An object's bytes no longer have the digest under which they were stored."""

    code = "artifact_altered"


class ArtifactUntrusted(ArtifactError):
    """Loading would run code that is neither on the allow-list nor trusted."""

    code = "artifact_untrusted"


class TrustNotAccepted(ArtifactUntrusted):
    """The version may run any code, by trust that this user has not given or accepted."""

    code = "trust_not_accepted"


class KeyUnusable(ArtifactError):
    """The user's own key, or the list of whom they trust, is damaged, exposed or has no place."""

    code = "key_unusable"


class ArtifactUnloadable(ArtifactError):
    """The bytes are not a model, or cannot be loaded here."""

    code = "artifact_unloadable"


class StoreError(MlregError):
    """The database refused or could not be used."""

    code = "store"


class StoreBusy(StoreError):
    """Another process held the write lock for longer than the timeout."""

    code = "store_busy"


class StoreFull(StoreError):
    """The disk is full or the write failed below SQLite."""

    code = "store_full"


class StoreReadOnly(StoreError):
    """The registry's folder or file cannot be written."""

    code = "store_read_only"


class StoreDamaged(StoreError):
    """The file is no SQLite database, no registry, or is corrupt."""

    code = "store_damaged"


class StoreTooNew(StoreError):
    """A newer mlreg has migrated this registry."""

    code = "store_too_new"


class StoreForked(StoreError):
    """The process was forked while it used the registry, so it is the parent's alone."""

    code = "store_forked"


class StoreShared(StoreError):
    """Another SQLite in this process has the database open, or wants to open it."""

    code = "store_shared"


class QueryTooLong(StoreError):
    """A query ran for longer than its time limit."""

    code = "query_too_long"


class PredictionFailed(MlregError):
    """The model raised, hung, died or answered the wrong shape; the failure is logged.

    Attributes:
        prediction_id: The logged row of the failure, if there is one.
        rollback: The rollback that it has caused, if any.
    """

    code = "prediction_failed"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        prediction_id: int | None = None,
        rollback: Any = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.prediction_id = prediction_id
        self.rollback = rollback


class NoActiveVersion(MlregError):
    """Nothing serves the model."""

    code = "no_active_version"


class CheckFailed(MlregError):
    """A gate, a threshold or `--fail-if` says no."""

    code = "check_failed"


class CoolingDown(CheckFailed):
    """A rollback was made without a person a short time ago; the next one waits."""

    code = "cooling_down"


class Inconclusive(MlregError):
    """There is not enough data for a verdict."""

    code = "inconclusive"


class OutputFailed(MlregError):
    """The results could not be written to stdout."""

    code = "output_failed"
