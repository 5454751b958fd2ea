"""Policies."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.alerts import threshold_table
from mlreg.cli.views.blocks import Block, Column, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, when
from mlreg.entities.decisions import Policy
from mlreg.entities.documents import PolicyList
from mlreg.entities.policies import Applied, PolicyDifference
from mlreg.jsonable import dumps
from mlreg.services.policy_forms import thresholds_of


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
    if thresholds := thresholds_of(found):
        yield threshold_table(thresholds)
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


def difference(found: PolicyDifference) -> Iterable[Block]:
    """How one policy differs from another."""
    yield Line(f"{found.model}: policy {found.before or NOTHING} -> {found.after or NOTHING}")
    yield from map(_coloured, found.lines or ("  no difference",))


def applied(found: Applied) -> Iterable[Block]:
    """What a policy file has changed, or would."""
    for model in found.models:
        if not model.lines:
            yield Line(f"{model.model}: as the file says, nothing to change")
            continue
        would = "would be " if found.dry_run else ""
        number = f"policy {model.after}" if model.after != model.before else "the policy stays"
        traffic = f", revision {model.revision}" if model.revision else ""
        yield Line(f"{model.model}: {would}{number}{traffic}")
        yield from map(_coloured, model.lines)


def _coloured(line: str) -> Line:
    return Line(f"  {line}", {"+": "green", "-": "red", "~": "yellow"}.get(line[0], ""))
