"""Records to JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import InvalidInput
from mlreg.jsonable import MAX_DEPTH, canonical, dumps, jsonable, loads, restore

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@dataclass
class Plain:
    name: str
    at: datetime


@dataclass
class Chosen:
    hidden: int
    shown: tuple[float, ...]
    __json__: ClassVar[tuple[str, ...]] = ("double", "shown")

    @property
    def double(self) -> int:
        return 2 * self.hidden


def test_a_record_becomes_its_fields_and_times_become_text():
    record = Plain("x", datetime(2026, 11, 20, tzinfo=UTC))
    assert jsonable({"a": record}) == {"a": {"name": "x", "at": "2026-11-20T00:00:00.000000Z"}}


def test_a_record_can_name_what_it_shows():
    assert jsonable(Chosen(2, (1.0, math.nan, -math.inf))) == {
        "double": 4,
        "shown": [1.0, None, None],
    }


def test_what_has_no_json_form_is_an_error():
    with pytest.raises(TypeError, match="object has no JSON form"):
        jsonable([object()])


@given(VALUES)
def test_written_json_reads_back_as_it_was(value: object):
    assert loads(dumps(value)) == value
    assert loads(dumps(value, indent=2)) == value


@given(VALUES)
def test_canonical_json_is_one_spelling_in_ascii(value: object):
    text = canonical(value)
    assert text.isascii()
    assert canonical(json.loads(text)) == text


def test_a_lone_surrogate_is_written_as_its_escape():
    text = dumps({"a": "é\ud800"})
    text.encode()
    assert json.loads(text) == {"a": "é\ud800"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("1e999", "too large for a double"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ("", "not JSON: Expecting value at character 1"),
        ("{'a': 1}", "at character 2"),
        ("1 2", "Extra data at character 3"),
        ("\ufeff1", "not JSON"),
        ("1" * 5000, "a number has too many digits"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "deeper than 64"),
        ("[" * 100_000, "deeper than 64"),
        ('{"a":' * 70 + "1" + "}" * 70, "deeper than 64"),
    ],
)
def test_what_is_not_strict_json_is_refused_with_the_place(text: str, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        loads(text)


def test_json_may_be_nested_to_the_limit():
    loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)


class Ending(NamedTuple):
    said: Literal["ship", "keep"]
    winner: str | None


class Look(NamedTuple):
    slot: int
    p: tuple[float, ...]
    kept: tuple[bool | None, ...] = ()
    ending: Ending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    looks: tuple[Look, ...]
    exposure: tuple[int, str]
    labels: tuple[str | int | bool, ...] = ()
    cuts: dict[str, int] = field(default_factory=dict)
    sums: Any = None


FULL = Stored(
    looks=(Look(1, (0.5, 1)), Look(2, (), (True, None), Ending("ship", None))),
    exposure=(3, "x"),
    labels=("a", 1, True),
    cuts={"0.95": 7},
    sums={"error_rate": (((1, 2.5),),)},
)
LEAST = {"looks": [], "exposure": [1, "a"]}


def test_what_was_written_is_restored_as_the_same_record() -> None:
    stored = json.loads(canonical(FULL))
    assert restore(Stored, stored) == FULL
    assert canonical(restore(Stored, stored)) == canonical(FULL)


def test_what_has_a_default_may_be_left_out() -> None:
    assert restore(Stored, LEAST) == Stored(looks=(), exposure=(1, "a"))
    assert restore(Look, {"slot": 1.0, "p": []}) == Look(1, ())


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, "^Stored is NoneType"), ([], "^Stored is list"),
        ({"looks": []}, "^Stored lacks the field exposure"),
        (LEAST | {"new": 1}, "^Stored .* the field new"),
        (LEAST | {"exposure": [1]}, "exposure is list"),
        (LEAST | {"exposure": [True, "a"]}, "exposure.. is bool, not .*int"),
        (LEAST | {"exposure": [1.5, "a"]}, "exposure.. is float, not .*int"),
        (LEAST | {"looks": {}}, "looks is dict"), (LEAST | {"cuts": {"a": "1"}}, "cuts.a is str"),
        (LEAST | {"labels": [None]}, "labels.. is NoneType"),
        (LEAST | {"looks": [{"slot": 1, "p": ["0.5"]}]}, "p.. is str, not .*float"),
        (LEAST | {"looks": [{"slot": 1, "p": [math.inf]}]}, "p.. is float"),
        (LEAST | {"looks": [{"slot": 1}]}, "looks.. lacks the field p"),
        ({**LEAST, "looks": [{"slot": 1, "p": [], "ending": {"said": "go", "winner": None}}]},
         "ending is dict"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_its_place(value: Any, where: str) -> None:
    with pytest.raises(ValueError, match=where):
        restore(Stored, value)
