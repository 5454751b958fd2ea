"""Models in this very process: the fastest way, for code that trusts its models to behave."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.artifacts import forks
from mlreg.artifacts.flavors import DEFAULT, Flavor, flavor
from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.runner import Batch, Failure, Input, Inspection, Loadable, Pending
from mlreg.entities.versions import Signature
from mlreg.errors import ArtifactError, ArtifactUnloadable

if TYPE_CHECKING:
    from mlreg.artifacts.flavors.outcomes import Outcomes

Key = tuple[str, bool]


class InProcessRunner:
    """Loads and calls models in the process of the caller; safe to use from several threads.

    There is no time limit and no isolation: a model that hangs, hangs the caller, and one that
    crashes takes it along. Exceptions of a model are outcomes, here as everywhere.

    Args:
        objects: Where the artifacts are.
        capacity: How many loaded models are kept; the one unused for longest goes first.
        only_proved: Load what nobody trusts only if it is proved sound; see `takes`.
    """

    def __init__(
        self, objects: ObjectStore, *, capacity: int = 16, only_proved: bool = False
    ) -> None:
        self._objects = objects
        self._capacity = capacity
        self._only_proved = only_proved
        self._models: OrderedDict[Key, tuple[Flavor, Any]] = OrderedDict()
        self.begin_anew()
        forks.watch(self)

    def begin_anew(self) -> None:
        """Have locks that nobody holds: a forked child inherits them as they are. See `forks`."""
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def takes(self, digest: str, *, trusted: bool) -> bool:
        """Whether the object may be loaded here; one that cannot be loaded at all may.

        The error then comes from here, as it would from anywhere.
        """
        from mlreg.artifacts.soundness import NotProved

        try:
            self._model(digest, DEFAULT, trusted)
        except NotProved:
            return False
        except ArtifactError:
            return True
        return True

    def inspect(self, digest: str, *, trusted: bool) -> Inspection:
        """Load the object and infer its signature. See `Runner.inspect`."""
        kind, model = self._model(digest, DEFAULT, trusted)
        return Inspection(DEFAULT, kind.signature(model), kind.notes(model))

    def predict(self, model: Loadable, inputs: Sequence[Input]) -> Batch:
        """Answer each input, in order. See `Runner.predict`."""
        try:
            kind, loaded = self._model(model.digest, model.flavor, model.trusted)
        except ArtifactError as error:
            return Batch([Failure("artifact", error.message)] * len(inputs), 0.0)
        started = perf_counter()
        outcomes = _predict(kind, loaded, model.signature, inputs)
        return Batch(outcomes, perf_counter() - started)

    def submit(self, model: Loadable, inputs: Sequence[Input]) -> Pending:
        """Answer when the result is asked for: there is nobody else here to do the work."""
        return _Later(self, model, inputs)

    def close(self) -> None:
        """Forget the loaded models."""
        with self._lock:
            self._models.clear()

    def _model(self, digest: str, name: str, trusted: bool) -> tuple[Flavor, Any]:
        key = digest, trusted
        if found := self._cached(key):
            return found
        # One load at a time: two of the same model would cost twice the memory for nothing.
        with self._loading:
            if found := self._cached(key):
                return found
            kind = flavor(name)
            proved = self._only_proved and not trusted
            loaded = kind, _load(kind, self._objects.read(digest), trusted, proved)
            self._keep(key, loaded)
            return loaded

    def _cached(self, key: Key) -> tuple[Flavor, Any] | None:
        with self._lock:
            found = self._models.get(key)
            if found:
                self._models.move_to_end(key)
            return found

    def _keep(self, key: Key, loaded: tuple[Flavor, Any]) -> None:
        with self._lock:
            self._models[key] = loaded
            while len(self._models) > self._capacity:
                self._models.popitem(last=False)


class _Later(NamedTuple):
    runner: InProcessRunner
    model: Loadable
    inputs: Sequence[Input]

    def result(self) -> Batch:
        return self.runner.predict(self.model, self.inputs)


def _load(kind: Flavor, data: bytes, trusted: bool, proved: bool) -> Any:
    try:
        return kind.load(data, trusted=trusted, proved=proved)
    except MemoryError:
        raise ArtifactUnloadable("there is not enough memory to load the artifact") from None


def _predict(kind: Flavor, model: Any, signature: Signature, inputs: Sequence[Input]) -> Outcomes:
    try:
        return kind.predict(model, signature, inputs)
    except MemoryError as error:
        from mlreg.artifacts.flavors.outcomes import failed  # numpy: not for opening a registry

        if len(inputs) == 1:
            return [failed(error)]
    return [answer for item in inputs for answer in _predict(kind, model, signature, (item,))]
