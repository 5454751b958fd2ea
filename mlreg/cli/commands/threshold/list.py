"""`mlreg threshold list`."""

from __future__ import annotations

from mlreg.cli.options import NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import ThresholdList


def list_(session: SessionOptions, name: NameOptions) -> None:
    """List the thresholds, and how many alerts of each fire.

    $ mlreg threshold list
    $ mlreg threshold list sentiment --field thresholds.condition
    """
    with session.open_to_read() as registry:
        session.emit(ThresholdList(thresholds=registry.thresholds.list(name)))
