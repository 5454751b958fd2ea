"""`mlreg show`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument
from mlreg.cli.session import SessionOptions


def show(
    session: SessionOptions,
    ref: str | None = argument(
        "[REF]", "A version (name@1.2.0, an id), or a model's name.", complete="ref"
    ),
) -> None:
    """Show everything about a version, or about a model.

    $ mlreg show sentiment@champion
    $ mlreg show sentiment
    """
    with session.open() as registry:
        if ref and ("@" in ref or ref.startswith(("model-", "models:"))):
            session.emit(registry.versions.get(ref))
        else:
            session.emit(registry.versions.overview(ref))
