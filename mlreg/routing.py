"""Which arm answers: pure functions of a revision and a unit, a random number or a turn.

Sticky routing is weighted rendezvous hashing (Schindelhauer and Schomaker 2005; Mosharaf's and
Jason Resch's form `-w / ln(u)`): every version draws a hash of (salt, unit, version), scaled by
its weight, and the highest score answers. A version's score depends on nothing but its own
weight, so when weights change a unit moves only to an arm that gained against the one it leaves:
with two arms, or where the others share in proportion, that is the necessary share and no more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from math import inf, log
from random import random
from typing import NamedTuple

from mlreg.entities.traffic import WHOLE, Arm, Revision

_CELL = 2.0**-56  # of a hash of seven bytes
_from_bytes = int.from_bytes
_BLOCK = 100  # turns; a percentage has so many basis points as well
_STRIDE = 61  # near 100 divided by the golden ratio, and coprime to 100


class Table(NamedTuple):
    """A revision made ready for choosing: its live arms with what each strategy needs of them."""

    arms: tuple[Arm, ...]
    bounds: tuple[int, ...]
    strategy: str
    hashers: tuple[tuple[Callable[[], blake2b], float, Arm], ...]


def table_of(revision: Revision) -> Table:
    """The routing table of a revision; build it once and choose from it many times."""
    arms = revision.live
    bounds = tuple(accumulate(arm.weight for arm in arms))
    hashers = tuple(
        (_hasher(revision.salt, arm.model_id).copy, -1 / arm.weight, arm) for arm in arms
    )
    return Table(arms, bounds, revision.strategy, hashers)


def _hasher(salt: str, model_id: str) -> blake2b:
    # Keyed by salt and version once; each unit then costs a copy and an update.
    key = blake2b(f"{salt}\0{model_id}".encode(), digest_size=32).digest()
    return blake2b(digest_size=7, key=key)


def choose(table: Table, unit: str | None, turn: int | None = None) -> tuple[Arm, str]:
    """The arm that answers, and the reason in one word.

    Args:
        table: Of a revision with at least one live arm.
        unit: The randomisation key; sticky routing without one falls back to random.
        turn: For round-robin, the number of the prediction in the model's sequence.

    Returns:
        The arm, and one of `only-arm`, `sticky`, `round-robin`, `random` or `no-unit`.
    """
    arms = table.arms
    if len(arms) == 1:
        return arms[0], "only-arm"
    if table.strategy == "sticky":
        if unit is not None:
            return _stick(table, unit), "sticky"
        return _at_random(table), "no-unit"
    if table.strategy == "round-robin" and turn is not None:
        order = schedule(tuple(arm.weight for arm in arms))
        return arms[order[turn % len(order)]], "round-robin"
    return _at_random(table), "random"


def _at_random(table: Table) -> Arm:
    return table.arms[bisect_right(table.bounds, random() * table.bounds[-1])]


def _stick(table: Table, unit: str) -> Arm:
    key = unit.encode("utf-8", "surrogatepass")
    best, lowest = table.arms[0], inf
    for fresh_hasher, scale, arm in table.hashers:
        hasher = fresh_hasher()
        hasher.update(key)
        # The middle of the hash's cell, so that the logarithm never sees 0.
        score = log((_from_bytes(hasher.digest(), "big") + 0.5) * _CELL) * scale
        if score < lowest:
            best, lowest = arm, score
    return best


@lru_cache(maxsize=64)
def schedule(weights: tuple[int, ...]) -> bytes:
    """The cycle of turns in which every 100 in a row are within one turn of the weights.

    It is made of blocks of 100 turns. In each block an arm has the whole part of its percentage
    at places that never change; the turns that are left over go round the arms in proportion to
    the fractions. An arm that keeps a left-over turn in the next block keeps its place, so that
    a window across two blocks never holds more of it than the fuller of both.

    Args:
        weights: Basis points that sum to 10 000.
    """
    whole = [weight // _BLOCK for weight in weights]
    left = _BLOCK - sum(whole)
    pattern = _spread([*whole, left])
    if not left:
        return bytes(pattern)
    fractions = list(accumulate(weight % _BLOCK for weight in weights))
    places = [turn for turn, arm in enumerate(pattern) if arm == len(weights)]
    seats: list[int] = [-1] * left
    blocks = []
    for block in range(_BLOCK):
        points = range(block * _STRIDE % _BLOCK, left * _BLOCK, _BLOCK)
        seats = _reseat(seats, [bisect_right(fractions, point) for point in points])
        for place, arm in zip(places, seats, strict=True):
            pattern[place] = arm
        blocks.append(bytes(pattern))
    # Forth and back, so that the end fits the beginning as well as any two neighbours.
    return b"".join(blocks + blocks[::-1])


def _spread(counts: list[int]) -> list[int]:
    """Each index as often as its count, evenly (the chairman assignment of Tijdeman 1980)."""
    total, taken, order = sum(counts), [0] * len(counts), []
    for turn in range(1, total + 1):
        due = [i for i, n in enumerate(counts) if turn * n > taken[i] * total]
        pick = min(due, key=lambda i: ((taken[i] + 1) * total / counts[i], i))
        taken[pick] += 1
        order.append(pick)
    return order


def _reseat(seats: list[int], arms: list[int]) -> list[int]:
    coming = iter([arm for arm in arms if arm not in seats])
    return [seat if seat in arms else next(coming) for seat in seats]


def shares(counts: list[int], whole: int = WHOLE) -> list[int]:
    """Integers that sum to `whole` in proportion to `counts`, by the largest remainder.

    Each is at least 1: an arm does not vanish because another one grows.

    Raises:
        ValueError: There is a count below 1, or `whole` has too little for all.
    """
    total = sum(counts)
    if min(counts, default=0) < 1 or whole < len(counts):
        raise ValueError("no weight to share out")
    floors = [count * whole // total for count in counts]
    left = whole - sum(floors)
    by_remainder = sorted(range(len(counts)), key=lambda i: (-(counts[i] * whole % total), i))
    for i in by_remainder[:left]:
        floors[i] += 1
    for i in [i for i, floor in enumerate(floors) if floor == 0]:
        floors[i] = 1
        floors[floors.index(max(floors))] -= 1
    return floors
