"""Forks: no connection goes along with one.

SQLite keeps in memory which locks its process holds, and a child inherits that memory but none of
the locks: it would write and checkpoint without any. So before a fork all connections are closed,
and afterwards parent and child open their own when they next need one.

Whoever uses a connection sits on the seat of its thread meanwhile. A fork takes all seats first,
so it waits for what runs, and whoever comes later waits for the fork. It cannot take them where a
transaction lasts too long, or where the forking thread itself is inside one: then the parent keeps
its connections, and the child, which must touch nothing that it inherited, is refused for good.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from mlreg.errors import StoreForked

PATIENCE_SECONDS = 30.0


class Holder(Protocol):
    """Something that holds connections to a file."""

    path: Path

    @property
    def is_open(self) -> bool:
        """Whether it holds any."""

    def drain(self) -> None:
        """Close them all; nobody is using one."""

    def disown(self) -> Iterable[object]:
        """In the child: forget those that were inherited, and return them."""


class _Process:
    """What the threads of this process share. A child begins with a new one."""

    def __init__(self, *, is_refused: bool = False) -> None:
        self.seats: dict[int, RLock] = {}
        self.one_fork = RLock()
        # Held by a fork as well, since a thread that ends closes its connection without a seat.
        self.closing = RLock()
        self.making = RLock()
        self.fork_is_near = False
        self.fork_is_over = threading.Event()
        self.taken: list[RLock] = []
        self.is_busy = False
        self.is_refused = is_refused


_process = _Process()
_holders: WeakSet[Holder] = WeakSet()
# Closing them would tell SQLite to tidy up, so they live as long as the process.
_immortal: list[object] = []


def watch(holder: Holder) -> None:
    """Drain this one before each fork, as long as it lives."""
    with _process.closing:
        _holders.add(holder)


def holders() -> list[Holder]:
    """All that are watched."""
    with _process.closing:
        return list(_holders)


def seat() -> RLock:
    """This thread's seat, to be held while a connection is used; it can be taken repeatedly."""
    mine = _process.seats.get(get_ident())
    if mine is None:
        mine = _process.seats.setdefault(get_ident(), RLock())
    if _process.fork_is_near and not _is_mine(mine):
        _process.fork_is_over.wait(2 * PATIENCE_SECONDS)
    return mine


class _Lazy:
    """A value made when it is first asked for, on the thread's seat.

    A fork so waits until it is made: a child would wait for ever for a thread that it does not
    have, be it for the lock of the property or for that of an import.
    """

    def __init__(self, make: Callable[[Any], object]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, instance: object, owner: type | None = None) -> object:
        """The value, made now: later on it is found before this is asked."""
        if instance is None:
            return self
        with seat(), _process.making:
            kept = vars(instance)
            name = self._make.__name__
            if name not in kept:
                kept[name] = self._make(instance)
            return kept[name]


if TYPE_CHECKING:
    from functools import cached_property as lazy
else:
    lazy = _Lazy


def closing() -> RLock:
    """To be held while a connection is closed for a thread that has no seat any more."""
    return _process.closing


def check_child() -> None:
    """Refuse to open a connection where the memory of SQLite is another process's.

    Raises:
        StoreForked: This process was forked while connections were open.
    """
    if _process.is_refused:
        raise refusal()


def refusal() -> StoreForked:
    """The error that says so, and what to do instead."""
    return StoreForked(
        "this process was forked while the registry was in use, and cannot use it",
        hint="fork outside of transactions and by Python's own means, or open it after the fork",
    )


def begin_as_child() -> None:
    """Leave the connections of the parent alone. Python calls it after each fork of its own.

    A child that some C library made finds out by its process id, and calls it then.
    """
    global _process
    inherited = [connection for holder in list(_holders) for connection in holder.disown()]
    if inherited:
        _keep_for_ever(inherited)
    is_refused = _process.is_refused or _process.is_busy or bool(inherited)
    _process = _Process(is_refused=is_refused)


def _is_mine(lock: RLock) -> bool:
    return lock._is_owned()  # type: ignore[attr-defined,no-any-return]  # as threading.Condition asks


def _before() -> None:
    if _is_mine(seat()):
        return
    deadline = time.monotonic() + PATIENCE_SECONDS
    process = _process
    if process.one_fork.acquire(timeout=PATIENCE_SECONDS):
        process.fork_is_over.clear()
        process.fork_is_near = process.is_busy = True
        if _take_all(process, deadline):
            for holder in list(_holders):
                holder.drain()
            process.is_busy = False


def _take_all(process: _Process, deadline: float) -> bool:
    for lock in (*list(process.seats.values()), process.closing):
        if not lock.acquire(timeout=max(deadline - time.monotonic(), 0)):
            return False
        process.taken.append(lock)
    return True


def _in_parent() -> None:
    if _is_mine(_process.one_fork):
        _process.fork_is_near = _process.is_busy = False
        while _process.taken:
            _process.taken.pop().release()
        _process.fork_is_over.set()
        _process.one_fork.release()


def _keep_for_ever(inherited: list[object]) -> None:
    import ctypes

    _immortal.append(inherited)
    # The end of the interpreter clears modules, and would close them then.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=begin_as_child)
