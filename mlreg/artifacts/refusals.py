"""How the reader of artifacts says no."""

from __future__ import annotations

from mlreg.errors import ArtifactUntrusted
from mlreg.names import safe

HINT = "register --trust if you know who made it"


# Libraries whose models answer as those of scikit-learn do, once their code may run.
_WORKING = ("xgboost", "lightgbm")


def trusting(module: str) -> str:
    """The hint where a name of this module needs trust."""
    library = module.partition(".")[0]
    return f"{library} works with trust: {HINT}" if library in _WORKING else HINT


def lacking(error: BaseException) -> str:
    """How to make code importable that an artifact needs, if that is what is wrong."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = safe(error.name.partition(".")[0])
        return (
            f"install {name} where mlreg is installed; or, in the folder that has {name}.py, run: "
            'export PYTHONPATH="$PWD"'
        )
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return (
            "a class of one's own belongs in a module: move it out of the script into a file, "
            "import it from there, and store the model again"
        )
    return ""


def name_of(target: object) -> str:
    """How to call a class, function or instance in a message; runs none of its code."""
    named = target if isinstance(target, type) or callable(target) else type(target)
    module = getattr(named, "__module__", None) or ""
    return safe(f"{module}.{getattr(named, '__qualname__', type(target).__name__)}")


def refuse(what: str) -> ArtifactUntrusted:
    """The error for what no honest artifact does or holds."""
    return ArtifactUntrusted(f"the artifact {what}, which is not allowed", hint=HINT)
