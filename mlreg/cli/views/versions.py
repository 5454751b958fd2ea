"""Versions and models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from mlreg.cli.views.blocks import Block, Cell, Column, Content, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, count, joined, number, percent, size, traffic, when
from mlreg.cli.views.traffic import split
from mlreg.entities.documents import VersionList
from mlreg.entities.reports import ModelOverview, NextVersions
from mlreg.entities.versions import Signature, Version

_STYLES = {"active": "green", "testing": "cyan", "inactive": "", "archived": "dim"}


def version_list(found: VersionList) -> Iterable[Block]:
    """A line for each version."""
    if not found["models"]:
        yield Line("no versions yet; run: mlreg register NAME@1.0.0 model.joblib")
        return
    yield versions_table(found["models"])


def versions_table(versions: Iterable[Version]) -> Table:
    """One line for each version; columns that would be empty are left out."""
    shown = list(versions)
    columns = [
        Column("version"),
        Column("status"),
        Column("traffic", right=True),
        Column("accuracy", right=True),
        Column("requests", right=True),
    ]
    rows: list[list[Content]] = [
        [
            version.ref,
            Cell(version.status, _STYLES[version.status]),
            traffic(version.traffic_percent),
            percent(version.accuracy),
            count(version.request_count),
        ]
        for version in shown
    ]
    for title in ("aliases", "tags"):
        if any(getattr(version, title) for version in shown):
            columns.append(Column(title, wraps=True))
            for row, version in zip(rows, shown, strict=True):
                row.append(joined(getattr(version, title)))
    return Table(columns, rows)


def version(version: Version) -> Iterable[Block]:
    """All about a version."""
    yield Line(version.ref, "bold")
    rows: list[tuple[str, Content]] = [
        ("id", version.model_id),
        ("status", Cell(version.status, _STYLES[version.status])),
        ("traffic", traffic(version.traffic_percent)),
        ("requests", count(version.request_count)),
        *_told(version),
        ("input", _takes(version.signature)),
        ("output", _gives(version.signature)),
        *_artifact(version),
        ("registered", f"{when(version.created_at)} UTC by {version.created_by}"),
    ]
    yield Fields([row for row in rows if row[1] not in ("", NOTHING)])


def _told(version: Version) -> list[tuple[str, Content]]:
    """What people said about the version."""
    return [
        ("description", version.description),
        ("metrics", joined([f"{k} {number(v)}" for k, v in version.metrics.items()])),
        ("metadata", joined([f"{k}={_plain(v)}" for k, v in version.metadata.items()])),
        ("tags", joined(version.tags)),
        ("aliases", joined(version.aliases)),
        ("parent", version.parent or NOTHING),
    ]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _artifact(version: Version) -> list[tuple[str, Content]]:
    if version.external:
        return [("artifact", "none, a program of yours runs it")]
    if version.digest is None:
        return [("artifact", Cell("none, only metadata", "yellow"))]
    trusted = Cell("yes: it may run any code", "yellow") if version.trusted else "no"
    return [
        ("artifact", f"{size(version.size_bytes)}, {version.flavor}"),
        ("digest", version.digest),
        ("trusted", trusted),
    ]


def _takes(signature: Signature | None) -> str:
    if signature is None:
        return NOTHING
    from mlreg.inputs import describe

    return describe(signature)


def _gives(signature: Signature | None) -> str:
    if signature is None:
        return NOTHING
    kind = "a number" if signature.output == "number" else _labels(signature.classes)
    return f"{kind}, by {signature.estimator}" if signature.estimator else kind


def _labels(classes: Sequence[object]) -> str:
    if not classes:  # a clusterer's, or those of an artifact that nobody has looked into
        return "a label"
    more = " …" if len(classes) > 10 else ""
    return f"one of {joined([str(label) for label in classes[:10]])}{more}"


def model_overview(model: ModelOverview) -> Iterable[Block]:
    """A model: who serves, and its versions."""
    yield from split(model.revision)
    yield Line("")
    yield versions_table(model.versions)
    if model.value_better:
        told = (f"{name} {better}" for name, better in model.value_better.items())
        yield Line("")
        yield Line(f"better: {', '.join(told)}")


def next_versions(found: NextVersions) -> Iterable[Block]:
    """The numbers that could come next."""
    rows = [("latest", found.latest or NOTHING)]
    rows += [(part, getattr(found, part)) for part in ("major", "minor", "patch")]
    yield Fields(rows)
