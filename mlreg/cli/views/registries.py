"""A new registry."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.blocks import Block, Line
from mlreg.cli.records import Place


def blocks(place: Place) -> Iterable[Block]:
    """The record as blocks."""
    yield Line(f"created the registry {place.registry}")
