"""What a forked child must not share with its parent: its locks, and the pipes to its models."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Inherited(Protocol):
    """Something that a fork copies and that is of no use there as it is."""

    def begin_anew(self) -> None:
        """In the child: forget what is the parent's; no other thread runs."""


_inherited: WeakSet[Inherited] = WeakSet()


def watch(target: Inherited) -> None:
    """Have it begin anew in each forked child, as long as it lives."""
    _inherited.add(target)


def _begin_anew() -> None:
    for target in list(_inherited):
        target.begin_anew()


os.register_at_fork(after_in_child=_begin_anew)
