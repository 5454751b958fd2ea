"""Which globals a pickle may name without trust, and what it may do with each.

The list is data, made by `scripts/generate_allowlist.py`: one `module:name use` a line. The use is

    value   it may be mentioned (a parameter, a dtype), never called
    new     a class whose instances are made empty, by `cls.__new__(cls)`
    call    it may be called with arguments; functions among these have their arguments checked
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Literal

from mlreg.artifacts.refusals import trusting
from mlreg.errors import ArtifactUnloadable, ArtifactUntrusted
from mlreg.names import safe

Use = Literal["value", "new", "call"]
Name = tuple[str, str]

FILE = "allowed_globals.txt"

# Pickles of protocol 2 and earlier spell some modules as Python 2 did; numpy 2 moved its core.
_MOVED = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_OLD_CORE, _NEW_CORE = "numpy.core.", "numpy._core."


@cache
def allowed() -> dict[Name, Use]:
    """The list that ships with mlreg."""
    return parse(files("mlreg.artifacts").joinpath(FILE).read_text(encoding="utf-8"))


def parse(text: str) -> dict[Name, Use]:
    """Read the list's text; lines that begin with `#` are remarks."""
    found: dict[Name, Use] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            path, use = line.split()
            module, name = path.split(":")
            found[module, name] = use  # type: ignore[assignment]
    return found


def modern(module: str) -> str:
    """The module's present name."""
    if module.startswith(_OLD_CORE):
        return _NEW_CORE + module[len(_OLD_CORE) :]
    return _MOVED.get(module, module)


def admit(module: str, name: str) -> tuple[object, Use]:
    """The object of that name and what may be done with it.

    Raises:
        ArtifactUntrusted: It is not on the list.
        ArtifactUnloadable: It is, but the installed libraries do not have it.
    """
    use = allowed().get((modern(module), name))
    if use is None:
        raise ArtifactUntrusted(
            f"the artifact needs {safe(f'{module}.{name}')}, which is not on the allow-list",
            hint=trusting(module),
        )
    try:
        return getattr(_import(modern(module)), name), use
    except (ImportError, AttributeError):
        raise ArtifactUnloadable(
            f"the artifact needs {module}.{name}, which the installed libraries do not have",
            hint="install the versions of scikit-learn and numpy that it was made with",
        ) from None


def _import(module: str) -> object:
    try:
        return import_module(module)
    except ImportError:
        if not module.startswith(_NEW_CORE):
            raise
        return import_module(_OLD_CORE + module[len(_NEW_CORE) :])
