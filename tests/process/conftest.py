"""The command line as processes of its own, as a shell starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.registry import Registry

MLREG = Path(sys.executable).parent / "mlreg"
Shell = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def folder(serving_registry: Registry, tmp_path: Path) -> Path:
    """A folder whose registry has two versions, some predictions, and is not open here."""
    for text in ("great", "hate it"):
        serving_registry.predictions.predict(text)
    serving_registry.close()
    return tmp_path


@pytest.fixture
def shell(folder: Path) -> Shell:
    """Run a line of bash in the folder; `mlreg` is on its path."""

    def run(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        path = f"{MLREG.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=folder,
            env={**os.environ, "PATH": path, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )

    return run
