"""A sentence."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import Block, Line
from mlreg.entities.documents import Sentence


def blocks(sentence: Sentence) -> Iterable[Block]:
    """The record as blocks."""
    yield Line(sentence["text"])
