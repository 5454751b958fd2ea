"""How experiments stand: their arms, what these have gathered, and the last look that counted."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import Block, Column, Line, Table
from mlreg.cli.views.experiments import lasted
from mlreg.cli.views.formats import NOTHING, count, weight, when
from mlreg.entities.analyses import Standing
from mlreg.entities.documents import StandingList


def blocks(found: StandingList) -> Iterable[Block]:
    """The records as blocks."""
    if not found["experiments"]:
        yield Line("no experiment runs; mlreg abtest list has all of them")
    for number, standing in enumerate(found["experiments"]):
        if number:
            yield Line("")
        yield from _standing(standing)


def _standing(found: Standing) -> Iterable[Block]:
    ran = f", {'for' if found.state == 'running' else 'ran'} {lasted(found)}"
    yield Line(
        f"{found.test_id}: {found.model}, {found.state}{ran if found.phases else ''}", "bold"
    )
    rows = [
        (
            variant.variant,
            f"{found.model}@{variant.version}",
            weight(share),
            count(found.requests[place]) if found.phases else NOTHING,
        )
        for place, (variant, share) in enumerate(
            zip(found.design.variants, found.weights, strict=True)
        )
    ]
    columns = [Column("arm"), Column("version")]
    yield Table([*columns, Column("traffic", right=True), Column("requests", right=True)], rows)
    yield Line(_looked(found), "dim")


def _looked(found: Standing) -> str:
    if found.state == "draft":
        return f"not started; run: mlreg abtest start {found.test_id}"
    if found.verdict:
        winner = f", {found.winner} won" if found.winner else ""
        return f"concluded: {found.verdict}{winner}"
    last = found.last_look
    if last is None:
        return f"no look has counted yet; run: mlreg abtest analyze {found.test_id}"
    looks = "one look" if found.looks == 1 else f"{found.looks} looks"
    return f"{looks} counted, the last at {when(last.computed_at)} UTC: {last.verdict}"
