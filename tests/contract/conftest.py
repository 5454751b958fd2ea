"""The fixtures of the command line."""

from tests.cli.conftest import mlreg, run, serving

__all__ = ["mlreg", "run", "serving"]
