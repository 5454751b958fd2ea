"""`mlreg init`."""

from __future__ import annotations

from pathlib import Path

from mlreg.cli.kit.parameters import argument
from mlreg.cli.options import ACTOR
from mlreg.cli.session import SessionOptions, path
from mlreg.entities.documents import Place


def init(
    session: SessionOptions,
    folder: Path = argument(
        "[DIR]", "The folder; made if need be.", path, default=Path(), show_default=True
    ),
    actor: str | None = ACTOR,
) -> None:
    """Create a registry in a folder.

    $ mlreg init
    """
    from mlreg.registry import init_registry

    with init_registry(session.registry or folder, actor=actor) as registry:
        place = Place(folder=str(registry.folder.parent), registry=str(registry.folder))
        session.emit(place, said=f"created the registry {registry.folder}")
    session.suggest("mlreg register NAME@1.0.0 model.joblib")
