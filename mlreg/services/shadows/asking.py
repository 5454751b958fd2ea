"""Asking shadows behind the answers: in a thread and a process of their own, never in the way.

What waits is bounded; what does not fit, or is left over at the end, is counted and not asked.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from mlreg.artifacts import forks
from mlreg.artifacts.runners import make_worker
from mlreg.entities.shadows import BEHIND
from mlreg.errors import MlregError
from mlreg.services.shadows.answering import Answering
from mlreg.store.engines.forking import lazy

if TYPE_CHECKING:
    from mlreg.artifacts.runner import Runner
    from mlreg.inputs import Input
    from mlreg.services.context import Context
    from mlreg.services.routes import Served
    from mlreg.services.shadows.answering import Copied

MOST_ROWS = 10_000
MOST_CHARACTERS = 64 << 20
# What comes within this time is asked together: a thread that woke for each would slow its callers.
GATHER_SECONDS = 0.05
IDLE_SECONDS = 10.0
# A process may have to be started first; one that hangs is given up long before.
DRAIN_SECONDS = 30.0
# How long a version that hung or took its process down is not asked.
REST_SECONDS = 30.0


class Job(NamedTuple):
    """Inputs that a shadow is to be asked.

    Attributes:
        is_single: They were asked live one by one, and not in one call.
    """

    shadow: Served
    rows: Sequence[Copied]
    is_single: bool


class Asking:
    """Takes inputs from callers who have their answers, and asks shadows when there is time.

    Args:
        context: The registry.
        is_deferred: Nothing is asked before `close`, and then by the registry's own runner: for a
            process that ends after its answer.
    """

    def __init__(self, context: Context, *, is_deferred: bool = False) -> None:
        self._context = context
        self._is_deferred = is_deferred
        self.begin_anew()
        forks.watch(self)
        context.before_close.append(self.close)
        # Who never closes the registry ends with the interpreter.
        self._at_exit = partial(_close, weakref.ref(self))
        atexit.register(self._at_exit)

    def begin_anew(self) -> None:
        """In a forked child: what waits is its parent's to ask. See `forks`."""
        self._changed = threading.Condition()
        self._waiting: list[Job] = []
        self._under_way: list[tuple[Served, Sequence[Copied], bool]] = []
        self._rows = self._characters = self._busy = 0
        self._losses: Counter[tuple[int, str]] = Counter()
        self._resting: dict[int, float] = {}
        self._thread: threading.Thread | None = None
        self._is_idle = self._is_closing = self._is_left = False

    def offer(self, shadows: Iterable[Served], rows: Sequence[Copied], *, is_single: bool) -> None:
        """Have shadows asked some time; it takes no time, and never fails."""
        characters = sum(_characters(row.value) for row in rows)
        with self._changed:
            for shadow in shadows:
                fits = self._rows + len(rows) <= MOST_ROWS
                if not fits or self._characters + characters > MOST_CHARACTERS or self._is_closing:
                    self._losses[shadow.version.key, "full"] += len(rows)
                    continue
                self._waiting.append(Job(shadow, rows, is_single))
                self._rows += len(rows)
                self._characters += characters
            if not self._is_deferred:
                self._wake()

    def drain(self, seconds: float) -> bool:
        """Wait until nothing waits any more; returns whether that is so."""
        with self._changed:
            self._wake()
            return self._changed.wait_for(lambda: not (self._waiting or self._busy), seconds)

    def close(self) -> bool:
        """Ask what waits, as far as there is time; returns whether that came to an end."""
        atexit.unregister(self._at_exit)
        with self._changed:
            self._wake()
            self._is_closing = True
            self._changed.notify_all()
            is_done = self._changed.wait_for(lambda: self._thread is None, self._patience)
            self._is_left = not is_done
            for shadow, rows, _ in (*self._under_way, *self._waiting):
                self._losses[shadow.version.key, "closed"] += len(rows)
            self._waiting, self._under_way = [], []
        self._count_losses()
        if is_done:
            self._close_runner()
        return is_done

    @lazy
    def _runner(self) -> Runner:
        context = self._context
        if self._is_deferred:
            return context.runner
        return make_worker(context.objects, context.settings, is_background=True)

    @lazy
    def _answering(self) -> Answering:
        return Answering(self._context, self._runner, reason=BEHIND)

    @property
    def _patience(self) -> float:
        """How long the end of the registry waits: where its own runner asks, as for an answer."""
        limit = self._context.settings.number("shadow_timeout")
        return limit if self._is_deferred else DRAIN_SECONDS

    def _wake(self) -> None:
        if self._thread is None and self._waiting and not self._is_closing:
            self._thread = threading.Thread(target=self._work, name="mlreg shadows", daemon=True)
            self._thread.start()
        elif self._is_idle:
            self._changed.notify_all()

    def _work(self) -> None:
        """The thread: ask whatever waits, until nothing has come for a while."""
        while jobs := self._take():
            # Who is asked in a process that is warm by now is not compared with who warmed it.
            self._under_way = [(s, r, c and not self._is_deferred) for s, r, c in _calls(jobs)]
            while self._under_way:
                self._ask(*self._under_way[0])
                del self._under_way[:1]
            if not self._is_left:
                self._count_losses()
        if self._is_left:
            self._close_runner()

    def _take(self) -> list[Job]:
        with self._changed:
            self._busy = 0
            self._changed.notify_all()
            if not self._waiting and not self._is_closing:
                self._is_idle = True
                self._changed.wait(IDLE_SECONDS)
                self._is_idle = False
            if self._waiting:
                self._changed.wait_for(lambda: self._is_closing, GATHER_SECONDS)
            jobs, self._waiting = self._waiting, []
            self._busy, self._rows, self._characters = self._rows, 0, 0
            if not jobs:  # under the lock, so that who offers next finds no thread
                self._thread = None
                self._changed.notify_all()
            return jobs

    def _ask(self, shadow: Served, rows: Sequence[Copied], is_call: bool) -> None:
        key, reason = shadow.version.key, "resting"
        try:
            if self._resting.get(key, 0.0) <= monotonic():
                answered, is_sound = self._answering.ask(shadow, rows, is_call=is_call)
                if not is_sound:
                    self._resting[key] = monotonic() + REST_SECONDS
                if not self._is_left:  # who has closed the registry has counted these
                    self._answering.log(key, answered)
                return
        except Exception:  # noqa: BLE001  # nobody is there to be told: they are counted
            reason = "failed"
        with self._changed:
            self._losses[key, reason] += len(rows)

    def _count_losses(self) -> None:
        with self._changed:
            losses, self._losses = self._losses, Counter()
        if not losses:
            return
        try:
            with self._context.store.write(durable=False) as tx:
                for (version, reason), number in losses.items():
                    tx.pairs.lose(version, reason, number)
        except MlregError:  # such as a full disk: the next who counts makes up for it
            with self._changed:
                self._losses += losses

    def _close_runner(self) -> None:
        if not self._is_deferred and "_runner" in vars(self):
            self._runner.close()


def _calls(jobs: Sequence[Job]) -> Iterator[tuple[Served, Sequence[Copied], bool]]:
    """How inputs are asked: as they were live, where their latencies are to be compared.

    Of those that were asked one by one, the first is; the others go into one call.
    """
    singles: dict[int, tuple[Served, list[Copied]]] = {}
    for job in jobs:
        if job.is_single:
            singles.setdefault(job.shadow.version.key, (job.shadow, []))[1].extend(job.rows)
        else:
            yield job.shadow, job.rows, True
    for shadow, rows in singles.values():
        yield shadow, rows[:1], True
        if rows[1:]:
            yield shadow, rows[1:], False


def _characters(value: Input) -> int:
    """About how much memory an input takes."""
    if isinstance(value, str):
        return len(value)
    items = value.values() if isinstance(value, dict) else value
    return sum(len(item) if isinstance(item, str) else 8 for item in items)


def _close(asking: weakref.ref[Asking]) -> None:
    found = asking()
    if found is not None:
        found.close()
