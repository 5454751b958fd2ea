"""What the tests of artifacts share: an object store, and models that misbehave."""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.runner import Loadable
from mlreg.entities.versions import Signature

Store = Callable[..., Loadable]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """On a busy machine many threads for tiny arrays cost minutes."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    """An empty store."""
    return ObjectStore(tmp_path / "objects")


@pytest.fixture
def stored(objects: ObjectStore) -> Store:
    """Stores an estimator, and says what a runner needs to load it."""

    def store(estimator: Any, *, trusted: bool = False, **signature: Any) -> Loadable:
        buffer = io.BytesIO()
        joblib.dump(estimator, buffer)
        digest = objects.put_bytes(buffer.getvalue()).digest
        return Loadable(digest, "sklearn", trusted, Signature(**{"input": "vector"} | signature))

    return store


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of misbehaving models, importable here and in processes started from here."""
    folder = str(Path(__file__).parent / "models")
    inherited = os.environ.get("PYTHONPATH", "")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (folder, inherited))))
    yield __import__("misbehaving")
    sys.modules.pop("misbehaving", None)


class Call:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function: Any, *args: Any, state: Any = None) -> None:
        self.parts = (function, args) if state is None else (function, args, state)

    def __reduce__(self) -> Any:
        return self.parts


def calling(function: Any, *args: Any, state: Any = None) -> bytes:
    """A pickle that calls a function, and fills what it returns with a state."""
    return pickle.dumps(Call(function, *args, state=state), protocol=4)
