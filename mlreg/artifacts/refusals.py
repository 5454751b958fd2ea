"""How the reader of artifacts says no."""

from __future__ import annotations

from mlreg.errors import ArtifactUntrusted
from mlreg.names import safe

HINT = "register --trust if you know who made it"


def name_of(target: object) -> str:
    """How to call a class, function or instance in a message; runs none of its code."""
    named = target if isinstance(target, type) or callable(target) else type(target)
    module = getattr(named, "__module__", None) or ""
    return safe(f"{module}.{getattr(named, '__qualname__', type(target).__name__)}")


def refuse(what: str) -> ArtifactUntrusted:
    """The error for what no honest artifact does or holds."""
    return ArtifactUntrusted(f"the artifact {what}, which is not allowed", hint=HINT)
