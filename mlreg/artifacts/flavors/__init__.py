"""Flavors: how an artifact of one kind is loaded and called. They are imported when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from mlreg.artifacts.runner import Answer, Failure, Input
from mlreg.entities.versions import Signature
from mlreg.errors import ArtifactUnloadable
from mlreg.names import safe

DEFAULT = "sklearn"
_MODULES = {"sklearn": "mlreg.artifacts.flavors.sklearn"}


class Flavor(Protocol):
    """A way to load and call artifacts. What `load` returns is given back to the other two."""

    def load(self, data: bytes, *, trusted: bool, proved: bool = False) -> Any:
        """The model in these bytes; if it must be proved, only one that is shown to be sound.

        Raises:
            NotProved: It is not shown.
            ArtifactError: It needs trust, is no model, or cannot be loaded.
        """

    def signature(self, model: Any) -> Signature:
        """What the model takes and gives."""

    def notes(self, model: Any) -> tuple[str, ...]:
        """What a person should know about the model, a line each."""

    def predict(
        self, model: Any, signature: Signature, inputs: Sequence[Input]
    ) -> list[Answer | Failure]:
        """Answer each input, in order.

        Raises:
            MemoryError: There was not enough; whoever isolates the model decides what to do.
        """


def flavor(name: str) -> Flavor:
    """The flavor of that name.

    Raises:
        ArtifactUnloadable: There is none.
    """
    module = _MODULES.get(name)
    if module is None:
        raise ArtifactUnloadable(
            f"there is no flavor {safe(name)!r}", hint=f"flavors: {', '.join(_MODULES)}"
        )
    return cast("Flavor", import_module(module))
