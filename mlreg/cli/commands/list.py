"""`mlreg list`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import VersionList
from mlreg.entities.versions import Status


def list_(
    session: SessionOptions,
    name: str | None = argument("[NAME]", "Only this model.", complete="model"),
    status: Status | None = option("--status", "Only these."),
    tag: str | None = option("--tag T", "Only with this."),
) -> None:
    """List versions with their status, traffic and requests.

    $ mlreg list
    $ mlreg list sentiment --status active --json
    """
    with session.open_to_read() as registry:
        session.emit(VersionList(models=registry.versions.list(name, status=status, tag=tag)))
