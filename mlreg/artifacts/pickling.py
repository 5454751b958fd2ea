"""Estimators of the Python API to the bytes of an artifact."""

from __future__ import annotations

import io

from mlreg.errors import ArtifactUnloadable, InvalidInput
from mlreg.names import safe


def dump(estimator: object) -> bytes:
    """The joblib form of a fitted estimator.

    Raises:
        InvalidInput: It has no `predict`.
        ArtifactUnloadable: It cannot be pickled.
    """
    import joblib

    if not callable(getattr(estimator, "predict", None)):
        kind = type(estimator).__name__
        raise InvalidInput(f"an artifact is a path, bytes or a fitted estimator, not a {kind}")
    buffer = io.BytesIO()
    try:
        joblib.dump(estimator, buffer)
    except Exception as error:  # noqa: BLE001  # whatever the estimator's own pickling raises
        reason = safe(f"{type(error).__name__}: {error}")
        raise ArtifactUnloadable(f"the estimator cannot be pickled: {reason}") from None
    return buffer.getvalue()
