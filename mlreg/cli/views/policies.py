"""Policies."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.alerts import threshold_list
from mlreg.cli.views.blocks import Block, Column, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, when
from mlreg.entities.decisions import Policy
from mlreg.entities.documents import PolicyList, ThresholdList
from mlreg.jsonable import dumps


def policy(found: Policy) -> Iterable[Block]:
    """A policy: its thresholds as a table, other sections as they are."""
    if not found.number:
        yield Line(f"{found.model} has no policy yet")
        return
    author = f"by {found.actor}, {when(found.created_at)} UTC"
    planned = "would be " if found.dry_run else ""
    yield Line(f"{planned}policy {found.number} of {found.model}, {author}")
    if found.reason:
        yield Line(found.reason)
    from mlreg.services.policies import thresholds_of

    yield from threshold_list(ThresholdList(thresholds=thresholds_of(found)))
    rest = [(name, dumps(part)) for name, part in found.document.items() if name != "thresholds"]
    if rest:
        yield Fields(rest)


def policy_list(found: PolicyList) -> Iterable[Block]:
    """The policies of a model."""
    if not found["policies"]:
        yield Line(f"{found['model']} has no policy yet")
        return
    columns = [
        Column("policy", right=True),
        Column("since (UTC)"),
        Column("by"),
        Column("thresholds", right=True),
        Column("why", wraps=True),
    ]
    rows = [
        (
            str(one.number),
            when(one.created_at),
            one.actor,
            str(len(one.document.get("thresholds", ()))),
            one.reason or NOTHING,
        )
        for one in found["policies"]
    ]
    yield Table(columns, rows)
