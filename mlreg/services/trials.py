"""Thresholds tried on the log: when they would have fired, had they been there."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import HOUR, MINUTE, from_micros
from mlreg.entities.predictions import ROLES
from mlreg.entities.thresholds import Standing, Trial, WouldFire
from mlreg.errors import InvalidInput
from mlreg.evidence.alerts import transition
from mlreg.evidence.conditions import Condition, evaluate, measure, of_catalogue, told
from mlreg.evidence.grammar import parse
from mlreg.metrics import COUNTS
from mlreg.names import safe
from mlreg.services.windows import Window, spans
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.thresholds import Threshold
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_LIVE = ROLES.index("live")
# A window is looked at so many times while it passes by.
_STEPS = 5


class _Piece(NamedTuple):
    """What a version did in a short time that ends at an instant."""

    until: int
    tally: Tally


def try_threshold(
    tx: Transaction, model: ModelRow, threshold: Threshold, *, since: int, now: int
) -> Trial:
    """When a threshold would have fired. Labels count from when their answer was given.

    Args:
        tx: A snapshot whose summaries cover all of the log.
        model: The model.
        threshold: What must hold: of a time, held against a number.
        since: From when on, in microseconds.
        now: Until when.

    Raises:
        InvalidInput: It cannot be tried so.
    """
    condition = _triable(threshold)
    assert isinstance(condition.over, timedelta)  # for the type checker
    size = max(MINUTE, min(HOUR, condition.over // timedelta(microseconds=1) // _STEPS))
    keys = {version.key: version.version for version in tx.versions.of_model(model.key)}
    pieces = _pieces(tx, set(keys), since, now, size)
    fired: list[WouldFire] = []
    looks = 0
    for key, found in sorted(pieces.items()):
        seen = _run(condition, keys[key], found)
        looks += seen[0]
        fired += seen[1]
    return Trial(
        model=model.name,
        threshold=threshold.name,
        condition=str(condition),
        since=from_micros(since),
        until=from_micros(now),
        looks=looks,
        fired=tuple(sorted(fired, key=lambda one: one.fired_at)),
    )


def _triable(threshold: Threshold) -> Condition:
    condition = parse(threshold.condition) if threshold.condition else None
    if condition is None or condition.reference or condition.metric in COUNTS:
        raise InvalidInput(
            f"{safe(threshold.demand)} depends on more than the answers of a window",
            hint="try one like 'error_rate <= 5% over 10m'",
        )
    if not isinstance(condition.over, timedelta):
        raise InvalidInput(
            f"{safe(str(condition))} has no window of time to go through the log with",
            hint="add one: over 10m",
        )
    return condition


def _pieces(
    tx: Transaction, keys: set[int], since: int, now: int, size: int
) -> dict[int, list[_Piece]]:
    """What each version did, piece by piece; hours in which nobody asked are passed over."""
    busy = {
        span.at // HOUR
        for span in spans(tx, keys, Window(since, now), now=now, hourly=True)
        if span.cell.role == _LIVE
    }
    found: dict[int, list[_Piece]] = defaultdict(list)
    for hour in sorted(busy):
        for start in range(max(since, hour * HOUR), min(now, (hour + 1) * HOUR), size):
            window = Window(start, min(start + size, (hour + 1) * HOUR, now))
            for key, tally in _short(tx, keys, window, now).items():
                found[key].append(_Piece(window.until, tally))
    return found


def _short(tx: Transaction, keys: set[int], window: Window, now: int) -> dict[int, Tally]:
    tallies: dict[int, Tally] = defaultdict(Tally)
    for span in spans(tx, keys, window, now=now):
        if span.cell.role == _LIVE:
            tallies[span.cell.version].merge(span.tally)
    return tallies


def _run(condition: Condition, version: str, pieces: list[_Piece]) -> tuple[int, list[WouldFire]]:
    """How many looks there were at a version, and when it would have fired."""
    fired: list[WouldFire] = []
    standing: Standing | None = None
    looks = 0
    for until, tally in _windows(condition, pieces):
        looks += 1
        seen = measure(of_catalogue(condition.metric), tally, sure=condition.sure)
        judged = evaluate(condition, seen)
        before = standing
        standing = transition(standing, judged.state, condition.lasting, until)
        if standing is not None and standing.state == "resolved":
            fired[-1] = fired[-1].over(from_micros(until))
            standing = None
        elif standing and standing.state == "firing" and not (before and before.state == "firing"):
            why = f"{version}: {told(condition, seen, judged)}"
            fired.append(WouldFire(fired_at=from_micros(until), version=version, why=why))
    return looks, fired


def _windows(condition: Condition, pieces: list[_Piece]) -> Iterator[tuple[int, Tally]]:
    """The window after each piece, as it passes by."""
    assert isinstance(condition.over, timedelta)  # for the type checker
    length = condition.over // timedelta(microseconds=1)
    held: deque[_Piece] = deque()
    for piece in pieces:
        held.append(piece)
        while held[0].until <= piece.until - length:
            held.popleft()
        whole = Tally()
        for one in held:
            whole.merge(one.tally)
        yield piece.until, whole
