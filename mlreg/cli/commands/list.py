"""`mlreg list`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import VersionList
from mlreg.entities.versions import Status
from mlreg.names import safe


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
        found = registry.versions.list(name, status=status, tag=tag)
        asked = (status and f"are {status}", tag and f"have the tag {safe(tag)}")
        none = "no versions " + " and ".join(filter(None, asked)) if any(asked) else None
        session.emit(VersionList(models=found), said=None if found else none)
