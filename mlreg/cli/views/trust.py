"""Trust: versions that may run any code, and keys."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import Block, Cell, Column, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, when
from mlreg.entities.trust import Standing, TrustedVersion, TrustReport

_MEANING: dict[Standing, str] = {
    "own": "yes: by your own key",
    "accepted": "yes: you accepted it",
    "key": "yes: by a key that you accepted",
    "unknown": "no: by a key that you have not accepted",
    "unsealed": "no: nobody signed it",
    "broken": "no: the signature does not fit",
    "revoked": "no: you have revoked it",
}


def trust_report(report: TrustReport) -> Iterable[Block]:
    """Versions and keys that are trusted."""
    yield Fields([("your key", report.key or "none yet")])
    if report.accepted_keys:
        columns = [Column("accepted key"), Column("since"), Column("reason", wraps=True)]
        rows = [(k.key, k.since[:10], k.note or NOTHING) for k in report.accepted_keys]
        yield Line("")
        yield Table(columns, rows)
    yield Line("")
    if not report.versions:
        yield Line("no version may run any code")
        return
    yield versions_table(report.versions)


def trusted_version(version: TrustedVersion) -> Iterable[Block]:
    """One version."""
    yield versions_table([version])


def versions_table(versions: Iterable[TrustedVersion]) -> Table:
    """One line for each version."""
    columns = [
        Column("version"),
        Column("digest"),
        Column("runs here", wraps=True),
        Column("trusted by"),
        Column("on"),
        Column("key"),
    ]
    rows = [
        (
            version.ref,
            version.digest[:12],
            Cell(_MEANING[version.standing], "" if version.counts else "yellow"),
            version.trusted_by or NOTHING,
            when(version.trusted_at) if version.trusted_at else NOTHING,
            version.key or NOTHING,
        )
        for version in versions
    ]
    return Table(columns, rows)
