"""Models in processes of their own, with limits on time and memory: what the command line uses.

What somebody vouches for and what nobody does never share a process: the one runs as the user, the
other confined.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from mlreg.artifacts import forks
from mlreg.artifacts.confinement import WALLS
from mlreg.artifacts.lane import Lane, Limits
from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.process import WorkerProcess
from mlreg.artifacts.runner import Batch, Input, Inspection, Loadable, Pending

DEFAULT_MEMORY = 4 << 30


class WorkerRunner:
    """Runs models in other processes: trusted ones in one, all others in a confined one.

    Args:
        objects: Where the artifacts are.
        timeout_seconds: How long an answer may take, for each 1,000 inputs.
        load_timeout_seconds: How long a model may take to load.
        inspect_timeout_seconds: How long an artifact that nobody trusts may take to load.
        memory_limit_bytes: How much address space each process may have (Linux).
        process: One that was made, and perhaps started, before.
        niceness: By how much they let others go first where they want the same processor.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        timeout_seconds: float = 30.0,
        load_timeout_seconds: float = 60.0,
        inspect_timeout_seconds: float = 10.0,
        memory_limit_bytes: int = DEFAULT_MEMORY,
        process: WorkerProcess | None = None,
        niceness: int = 0,
    ) -> None:
        self._objects = objects
        self._limits = Limits(timeout_seconds, load_timeout_seconds, inspect_timeout_seconds)
        self._memory = memory_limit_bytes
        self._niceness = niceness
        # Started before it is known for which models: the lane that needs one first takes it.
        self._spare = process
        self._lanes: dict[bool, Lane] = {}
        # Re-entrant: an interrupt can leave it held by the very thread that then closes the runner.
        self._lock = threading.RLock()
        forks.watch(self)

    def begin_anew(self) -> None:
        """In a forked child: start processes of its own when it needs some. See `forks`.

        What it wrote to those of its parent would be taken for its parent's.
        """
        self._lock = threading.RLock()
        if self._spare:
            self._spare.abandon()
        for lane in self._lanes.values():
            lane.abandon()
        self._spare, self._lanes = None, {}

    def start(self) -> None:
        """Start a process now, so that it imports while the caller does something else."""
        with self._lock:
            if not self._lanes:
                self._spare = self._spare or self._process()
                self._spare.start()

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            if self._spare:
                self._spare.end()
            for lane in self._lanes.values():
                lane.close()

    def inspect(self, digest: str, *, trusted: bool) -> Inspection:
        """Load the object over there and infer its signature. See `Runner.inspect`."""
        return self._lane(trusted).inspect(digest, trusted=trusted)

    def predict(self, model: Loadable, inputs: Sequence[Input]) -> Batch:
        """Answer each input, in order. See `Runner.predict`."""
        return self.submit(model, inputs).result()

    def submit(self, model: Loadable, inputs: Sequence[Input]) -> Pending:
        """Send the inputs off, and come back for the answers. See `Runner.submit`."""
        return self._lane(model.trusted).submit(model, inputs)

    def _process(self) -> WorkerProcess:
        return WorkerProcess(self._memory, niceness=self._niceness)

    def _lane(self, trusted: bool) -> Lane:
        with self._lock:
            if trusted not in self._lanes:
                process = self._spare or self._process()
                walls = () if trusted else WALLS
                self._lanes[trusted] = Lane(self._objects, process, self._limits, walls)
                self._spare = None
            return self._lanes[trusted]
