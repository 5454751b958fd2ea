"""Thresholds on the path of predictions: held against the log by those who answer.

Whoever adds the last prediction of an evaluation window holds the model's thresholds against the
log, as a tick would; which process that is, is settled in the database. A failure that makes a row
of them as long as a threshold allows has that at once. Until then it costs a comparison of ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import MINUTE
from mlreg.errors import MlregError
from mlreg.services.fresh import Fresh

if TYPE_CHECKING:
    from mlreg.entities.thresholds import Threshold
    from mlreg.entities.traffic import Rollback
    from mlreg.services.context import Context
    from mlreg.store.models import ModelRow

# Where no threshold names a number of predictions.
_USUAL_WINDOW = 100
# How long a policy that another process puts in force may stay unseen.
_FRESH_SECONDS = 0.05
# After a tick others are expected for so long.
_TICKING = 3 * MINUTE
# How far back a row of failures is looked for.
_FARTHEST = 5_000


class _Wire(NamedTuple):
    """What is to be looked at for a model.

    Attributes:
        policy: Its number; 0: there is none.
        window: In how many live predictions the thresholds are held against the log.
        row: How many failures in a row are too many; 0: nobody asks.
        short: The thresholds that look at a number of predictions alone.
    """

    policy: int
    window: int = 0
    row: int = 0
    short: frozenset[str] = frozenset()


class _Counted(NamedTuple):
    """How far this process has counted since a mark."""

    mark: int
    upto: int
    seen: int
    due: int


class Tripwires:
    """Holds thresholds against the log once enough was answered."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._wires = Fresh(context.store, self._wire, seconds=_FRESH_SECONDS)
        self._counted: dict[int, _Counted] = {}

    def passed(
        self, model: ModelRow, last_id: int, count: int, failed: Iterable[int] = ()
    ) -> Rollback | None:
        """Hold the thresholds against the log if that is due; it never breaks an answer.

        Args:
            model: Whose predictions were logged.
            last_id: The newest of them.
            count: How many live ones.
            failed: The versions that failed among them.

        Returns:
            The rollback that this has caused.
        """
        with suppress(MlregError):
            wire = self._wires.get(model)
            if not wire.window:
                return None
            if wire.row and any(self._is_too_long(wire, key, last_id) for key in failed):
                return self._evaluate(model, wire, has_minute=False)
            known = self._counted.get(model.key)
            if known is None or last_id >= known.due:
                return self._count(model, wire, last_id, count)
        return None

    def _wire(self, model: ModelRow, earlier: _Wire | None) -> _Wire:
        with self._context.store.read() as tx:
            number = tx.evaluations.policy_number(model.key)
            if number == 0 or (earlier and earlier.policy == number):
                return earlier if earlier and number else _Wire(0)
            from mlreg.services.policy_forms import thresholds_of

            policy = tx.decisions.policy(model)
        return _wire_of(number, thresholds_of(policy) if policy else ())

    def _is_too_long(self, wire: _Wire, version: int, last_id: int) -> bool:
        """Whether failures in a row are so many that somebody has to look.

        While they go on, that is at each of them for a time and then now and again.
        """
        with self._context.store.read() as tx:
            streak = tx.evaluations.streak(version, last_id, farthest=_FARTHEST)
        return wire.row <= streak < 10 * wire.row or (streak > 0 and streak % wire.row == 0)

    def _count(self, model: ModelRow, wire: _Wire, last_id: int, count: int) -> Rollback | None:
        """Count on from where this process stopped, and evaluate where the window is full."""
        known = self._counted.get(model.key)
        with self._context.store.read() as tx:
            mark = tx.evaluations.mark(model.key)
            if mark is not None:
                known = known if known and known.mark == mark.upto else None
                start, seen = (known.upto, known.seen) if known else (mark.upto, 0)
                seen += tx.evaluations.live(model.key, start, last_id)
        if mark is None:  # the first window begins with this answer
            with self._context.store.write(durable=False) as tx:
                tx.evaluations.claim(model.key, -1, last_id - count)
            return self._count(model, wire, last_id, count)
        if seen < wire.window:
            due = last_id + wire.window - seen
            self._counted[model.key] = _Counted(mark.upto, last_id, seen, due)
            return None
        with self._context.store.write(durable=False) as tx:
            is_ours = tx.evaluations.claim(model.key, mark.upto, last_id)
        self._counted[model.key] = _Counted(last_id, last_id, 0, last_id + wire.window)
        if not is_ours:
            return None
        return self._evaluate(model, wire, has_minute=self._has_minute(mark.at))

    def _has_minute(self, last: int) -> bool:
        """Whether windows of time are to be looked at: once a minute, where no tick does it."""
        now = self._context.clock()
        with self._context.store.read() as tx:
            ticked = tx.decisions.last_tick().at
        is_ticking = ticked is not None and 0 <= now - ticked < _TICKING
        return last // MINUTE != now // MINUTE and not is_ticking

    def _evaluate(self, model: ModelRow, wire: _Wire, *, has_minute: bool) -> Rollback | None:
        """Hold thresholds against the log: once a minute all of them, else the short ones."""
        from mlreg.services.rollbacks import rollback_of
        from mlreg.services.tick import Round, acting_for
        from mlreg.services.watching import ROLLBACK, Watcher

        context = self._context
        watcher = Watcher(None if has_minute else wire.short)
        look = context.folded if has_minute else context.store.read
        actor = acting_for(context.author(None))
        done, _ = Round(context, [watcher], context.clock(), actor, look).run(model.name)
        made = [one for one in done if one.what == ROLLBACK and one.outcome == "done"]
        if not made:
            return None
        with context.store.read() as tx:
            ((revision, evidence),) = tx.traffic.rollbacks(model, limit=1)
            return rollback_of(tx, model, revision, evidence)


def _wire_of(number: int, thresholds: Iterable[Threshold]) -> _Wire:
    from datetime import timedelta

    from mlreg.evidence.grammar import parse
    from mlreg.metrics import FAILURES_IN_A_ROW

    known = list(thresholds)
    if not known:
        return _Wire(number)
    windows, rows, short = [], [], set()
    for threshold in known:
        found = parse(threshold.condition) if threshold.condition else None
        if found is None or isinstance(found.over, timedelta):
            continue
        if found.metric == FAILURES_IN_A_ROW:
            rows.append(max(1, int(found.amount)))
            short.add(threshold.name)
        elif found.over is not None and found.reference in (None, "baseline"):
            windows.append(found.over)
            short.add(threshold.name)
    window = min(windows, default=_USUAL_WINDOW)
    return _Wire(number, window, min(rows, default=0), frozenset(short))
