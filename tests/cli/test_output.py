"""Fields, JSON, plain blocks, numbers for people, and the parsing of values."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.cli.kit import values
from mlreg.cli.kit.parameters import Bundle, flatten
from mlreg.cli.output import field_lines, json_line
from mlreg.cli.views import formats
from mlreg.cli.views.blocks import Cell, Column, Fields, Line, Table, plain
from mlreg.errors import InvalidInput

MODELS = [{"version": "1.0.0", "tags": ["x", "y"]}, {"version": "2.0.0", "tags": []}]
DOCUMENT = {
    "name": "a\nb",
    "count": 3,
    "rate": 0.5,
    "none": None,
    "on": True,
    "models": MODELS,
}


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("name", ["a\\nb"]), ("count", ["3"]), ("rate", ["0.5"]), ("none", [""]), ("on", ["true"]),
        ("models.version", ["1.0.0", "2.0.0"]), ("models.tags", ["x", "y"]),
        ("models", [json.dumps(model) for model in MODELS]),
    ],
)  # fmt: skip
def test_a_field_is_printed_raw_one_value_a_line(path: str, lines: list[str]) -> None:
    assert field_lines(DOCUMENT, path).splitlines() == lines


def test_an_unknown_field_names_those_that_there_are() -> None:
    with pytest.raises(InvalidInput, match="no field size in models") as caught:
        field_lines(DOCUMENT, "models.size")
    assert caught.value.hint == "the fields are: version, tags"
    with pytest.raises(InvalidInput, match="no field deeper in name"):
        field_lines(DOCUMENT, "name.deeper")


@given(st.dictionaries(st.text(), st.text() | st.floats() | st.integers()))
def test_json_is_one_line_that_no_terminal_acts_upon(document: dict[str, object]) -> None:
    line = json_line(document)
    assert line.count("\n") == 1
    assert not [c for c in line[:-1] if c < " " or "\x7f" <= c <= "\x9f" or c in "\u202e\u2028"]


def test_plain_blocks_are_aligned_and_safe() -> None:
    columns = [Column("name"), Column("n", right=True), Column("note")]
    rows = [("模型", "1", Cell("x\x1b[31m", "red")), ("ab", "20", "")]
    assert plain([Table(columns, rows, "Title"), Fields([("k", "v")]), Line("end")]) == (
        "Title\nname   n  note\n模型   1  x\\x1b[31m\nab    20\nk:  v\nend\n"
    )


def test_numbers_are_written_for_people() -> None:
    assert formats.percent(0.12345) == "12.3 %"
    assert formats.percent(None) == "-"
    assert formats.traffic(33.3) == "33.30 %"
    assert formats.p_value(0.0001) == "<0.001"
    assert formats.p_value(0.0309) == "0.031"
    assert [formats.milliseconds(v) for v in (1.234, 12.34, 1234.5)] == ["1.23", "12.3", "1,234"]
    assert [formats.size(v) for v in (12, 1500, 2_000_000, None)] == [
        "12 B",
        "1.5 kB",
        "2.0 MB",
        "-",
    ]
    assert formats.when(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02 03:04:05"
    assert formats.joined(()) == "-"


@given(st.floats(min_value=0, max_value=100).map(lambda x: f"{x:.2f}"))
def test_plain_decimals_are_percentages(text: str) -> None:
    assert values.percent(text) == values.percent(f"+{text}") == float(text)


@pytest.mark.parametrize("text", ["", " 5", "5 ", "1e1", "nan", "1_0", "0x1", "\uff15", "-0", ".5"])
def test_anything_else_is_no_percentage(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a percentage"):
        values.percent(text)


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e999", "1_0", "\uff15", "0x1", "1e"])
def test_numbers_are_finite_and_in_ascii(text: str) -> None:
    assert values.number("-1.5e-3") == -0.0015
    with pytest.raises(InvalidInput, match="not a number"):
        values.number(text)


def read(one: int = 1, two: str = "b") -> str:
    return f"{two}{one}"


SEEN: list[tuple[int, str]] = []


def told(own: int, both: Annotated[str, Bundle(read)]) -> None:
    SEEN.append((own, both))


def test_bundles_become_single_options() -> None:
    flat = flatten(told)
    assert list(inspect.signature(flat).parameters) == ["own", "one", "two"]
    flat(own=5, one=2, two="c")
    assert SEEN == [(5, "c2")]
