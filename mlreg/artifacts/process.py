"""The other process as its parent sees it: start it, exchange messages in time, end it.

It is started by `posix_spawn` and not by `fork`: no lock, thread, database connection or import of
the parent goes along. Model code finds neither the terminal nor the folder it was called from.
"""

from __future__ import annotations

# What `socket` is made of. That itself takes milliseconds to import, before the process is started.
import _socket
import os
import select
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from mlreg.artifacts import wire
from mlreg.artifacts.confinement import THREADS
from mlreg.errors import StoreError

# What Python, the dynamic loader and numeric libraries need; no secrets go to a model.
_ENVIRONMENT = ("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "TMP", "TEMP", "PYTHONPATH")
_PREFIXES = ("LC_", "LD_", "DYLD_", "PYTHON", "OMP_", "OPENBLAS_", "MKL_", "VECLIB_", "COVERAGE_")
_CODE = (
    "import sys;sys.path.append({root!r});"
    "from mlreg.artifacts.child import main;main({limit},imports={imports})"
)
_PIECE = 1 << 18
# Room for a whole batch, so that it is there before anybody waits for its answers.
_PIPE_BYTES = 1 << 20


class TimedOut(Exception):
    """No reply came in time."""


class Died(Exception):
    """The process ended; the message says how."""


class WorkerProcess:
    """One process for models. Starting it takes about a millisecond; it imports on its own.

    Args:
        memory_limit_bytes: How much address space it may have.
        imports: Whether it imports what models need, or only looks around.
        niceness: By how much it lets others go first where they want the same processor.
    """

    def __init__(self, memory_limit_bytes: int, *, imports: bool = True, niceness: int = 0) -> None:
        self.memory_limit_bytes = memory_limit_bytes
        self._niceness = niceness
        self._imports = imports
        self._pid: int | None = None
        self._ends: list[int] = []
        self._artifacts: _socket.socket | None = None
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._poll = select.poll()

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended."""
        return self._pid is not None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._pid is not None:
            return
        ends: list[int] = []
        try:
            for make in (_pipe, _pipe, _pipe, _socket_pair):
                ends += _out_of_the_way(*make())
            requests, our_requests, our_replies, replies, lifeline, our_lifeline, *pair = ends
            self._pid = self._spawn(requests, replies, lifeline, pair[0])
        except OSError as error:
            for end in ends:
                os.close(end)
            raise StoreError(
                f"the process for models cannot be started: {error.strerror}"
            ) from error
        for end in (requests, replies, lifeline, pair[0]):
            os.close(end)
        if self._niceness:
            with suppress(OSError):  # it has gone already
                own = os.getpriority(os.PRIO_PROCESS, 0)
                os.setpriority(os.PRIO_PROCESS, self._pid, min(own + self._niceness, 19))
        self._ends = [our_requests, our_replies, our_lifeline]
        self._artifacts = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, pair[1])
        os.set_blocking(our_requests, False)
        self._poll = select.poll()
        self._poll.register(our_replies, select.POLLIN)

    def hand_over(self, handle: int) -> None:
        """Give it a descriptor of an artifact, which the next message is about."""
        if self._artifacts:
            # One that has gone is noticed when its reply is waited for.
            with suppress(BrokenPipeError, ConnectionResetError):
                rights = _socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", handle)
                self._artifacts.sendmsg([b"\0"], [rights])

    def send(self, message: object) -> None:
        """Queue a message; it goes out while replies are waited for, or now if there is room."""
        self._outgoing += wire.frame(message)
        self._push()

    def receive(self, timeout_seconds: float) -> dict[str, Any]:
        """The next reply.

        Raises:
            TimedOut: None came in time. The process should be ended.
            Died: It is gone, or sent what no sound process sends.
        """
        deadline = monotonic() + timeout_seconds
        while (body := self._take()) is None:
            self._wait(deadline)
        try:
            return wire.parse(body)
        except wire.Nonsense:
            raise Died("sent a reply that cannot be read") from None

    def end(self) -> str:
        """Kill it with all that it started, reap it, and say how it had ended."""
        if self._pid is None:
            return ""
        pid, self._pid = self._pid, None
        # Before its first line the group does not exist yet, so the process is named as well.
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
        for end in self._ends:
            os.close(end)
        self._ends.clear()
        if self._artifacts:
            self._artifacts.close()
        self._outgoing.clear()
        self._incoming.clear()
        with suppress(ChildProcessError):
            return _manner(os.waitpid(pid, 0)[1])
        return "ended"

    def abandon(self) -> None:
        """In a forked child: let go of the process, which is the parent's."""
        self._pid = None
        for end in self._ends:
            os.close(end)
        self._ends.clear()
        if self._artifacts:
            self._artifacts.close()

    def _spawn(self, requests: int, replies: int, lifeline: int, artifacts: int) -> int:
        root = str(Path(__file__).parents[2])
        code = _CODE.format(root=root, limit=self.memory_limit_bytes, imports=self._imports)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        wanted = dict(enumerate((null, null, null, requests, replies, lifeline, artifacts)))
        try:
            return os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-c", code],
                _environment(),
                file_actions=[(os.POSIX_SPAWN_DUP2, end, number) for number, end in wanted.items()],
                setsigmask=(),
                setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP),
            )
        finally:
            os.close(null)

    def _wait(self, deadline: float) -> None:
        """Sleep until something can be read or written."""
        requests, replies, _ = self._ends
        if self._outgoing:
            self._poll.register(requests, select.POLLOUT)
        left = deadline - monotonic()
        ready = dict(self._poll.poll(left * 1000)) if left > 0 else {}
        if not ready:
            raise TimedOut
        if requests in ready:
            self._push()
        if replies in ready:
            self._pull()

    def _push(self) -> None:
        requests = self._ends[0]
        while self._outgoing:
            try:
                sent = os.write(requests, memoryview(self._outgoing)[:_PIECE])
            except BlockingIOError:
                return
            except BrokenPipeError:
                # What it said before it went is still to be read.
                self._outgoing.clear()
                break
            del self._outgoing[:sent]
        with suppress(KeyError):
            self._poll.unregister(requests)

    def _pull(self) -> None:
        piece = os.read(self._ends[1], _PIECE)
        if not piece:
            raise Died("died")
        self._incoming += piece
        if int.from_bytes(self._incoming[: wire.HEADER], "big") > wire.LARGEST_REPLY:
            raise Died("sent a reply that is too large")

    def _take(self) -> bytes | None:
        """A whole reply, if it is there."""
        end = wire.HEADER + int.from_bytes(self._incoming[: wire.HEADER], "big")
        if len(self._incoming) < wire.HEADER or len(self._incoming) < end:
            return None
        body = bytes(self._incoming[wire.HEADER : end])
        del self._incoming[:end]
        return body


def _pipe() -> tuple[int, int]:
    import fcntl

    ends = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return ends


def _socket_pair() -> tuple[int, int]:
    one, other = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    return one.detach(), other.detach()


def _out_of_the_way(*ends: int) -> list[int]:
    """The same under numbers that the child's own descriptors do not collide with."""
    import fcntl

    try:
        return [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    finally:
        for end in ends:
            os.close(end)


def _environment() -> dict[str, str]:
    found = {
        name: value
        for name, value in os.environ.items()
        if name in _ENVIRONMENT or name.startswith(_PREFIXES)
    }
    found |= {name: found.get(name, "1") for name in THREADS}
    # It starts its threads when it is imported, before the walls, which would not bind them.
    found["OPENBLAS_NUM_THREADS"] = "1"
    if "PYTHONPATH" in found:
        # An empty or relative entry means the folder that the command was called from.
        entries = found["PYTHONPATH"].split(os.pathsep)
        found["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if os.path.isabs(entry))
    return found


def _manner(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code == wire.OUT_OF_MEMORY:
        return "memory"
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
