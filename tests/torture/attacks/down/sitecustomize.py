"""Takes one wall down, in each Python that has this folder on its path: the other must hold alone.

`PYTHON_WALL_DOWN=states`: artifacts are read as joblib reads them, whatever they say.
`PYTHON_WALL_DOWN=confinement`: the process for models raises no wall, and says that it has.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


def _read_anything(reader: Any) -> None:
    def load(data: bytes, *, trusted: bool) -> Any:
        return reader._guarded(lambda: reader._load_trusted(data))

    def load_proved(data: bytes) -> Any:
        raise reader.soundness.NotProved("no artifact is looked at")

    reader.load, reader.load_proved = load, load_proved


def _raise_nothing(confinement: Any) -> None:
    confinement.raise_walls = lambda *_: {}


DOWN: dict[str, tuple[str, Callable[[Any], None]]] = {
    "states": ("mlreg.artifacts.unpickling", _read_anything),
    "confinement": ("mlreg.artifacts.confinement", _raise_nothing),
}


class Finder(importlib.abc.MetaPathFinder):
    """Finds the module of a wall where it is, and changes it when it has been imported."""

    def __init__(self, name: str, change: Callable[[Any], None]) -> None:
        self._name = name
        self._change = change

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own place, with another way of loading it."""
        if name != self._name:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        if found is not None and found.loader is not None:
            run = found.loader.exec_module

            def run_and_change(module: ModuleType) -> None:
                run(module)
                self._change(module)

            found.loader.exec_module = run_and_change  # type: ignore[method-assign]
        return found


if wall := DOWN.get(os.environ.get("PYTHON_WALL_DOWN", "")):
    sys.meta_path.insert(0, Finder(*wall))
