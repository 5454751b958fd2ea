"""Which walls this machine gives, as a process that stands behind them finds out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.artifacts import wire
from mlreg.artifacts.confinement import WALLS, Wall
from mlreg.artifacts.process import Died, TimedOut, WorkerProcess
from mlreg.errors import ArtifactUnloadable

_SECONDS = 60.0


class Proof(NamedTuple):
    """What confines models here.

    Attributes:
        walls: By name, whether each stands.
        reached: What worked that should have been denied.
    """

    walls: dict[str, Wall]
    reached: list[str]


def measure(memory_limit_bytes: int) -> Proof:
    """Start a process, confine it as if for a model that nobody trusts, and let it try.

    Raises:
        ArtifactUnloadable: It does not answer.
        StoreError: It cannot be started.
    """
    process = WorkerProcess(memory_limit_bytes, imports=False)
    try:
        with tempfile.TemporaryDirectory() as folder:
            process.start()
            process.send({"op": "confine", "walls": WALLS})
            process.send({"op": "prove", "path": str(Path(folder) / "made")})
            _, confined, tried = (_reply(process) for _ in range(3))
    except (TimedOut, Died) as trouble:
        reason = str(trouble) or "does not answer"
        raise ArtifactUnloadable(f"the process for models {reason}") from None
    finally:
        process.end()
    walls = {name: Wall(*found) for name, found in confined["walls"].items()}
    return Proof(walls, tried["reached"])


def _reply(process: WorkerProcess) -> dict[str, Any]:
    reply = process.receive(_SECONDS)
    if error := wire.unpack_error(reply):
        raise error
    return reply
