"""The process that runs models: it answers requests until its channel ends or it is killed.

It is made harmless before it imports or loads anything: a session of its own, no standard streams,
a memory limit, one thread for linear algebra, and an end that comes with its parent's.
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
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from mlreg.artifacts import wire
from mlreg.artifacts.flavors import DEFAULT, Flavor, flavor
from mlreg.artifacts.objects import ObjectStore
from mlreg.entities.versions import Signature
from mlreg.errors import ArtifactError, ArtifactUnloadable

REQUESTS, REPLIES, LIFELINE = 3, 4, 5
MAX_MODELS = 8

Loaded = tuple[Flavor, Any, Signature]


def main(memory_limit_bytes: int) -> None:
    """Serve the parent over the descriptors that it has set up."""
    os.setsid()
    _end_with_parent()
    _limit(resource.RLIMIT_AS, memory_limit_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    try:
        _prepare()
    except ImportError as error:
        reason = f"scikit-learn cannot be imported: {error}"
        _write_all(REPLIES, wire.frame(wire.pack_error(ArtifactUnloadable(reason))))
        return
    _write_all(REPLIES, wire.frame({"ready": True}))
    serve(Server(), REQUESTS, REPLIES)


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


def _limit(what: int, value: int) -> None:
    """Lower a limit; some systems do not know it, and none lets it be raised."""
    with suppress(ValueError, OSError):
        hard = resource.getrlimit(what)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (allowed, allowed))


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
    """Answers requests; each is a JSON object with an `op`."""

    def __init__(self) -> None:
        self._models: OrderedDict[tuple[str, bool], Loaded] = OrderedDict()
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
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

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        kind, model = _open(request)
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
        kind, model = _open(request)
        signature = wire.pack_signature(kind.signature(model))
        return {"flavor": request["flavor"], "signature": signature, "notes": kind.notes(model)}


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


def _open(request: dict[str, Any]) -> tuple[Flavor, Any]:
    """Read and load an artifact; the reader verifies its digest."""
    objects = ObjectStore(Path(request["root"]), allow_shared=request["allow_shared"])
    kind = flavor(request["flavor"])
    return kind, kind.load(objects.read(request["digest"]), trusted=request["trusted"])


def serve(server: Server, requests: int, replies: int) -> None:
    """Answer until the channel ends."""
    while body := _read_frame(requests):
        try:
            reply = wire.frame(server.answer(wire.parse(body)))
        except MemoryError:
            os._exit(wire.OUT_OF_MEMORY)
        _write_all(replies, reply)


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


def _write_all(channel: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(channel, view) :]
