"""Tables on a terminal: they fit it, and what does not wrap stays whole."""

from __future__ import annotations

import pytest

from mlreg.cli.views.blocks import Cell, Column, Table
from mlreg.cli.views.terminal import render

TABLE = Table(
    [
        Column("metric", wraps=True),
        Column("3.0.0-rc.1", right=True),
        Column("difference [interval]", right=True, wraps=True),
        Column("verdict"),
    ],
    [
        ["accuracy", "81.8 %", "+1.5 [-0.7, +3.6] pt", Cell("inconclusive", "dim")],
        ["p95_latency_ms <= +10%", "37.6 ms", "-1.37 [-4.06, +1.31] ms", Cell("kept", "green")],
        ["模型的准确率", "1.0", "+0.1", "better"],
    ],
)


def rendered(table: Table, width: int, monkeypatch, capsys) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "50")
    render([table])
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("width", range(48, 130))
def test_what_does_not_wrap_stays_whole(width: int, monkeypatch, capsys):
    lines = rendered(TABLE, width, monkeypatch, capsys)
    shown = " ".join(lines)
    assert max(map(len, lines)) <= width
    assert all(text in shown for text in ("3.0.0-rc.1", "37.6 ms", "verdict", "inconclusive"))


@pytest.mark.parametrize("width", range(20, 48))
def test_on_a_narrow_terminal_everything_folds_and_nothing_is_lost(width: int, monkeypatch, capsys):
    lines = rendered(TABLE, width, monkeypatch, capsys)
    assert max(map(len, lines)) <= width
    for text in ("inconclusive", "p95_latency_ms<=+10%", "-1.37[-4.06,+1.31]ms", "模型的准确率"):
        letters = iter("".join(lines))
        assert all(letter in letters for letter in text)


def test_a_column_is_as_wide_as_its_longest_word_where_there_is_room(monkeypatch, capsys):
    lines = rendered(TABLE, 66, monkeypatch, capsys)
    assert any(line.startswith("p95_latency_ms ") for line in lines)
