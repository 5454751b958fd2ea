"""Inputs are what the signature asks for, or one clear error."""

from __future__ import annotations

import math

import pytest

from mlreg.entities.versions import Signature
from mlreg.errors import InvalidInput
from mlreg.inputs import MAX_CHARACTERS, check_input, describe, parse_input

TEXT = Signature(input="text")
RECORD = Signature(input="record", fields=("age", "plan"), types=("number", "text"))
LOOSE = Signature(input="record")
UNTYPED = Signature(input="record", fields=("age", "plan"))
VECTOR = Signature(input="vector", length=3)
ANY_VECTOR = Signature(input="vector")
NULLABLE = Signature(input="vector", length=2, nullable=True)
NULLABLE_RECORD = Signature(
    input="record", fields=("age", "plan"), types=("number", "text"), nullable=True
)


@pytest.mark.parametrize(
    ("signature", "value"),
    [
        (TEXT, "Great product!"),
        (TEXT, ""),
        (TEXT, "a\0🙂"),
        (RECORD, {"age": 3, "plan": "pro"}),
        (RECORD, {"age": 3.5, "plan": ""}),
        (UNTYPED, {"age": True, "plan": 7}),
        (LOOSE, {"whatever": None, "x": 1.5}),
        (LOOSE, {}),
        (VECTOR, [1, 2.5, -3]),
        (ANY_VECTOR, [0]),
        (NULLABLE, [None, 1]),
        (NULLABLE_RECORD, {"age": None, "plan": None}),
    ],
)
def test_an_input_that_fits_comes_back_as_it_is(signature: Signature, value: object):
    assert check_input(signature, value) == value


def test_a_record_comes_back_in_the_order_of_the_fields():
    assert list(check_input(RECORD, {"plan": "pro", "age": 3})) == ["age", "plan"]


def test_a_tuple_is_a_vector():
    assert check_input(VECTOR, (1, 2, 3)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("signature", "value", "reason"),
    [
        (TEXT, 7, "takes a text, not a number"),
        (TEXT, None, "not null"),
        (TEXT, {"a": 1}, "not an object"),
        (TEXT, b"x", "not this value"),
        (TEXT, "\ud800", "not valid Unicode"),
        (TEXT, "x" * (MAX_CHARACTERS + 1), "at most 10,000,000 characters"),
        (RECORD, "x", "takes a record with age, plan, not a text"),
        (RECORD, {"age": 1}, "lacks plan"),
        (RECORD, {"age": 1, "plan": "x", "agee": 2}, "unknown field agee"),
        (RECORD, {"age": 1, "plan": "x", "\x1b": 2}, r"unknown field \\x1b"),
        (RECORD, {"age": "3", "plan": "x"}, "the field age must be a number, not a text"),
        (RECORD, {"age": True, "plan": "x"}, "the field age must be a number, not true or false"),
        (RECORD, {"age": None, "plan": "x"}, "the field age must be a number, not null"),
        (RECORD, {"age": math.nan, "plan": "x"}, "the field age must be a finite number"),
        (RECORD, {"age": 10**400, "plan": "x"}, "the field age must be a finite number"),
        (RECORD, {"age": 1, "plan": 2}, "the field plan must be a text, not a number"),
        (RECORD, {"age": 1, "plan": None}, "the field plan must not be null"),
        (RECORD, {"age": 1, "plan": "\ud800"}, "the field plan is not valid Unicode"),
        (UNTYPED, {"age": [1], "plan": "x"}, "the field age must be a plain value, not a list"),
        (UNTYPED, {"age": math.inf, "plan": "x"}, "the field age must be a finite number"),
        (LOOSE, {"\ud800": 1}, r"the field's name \\ud800 is not valid Unicode"),
        (LOOSE, {"a": "\ud800"}, "the field a is not valid Unicode"),
        (LOOSE, {"a": {}}, "must be a plain value, not an object"),
        (LOOSE, [1], "takes a record, not a list"),
        (VECTOR, [1, 2], "takes 3 numbers, not 2"),
        (VECTOR, "123", "takes a list of 3 numbers, not a text"),
        (VECTOR, [1, 2, "3"], "number 3 must be a number, not a text"),
        (VECTOR, [1, None, 3], "number 2 must be a number, not null"),
        (VECTOR, [1, math.inf, 3], "number 2 must be a finite number"),
        (ANY_VECTOR, [], "this one is empty"),
        (ANY_VECTOR, None, "takes a list of numbers, not null"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_the_place(
    signature: Signature, value: object, reason: str
):
    with pytest.raises(InvalidInput, match=reason):
        check_input(signature, value)


def test_typed_input_is_plain_for_text_models_and_json_for_the_others():
    assert parse_input(TEXT, "[1, 2]") == "[1, 2]"
    assert parse_input(VECTOR, "[1, 2, 3]") == [1, 2, 3]
    assert parse_input(RECORD, '{"age": 1, "plan": "x"}') == {"age": 1, "plan": "x"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1, NaN, 3]", "NaN is no number"),
        ("[1, 1e999, 3]", "too large"),
        ("1, 2, 3", "not JSON"),
        ("x" * (MAX_CHARACTERS + 1), "at most"),
    ],
)
def test_typed_input_is_read_strictly(text: str, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        parse_input(VECTOR, text)


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (TEXT, "a text"),
        (VECTOR, "a list of 3 numbers"),
        (ANY_VECTOR, "a list of numbers"),
        (RECORD, "a record with age, plan"),
        (LOOSE, "a record"),
        (
            Signature(input="record", fields=tuple("abcdefgh")),
            "a record with a, b, c, d, e, f and 2 more",
        ),
    ],
)
def test_a_signature_is_described_in_words(signature: Signature, words: str):
    assert describe(signature) == words
