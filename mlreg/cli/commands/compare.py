"""`mlreg compare`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument
from mlreg.cli.options import REF
from mlreg.cli.session import SessionOptions


def compare(
    session: SessionOptions,
    left: str = REF,
    right: str = argument("REF", "The one to compare it with.", complete="ref"),
) -> None:
    """Compare two versions, metric by metric, offline and live.

    $ mlreg compare sentiment@1.0.0 sentiment@2.0.0
    """
    with session.open_to_read() as registry:
        session.emit(registry.performance.compare(left, right))
