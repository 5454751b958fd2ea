"""Every command with odd words as each argument and option: refused, never a defect."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.cli.exit_codes import ExitCode
from tests.cli.conftest import Run, run, serving
from tests.contract.test_command_line import ALL, lines_with

__all__ = ["run", "serving"]

# What is no number, or none that a table could hold; and names that no terminal should see.
ODD = (
    "", "-1", "nan", "inf", "1e400", "1e-400", "%", "0x10", "1_000", "1.5.5", "١", "9" * 5000,
    "9223372036854775808", "1h1h", "１h", "10000-01-01", "0000-00-00", "\ud800", "\udcff@1.0.0",
    "a=1e999", "a=9223372036854775808", "1.0.0=9223372036854775808", "m@18446744073709551616.0.0",
    "segment:", "revenue <= +1e999%", "[9223372036854775808]", '{"a":1e999}',
)  # fmt: skip


@pytest.mark.parametrize(("words", "found"), ALL, ids=[" ".join(words) for words, _ in ALL])
def test_no_odd_value_is_a_defect(serving: Run, words: tuple[str, ...], found: Any) -> None:
    for value in ODD:
        for line in lines_with(value, words, found):
            assert serving(*line, input="").code != ExitCode.UNEXPECTED, line
