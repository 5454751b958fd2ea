"""`mlreg abtest list`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import option
from mlreg.cli.options import MODEL
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import ExperimentList
from mlreg.entities.experiments import State


def list_(
    session: SessionOptions,
    model: str | None = MODEL,
    status: State | None = option("--status", "Only these."),
) -> None:
    """List the tests, the newest first.

    $ mlreg abtest list
    $ mlreg abtest list --status running --field experiments.test_id
    """
    with session.open_to_read() as registry:
        found = registry.experiments.list(model=model, state=status)
        session.emit(ExperimentList(experiments=list(found)))
