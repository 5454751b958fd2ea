"""The process that runs models: it answers requests until its channel ends or it is killed.

It is made harmless before it imports anything: a session of its own, no standard streams, a memory
limit, one thread for linear algebra, and an end that comes with its parent's. What nobody trusts is
loaded behind the walls of `confinement`, which the parent asks for first: the process is started
before it is known whom it will serve.
"""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable
from time import perf_counter
from typing import Any

from mlreg.artifacts import confinement, wire
from mlreg.artifacts.confinement.descriptors import Descriptors
from mlreg.artifacts.flavors import DEFAULT, Flavor, flavor
from mlreg.artifacts.objects import read_verified
from mlreg.entities.versions import Signature
from mlreg.errors import ArtifactError, ArtifactUnloadable, ArtifactUntrusted
from mlreg.files import write_all

REQUESTS, REPLIES, LIFELINE, ARTIFACTS = 3, 4, 5, 6
# Of a confined process: where it may write, and what it cannot close or replace.
DESCRIPTORS = Descriptors(last=ARTIFACTS, written=(1, 2, REPLIES), received=ARTIFACTS)
MAX_MODELS = 8

Loaded = tuple[Flavor, Any, Signature]


def main(memory_limit_bytes: int, *, imports: bool = True) -> None:
    """Serve the parent over the descriptors that it has set up.

    Args:
        memory_limit_bytes: How much address space this process may have.
        imports: Whether models will be run.
    """
    os.setsid()
    _close_inherited()
    _end_with_parent()
    confinement.lower(resource.RLIMIT_AS, memory_limit_bytes)
    confinement.lower(resource.RLIMIT_CORE, 0)
    try:
        if imports:
            _prepare()
    except ImportError as error:
        reason = f"scikit-learn cannot be imported: {error}"
        write_all(REPLIES, wire.frame(wire.pack_error(ArtifactUnloadable(reason))))
        return
    write_all(REPLIES, wire.frame({"ready": True}))
    serve(Server(ARTIFACTS), REQUESTS, REPLIES)


def _close_inherited() -> None:
    """Close what the parent had open and not marked as its own."""
    os.closerange(ARTIFACTS + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _end_with_parent() -> None:
    """Let the kernel end this process when the parent's end of the lifeline closes.

    Even a model that hangs in C, where no Python code runs, then goes. Elsewhere than on Linux
    the end of the channel has to do.
    """
    if sys.platform == "linux":
        fcntl.fcntl(LIFELINE, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(LIFELINE, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(LIFELINE, fcntl.F_GETFL)
        fcntl.fcntl(LIFELINE, fcntl.F_SETFL, flags | os.O_ASYNC)


def _prepare() -> None:
    """Import what every model needs, while the parent does its own start."""
    import warnings

    # Nothing that an import makes is garbage, yet the collector would look through it all.
    gc.disable()
    flavor(DEFAULT)
    import joblib

    warnings.simplefilter("ignore")
    # A model must not start processes of its own; it has one already.
    joblib.parallel_config(backend="sequential")


class Server:
    """Answers requests; each is a JSON object with an `op`.

    Args:
        artifacts: The Unix socket that the descriptors of artifacts come through: a process that
            can open no file can still read what it was given.
    """

    def __init__(self, artifacts: int) -> None:
        import socket

        self._artifacts = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, artifacts)
        self._is_confined = False
        self._models: OrderedDict[tuple[str, bool], Loaded] = OrderedDict()
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "confine": self._confine,
            "prove": self._prove,
            "load": self._load,
            "predict": self._predict,
            "inspect": self._inspect,
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request; an error of the artifact is a reply too."""
        try:
            return self._operations[request["op"]](request)
        except ArtifactError as error:
            return wire.pack_error(error)

    def _confine(self, request: dict[str, Any]) -> dict[str, Any]:
        walls = confinement.raise_walls(request["walls"], DESCRIPTORS)
        self._is_confined = True
        return {"walls": walls}

    def _prove(self, request: dict[str, Any]) -> dict[str, Any]:
        from mlreg.artifacts.confinement.proof import attempt_all

        return {"reached": attempt_all(request["path"])}

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        kind, model = self._open(request)
        signature = wire.unpack_signature(request["signature"])
        self._models[request["digest"], request["trusted"]] = kind, model, signature
        while len(self._models) > MAX_MODELS:
            self._models.popitem(last=False)
        gc.freeze()
        gc.enable()
        return {"loaded": True}

    def _predict(self, request: dict[str, Any]) -> dict[str, Any]:
        key = request["digest"], request["trusted"]
        if key not in self._models:
            return {"loaded": False}
        self._models.move_to_end(key)
        kind, model, signature = self._models[key]
        _restore_stdout()
        started = perf_counter()
        outcomes = kind.predict(model, signature, request["inputs"])
        return {"seconds": perf_counter() - started, "outcomes": wire.pack(outcomes)}

    def _inspect(self, request: dict[str, Any]) -> dict[str, Any]:
        kind, model = self._open(request)
        signature = wire.pack_signature(kind.signature(model))
        return {"flavor": request["flavor"], "signature": signature, "notes": kind.notes(model)}

    def _open(self, request: dict[str, Any]) -> tuple[Flavor, Any]:
        """Read and load the artifact whose descriptor waits; the reader verifies its digest."""
        import socket

        _, (handle, *_), _, _ = socket.recv_fds(self._artifacts, 1, 1)
        try:
            data = read_verified(handle, request["digest"])
        finally:
            os.close(handle)
        if not (request["trusted"] or self._is_confined):
            raise ArtifactUntrusted("an artifact that is not trusted is loaded in confinement only")
        kind = flavor(request["flavor"])
        return kind, kind.load(data, trusted=request["trusted"])


def _restore_stdout() -> None:
    """A model may have closed it, and would then fail for a reason that is not its input."""
    try:
        os.fstat(1)
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        if null != 1:
            os.close(null)
    if sys.stdout.closed:
        sys.stdout = os.fdopen(os.dup(1), "w")


def serve(server: Server, requests: int, replies: int) -> None:
    """Answer until the channel ends."""
    while body := _read_frame(requests):
        try:
            reply = wire.frame(server.answer(wire.parse(body)))
        except MemoryError:
            os._exit(wire.OUT_OF_MEMORY)
        write_all(replies, reply)


def _read_frame(channel: int) -> bytes | None:
    header = _read_exactly(channel, wire.HEADER)
    return _read_exactly(channel, int.from_bytes(header, "big")) if header else None


def _read_exactly(channel: int, count: int) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < count:
        piece = os.read(channel, min(count - len(pieces), 1 << 20))
        if not piece:
            return None
        pieces += piece
    return bytes(pieces)
