"""What was made from the registry for the path of predictions, kept until the registry changes."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from mlreg.store.engines import Stamp
from mlreg.store.store import Store

# How long a change made by another process may stay unseen. Asking SQLite costs 3 µs, three times
# as much as choosing an arm; a change made through this registry is seen at once.
FRESH_SECONDS = 0.001

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Kept(NamedTuple, Generic[Value]):
    value: Value
    generation: int
    stamp: Stamp
    checked_at: float


class Fresh(Generic[Key, Value]):
    """Values by key, each made anew once something has been committed.

    Args:
        store: The store that they are made from.
        make: Makes the value of a key; it is given the outdated one, if there is any.
        seconds: How long a change made by another process may stay unseen.
    """

    def __init__(
        self,
        store: Store,
        make: Callable[[Key, Value | None], Value],
        *,
        seconds: float = FRESH_SECONDS,
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._make = make
        self._kept: dict[Key, _Kept[Value]] = {}

    def get(self, key: Key) -> Value:
        """The value of a key as of now."""
        kept, present, store = self._kept.get(key), monotonic(), self._store
        if kept is not None and kept.generation == store.generation:
            if present - kept.checked_at < self._seconds:
                return kept.value
            if store.stamp() == kept.stamp:
                self._kept[key] = kept._replace(checked_at=present)
                return kept.value
        # The marks are taken before the value is made: a change in between is seen next time.
        generation, stamp = store.generation, store.stamp()
        value = self._make(key, kept.value if kept else None)
        self._kept[key] = _Kept(value, generation, stamp, present)
        return value
