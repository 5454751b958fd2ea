"""What the self-test found."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import BAD, GOOD, Block, Column, Line, Table
from mlreg.cli.views.formats import count, percent
from mlreg.entities.selftests import Check, SelfTest


def blocks(found: SelfTest) -> Iterable[Block]:
    """The record as blocks."""
    columns = [Column(""), Column("check"), Column("figure", right=True), Column("bound")]
    rows = [
        (
            GOOD if check.passed else BAD,
            check.check,
            _value(check, check.figure),
            f"{check.sign} {_value(check, check.bound)}",
            check.detail,
        )
        for check in found.checks
    ]
    yield Table([*columns, Column("what it is", wraps=True)], rows)
    passed = sum(check.passed for check in found.checks)
    style = "green" if found.passed else "bold red"
    yield Line(f"{passed} of {len(found.checks)} checks passed in {found.seconds:.1f} s", style)


def _value(check: Check, value: float) -> str:
    return percent(value) if check.unit == "share" else count(round(value))
