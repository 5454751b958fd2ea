"""One process for models as its callers see it: calls go in and outcomes come out, in order.

A model may hang, crash, print, eat memory or leave: each is an outcome here. This module and what
it imports stay light: the heavy libraries live in the other process.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, Literal, NamedTuple, cast

from mlreg.artifacts import wire
from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.process import Died, TimedOut, WorkerProcess
from mlreg.artifacts.runner import Answer, Batch, Failure, Input, Inspection, Loadable, Pending
from mlreg.errors import ArtifactError, ArtifactUnloadable

# Large enough that scikit-learn works at full speed, small enough that encoding overlaps with it.
PIECE = 1000
AHEAD = 2
MOST_IN_A_ROW, MOST_IN_ALL = 3, 10
# How long a model that could not be loaded in time is not tried again.
REST_SECONDS = 60.0

Trouble = (TimedOut, Died, wire.Nonsense)
Outcomes = list[Answer | Failure]


class Limits(NamedTuple):
    """Seconds.

    Attributes:
        answer: How long an answer may take, for each 1,000 inputs.
        load: How long a model may take to load.
        inspect: How long an artifact that nobody trusts may take to load.
    """

    answer: float = 30.0
    load: float = 60.0
    inspect: float = 10.0


class Lane:
    """Models in one process, which is started when first needed and again after a death.

    When a batch kills the process or runs out of time, its inputs are asked one by one, so that
    only the culprits fail. After three such failures in a row the rest is not asked any more.

    Args:
        objects: Where the artifacts are.
        process: The process, started or not.
        limits: How long what may take.
        walls: What confines it before it loads anything.
    """

    def __init__(
        self, objects: ObjectStore, process: WorkerProcess, limits: Limits, walls: Sequence[str]
    ) -> None:
        self._objects = objects
        self._process = process
        self._limits = limits
        self._walls = walls
        # Re-entrant: an interrupt can leave it held by the very thread that then closes the worker.
        self._lock = threading.RLock()
        self._calls: deque[_Call] = deque()
        # Which process it is; what was sent to an earlier one is lost.
        self._generation = 0
        self._is_ready = False
        self._loaded: set[tuple[str, bool]] = set()
        self._resting: dict[tuple[str, bool], tuple[float, Failure]] = {}

    def abandon(self) -> None:
        """In a forked child: let go of the process, which is the parent's."""
        self._process.abandon()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._calls.clear()
            self._end()

    def inspect(self, digest: str, *, trusted: bool) -> Inspection:
        """Load the object over there and infer its signature. See `Runner.inspect`."""
        limit = self._limits.load if trusted else self._limits.inspect
        with self._held():
            self._finish_all()
            try:
                reply = self._ask(self._about("inspect", digest, trusted), digest, limit)
                return wire.unpack_inspection(reply)
            except Trouble as trouble:
                failure = self._failure(trouble, limit)
                raise ArtifactUnloadable(
                    f"the artifact {digest[:12]} cannot be loaded: {failure.message}"
                ) from None

    def predict(self, model: Loadable, inputs: Sequence[Input]) -> Batch:
        """Answer each input, in order. See `Runner.predict`."""
        return self.submit(model, inputs).result()

    def submit(self, model: Loadable, inputs: Sequence[Input]) -> Pending:
        """Send the inputs off, and come back for the answers. See `Runner.submit`."""
        with self._held():
            call = _Call(self, model, inputs)
            if not self._can_load_beside(model):
                self._finish_all()
            self._calls.append(call)
            if all(earlier.is_sent for earlier in list(self._calls)[:-1]):
                call.send_ahead()
        return call

    # --- for one call at a time, under the lock ---------------------------------------------

    def _can_load_beside(self, model: Loadable) -> bool:
        """Whether no reply to a request to load would come after those of earlier calls."""
        return not self._calls or (model.digest, model.trusted) in self._loaded

    def _finish_all(self, last: _Call | None = None) -> None:
        """Collect the answers of calls in the order in which they were made."""
        while self._calls:
            call = self._calls[0]
            call.finish()
            self._calls.popleft()
            if call is last:
                return

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One call at a time; an interrupt in the middle ends the process and goes on."""
        with self._lock:
            try:
                yield
            except ArtifactError:
                raise
            except BaseException:
                self._calls.clear()
                self._end()
                raise

    def _end(self) -> str:
        self._is_ready = False
        self._generation += 1
        self._loaded.clear()
        return self._process.end()

    def _ask(self, message: dict[str, Any], digest: str, limit: float) -> dict[str, Any]:
        """Send a message with an artifact; the reply, or the error that it is is raised."""
        handle = self._objects.open(digest)
        try:
            self._await_ready()
            self._process.hand_over(handle)
        finally:
            os.close(handle)
        self._process.send(message)
        return self._receive(limit)

    def _receive(self, limit: float) -> dict[str, Any]:
        reply = self._process.receive(limit)
        if error := wire.unpack_error(reply):
            raise error
        return reply

    def _await_ready(self) -> None:
        if self._is_ready:
            return
        self._process.start()
        if self._walls:
            self._process.send({"op": "confine", "walls": self._walls})
        self._receive(self._limits.load)
        if self._walls:
            self._receive(self._limits.load)
        self._is_ready = True

    def _about(
        self, operation: Literal["inspect", "load"], digest: str, trusted: bool
    ) -> dict[str, Any]:
        return {
            "op": operation,
            "digest": digest,
            "flavor": "sklearn",
            "trusted": trusted,
        }

    def _load(self, model: Loadable) -> Failure | None:
        """Have the model loaded over there; why it cannot be, if so."""
        key = model.digest, model.trusted
        if key in self._loaded:
            return None
        until, resting = self._resting.get(key, (0.0, None))
        if monotonic() < until:
            return resting
        message = self._about("load", *key) | {
            "flavor": model.flavor,
            "signature": wire.pack_signature(model.signature),
        }
        try:
            self._ask(message, model.digest, self._limits.load)
        except ArtifactError as error:
            return Failure("artifact", error.message)
        except Trouble as trouble:
            kind, reason = self._failure(trouble, self._limits.load)
            failure = Failure(kind, f"while the model was loaded: {reason}")
            self._resting[key] = monotonic() + REST_SECONDS, failure
            return failure
        self._loaded.add(key)
        return None

    def _failure(self, trouble: Exception, limit: float) -> Failure:
        """End the process and say what happened to it."""
        manner = self._end()
        if isinstance(trouble, TimedOut):
            return Failure("timeout", f"no answer within {limit:g} s")
        if manner == "memory":
            megabytes = self._process.memory_limit_bytes >> 20
            return Failure("died", f"ran out of memory (limit {megabytes} MB)")
        if isinstance(trouble, wire.Nonsense):
            return Failure("died", "the model's process sent a reply that cannot be read")
        return Failure("died", f"the model's process {trouble} ({manner})")


class _Call:
    """One call of `predict`: its pieces on their way, and how often the model has failed it."""

    def __init__(self, lane: Lane, model: Loadable, inputs: Sequence[Input]) -> None:
        self._lane = lane
        self._model = model
        self._pieces = [inputs[start : start + PIECE] for start in range(0, len(inputs), PIECE)]
        self._outcomes: Outcomes = []
        self._seconds = 0.0
        self._done = self._sent = 0
        self._generation = -1
        self._in_a_row = self._in_all = 0
        self._refusal: Failure | None = None

    @property
    def is_sent(self) -> bool:
        """Whether all of it has gone out, so that another call may follow."""
        return self._sent == len(self._pieces)

    def result(self) -> Batch:
        """Wait for the answers, and for those of all calls before."""
        lane = self._lane
        with lane._held():
            if self in lane._calls:
                lane._finish_all(self)
        return Batch(self._outcomes, self._seconds)

    def send_ahead(self) -> None:
        """Send as many pieces as the other process should have waiting."""
        if self._is_refused():
            return
        if self._generation != self._lane._generation:
            self._generation, self._sent = self._lane._generation, self._done
        while self._sent < min(self._done + AHEAD, len(self._pieces)):
            self._send(self._pieces[self._sent])
            self._sent += 1

    def finish(self) -> None:
        """Collect the answers of all pieces."""
        for piece in self._pieces[self._done :]:
            self.send_ahead()
            if self._refusal:
                self._outcomes += [self._refusal] * len(piece)
            else:
                self._outcomes += self._collect(piece)
            self._done += 1

    def _collect(self, piece: Sequence[Input]) -> Outcomes:
        try:
            return self._receive(len(piece))
        except Trouble as trouble:
            failure = self._failed(trouble)
            return [failure] if len(piece) == 1 else self._one_by_one(piece)

    def _one_by_one(self, piece: Sequence[Input]) -> Outcomes:
        """Find the culprits of a piece that failed as a whole."""
        outcomes: Outcomes = []
        for item in piece:
            if self._is_refused():
                outcomes.append(cast("Failure", self._refusal))
                continue
            try:
                self._send([item])
                outcomes += self._receive(1)
            except Trouble as trouble:
                outcomes.append(self._failed(trouble))
        return outcomes

    def _is_refused(self) -> bool:
        """Whether asking is over: the model cannot be loaded or has failed too often."""
        if self._refusal is None:
            self._refusal = self._lane._load(self._model)
        return self._refusal is not None

    def _send(self, piece: Sequence[Input]) -> None:
        request = {
            "op": "predict",
            "digest": self._model.digest,
            "trusted": self._model.trusted,
            "inputs": list(piece),
        }
        self._lane._process.send(request)

    def _receive(self, count: int) -> Outcomes:
        reply = self._lane._receive(self._lane._limits.answer)
        outcomes = wire.unpack(reply.get("outcomes"), count)
        seconds = reply.get("seconds")
        if type(seconds) is not float or not 0 <= seconds < math.inf:
            raise wire.Nonsense
        self._seconds += seconds
        self._in_a_row = 0
        return outcomes

    def _failed(self, trouble: Exception) -> Failure:
        failure = self._lane._failure(trouble, self._lane._limits.answer)
        self._in_a_row += 1
        self._in_all += 1
        if self._in_a_row >= MOST_IN_A_ROW or self._in_all >= MOST_IN_ALL:
            why = f"not asked after {self._in_all} failures: {failure.message}"
            self._refusal = Failure(failure.kind, why)
        return failure
