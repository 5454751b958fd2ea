"""The process that runs models: started before anything else, since it takes longest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.runners import make_worker
from mlreg.config import OBJECTS, find_registry, load_settings

if TYPE_CHECKING:
    from mlreg.registry import Registry


def open_with_worker(path: Path | None, *, actor: str | None) -> Registry:
    """Open a registry whose models run in a process of their own, within limits."""
    folder = find_registry(path)
    settings = load_settings(folder)
    objects = ObjectStore(folder / OBJECTS, allow_shared=settings.flag("allow_shared"))
    runner = make_worker(objects, settings)
    # It imports scikit-learn while this process opens the registry.
    runner.start()
    try:
        from mlreg.registry import Registry

        return Registry(folder, actor=actor, runner=runner)
    except BaseException:
        runner.close()
        raise
