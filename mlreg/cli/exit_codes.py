"""Exit codes. Scripts rest on them: a number never changes its meaning."""

from __future__ import annotations

from enum import IntEnum, unique

from mlreg import errors


@unique
class ExitCode(IntEnum):
    """What a command says to the shell."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    ARTIFACT = 5
    STORE = 6
    PREDICTION_FAILED = 7
    NO_ACTIVE_VERSION = 8
    CHECK_FAILED = 10
    INCONCLUSIVE = 11
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


# The nearest ancestor in this table decides.
OF_ERROR: dict[type[errors.MlregError], ExitCode] = {
    errors.InvalidInput: ExitCode.USAGE,
    errors.NotFound: ExitCode.NOT_FOUND,
    errors.Conflict: ExitCode.CONFLICT,
    errors.ArtifactError: ExitCode.ARTIFACT,
    errors.StoreError: ExitCode.STORE,
    errors.PredictionFailed: ExitCode.PREDICTION_FAILED,
    errors.NoActiveVersion: ExitCode.NO_ACTIVE_VERSION,
    errors.CheckFailed: ExitCode.CHECK_FAILED,
    errors.Inconclusive: ExitCode.INCONCLUSIVE,
    errors.OutputFailed: ExitCode.STORE,
}


def exit_code(error: type[errors.MlregError]) -> ExitCode:
    """The exit code of an error's class."""
    known = (OF_ERROR[cls] for cls in error.__mro__ if cls in OF_ERROR)
    return next(known, ExitCode.UNEXPECTED)
