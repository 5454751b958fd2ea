"""Two versions side by side."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views import performance
from mlreg.cli.views.blocks import Block, Column, Line, Table
from mlreg.cli.views.formats import number, signed, size, traffic, when
from mlreg.entities.reports import VersionComparison
from mlreg.entities.versions import Version


def blocks(pair: VersionComparison) -> Iterable[Block]:
    """The record as blocks."""
    yield Table(_columns(pair, "difference"), _facts(pair.left, pair.right))
    if pair.offline:
        yield Line("")
        rows = [
            (m.metric, number(m.left), number(m.right), signed(m.difference)) for m in pair.offline
        ]
        yield Table(_columns(pair, "difference", first="offline"), rows)
    yield Line("")
    if pair.live is None:
        yield Line(f"live: {_unlike(pair.left, pair.right)}")
    else:
        yield from performance.comparisons(pair.live.comparisons)
        yield Line("")
        yield Line(pair.live.recommendation, "bold")


def _unlike(left: Version, right: Version) -> str:
    """Why there is no live comparison."""
    if left.model_id == right.model_id:
        return "it is one and the same version"
    if left.name != right.name:
        return f"{left.name} and {right.name} are two models, which answer different requests"
    return "not both have answered yet"


def _columns(pair: VersionComparison, last: str, *, first: str = "") -> list[Column]:
    return [
        Column(first),
        Column(pair.left.ref, right=True),
        Column(pair.right.ref, right=True),
        Column(last, right=True),
    ]


def _facts(left: Version, right: Version) -> list[tuple[str, str, str, str]]:
    facts = [
        ("status", left.status, right.status),
        ("traffic", traffic(left.traffic_percent), traffic(right.traffic_percent)),
        ("size", size(left.size_bytes), size(right.size_bytes)),
        ("registered", when(left.created_at), when(right.created_at)),
    ]
    return [(*fact, "") for fact in facts]
