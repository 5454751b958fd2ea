"""What runs the models of a registry: this process, one of its own, or each model where it may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.runner import Batch, Input, Inspection, Loadable, Pending, Runner
from mlreg.artifacts.worker import WorkerRunner
from mlreg.config import Settings
from mlreg.errors import InvalidInput

if TYPE_CHECKING:
    from mlreg.artifacts.inprocess import InProcessRunner

Place = Literal["inprocess", "worker"]


# Whoever asks in the background takes the processor that is left over.
_BACKGROUND = 10


def make_worker(
    objects: ObjectStore, settings: Settings, *, is_background: bool = False
) -> WorkerRunner:
    """A runner in processes of its own, started when needed, with the limits of the settings.

    Args:
        objects: Where the artifacts are.
        settings: They have the limits.
        is_background: Nobody waits for its answers: it has the limit of shadows, and others go
            first.
    """
    return WorkerRunner(
        objects,
        timeout_seconds=settings.number("shadow_timeout" if is_background else "timeout"),
        load_timeout_seconds=settings.number("load_timeout"),
        memory_limit_bytes=int(settings.number("memory_limit_mb")) << 20,
        niceness=_BACKGROUND if is_background else 0,
    )


def make_runner(place: Place | None, objects: ObjectStore, settings: Settings) -> Runner:
    """What runs models when the caller has made nothing of its own.

    Args:
        place: Run all of them here, or all in a process of their own; None: those that somebody
            trusts or that are proved sound here, the others there.
        objects: Where the artifacts are.
        settings: They say how long the other process may take and how large it may grow.

    Raises:
        InvalidInput: There is no such place.
    """
    from mlreg.artifacts.inprocess import InProcessRunner

    if place == "inprocess":
        return InProcessRunner(objects)
    if place == "worker":
        return make_worker(objects, settings)
    if place is None:
        here = InProcessRunner(objects, only_proved=True)
        return SortingRunner(here, make_worker(objects, settings))
    raise InvalidInput("runner must be 'inprocess', 'worker', None or an object that runs models")


class SortingRunner:
    """Runs a model here if somebody trusts it or if it is proved sound, and elsewhere if not.

    Args:
        here: Runs models in this process, and takes no others.
        elsewhere: Runs the rest.
    """

    def __init__(self, here: InProcessRunner, elsewhere: Runner) -> None:
        self._here = here
        self._elsewhere = elsewhere
        self._chosen: dict[tuple[str, bool], Runner] = {}

    def inspect(self, digest: str, *, trusted: bool) -> Inspection:
        """Load the object where it may run, and infer its signature. See `Runner.inspect`."""
        return self._choose(digest, trusted).inspect(digest, trusted=trusted)

    def predict(self, model: Loadable, inputs: Sequence[Input]) -> Batch:
        """Answer each input, in order. See `Runner.predict`."""
        return self._choose(model.digest, model.trusted).predict(model, inputs)

    def submit(self, model: Loadable, inputs: Sequence[Input]) -> Pending:
        """Begin to answer. See `Runner.submit`."""
        return self._choose(model.digest, model.trusted).submit(model, inputs)

    def close(self) -> None:
        """Forget the models that are loaded here, and end what was started."""
        self._here.close()
        self._elsewhere.close()

    def _choose(self, digest: str, trusted: bool) -> Runner:
        """Where the artifact runs; what its bytes are decides, and they never change."""
        found = self._chosen.get((digest, trusted))
        if found is None:
            found = self._here if self._here.takes(digest, trusted=trusted) else self._elsewhere
            self._chosen[digest, trusted] = found
        return found
