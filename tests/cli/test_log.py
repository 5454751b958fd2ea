"""Rows of the log, found by what the caller knows of them."""

from __future__ import annotations

import pytest

from mlreg.registry import Registry
from tests.cli.conftest import Run


@pytest.fixture
def logged(serving: Run, serving_registry: Registry) -> Run:
    """Three answers: two users, one request with an id of the caller's own."""
    predict = serving_registry.predictions.predict
    predict("one", unit="alice")
    predict("two", unit="bob", request_id="ORDER-17")
    predict("three", unit="alice")
    return serving


def inputs(found: dict) -> list[str]:
    return [row["input"] for row in found["predictions"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--user", "alice"], ["one", "three"]),
        (["--user", "alice", "-n", "1"], ["three"]),
        (["--user", "nobody"], []),
        (["--until", "1h"], []),
        (["--since", "1h", "--until", "2199-12-31"], ["one", "two", "three"]),
        (["--id", "3"], ["three"]),
        (["--key", "ORDER-17"], ["two"]),
        (["sentiment", "--request-id", "ORDER-17"], ["two"]),
    ],
)
def test_the_log_is_narrowed_to_what_is_asked_for(
    logged: Run, options: list[str], expected: list[str]
):
    assert inputs(logged("log", *options, "--json").json) == expected


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--id", "4"], 3, "there is no prediction 4"),
        (["--id", "none"], 2, "is not the id of a prediction"),
        (["--key", "ORDER-18"], 3, "sentiment has answered no request ORDER-18"),
        (["--key", "ORDER-17", "--user", "bob"], 2, "--user does not go with one row"),
        (["--id", "2", "--key", "ORDER-17"], 2, "--id does not go with one row"),
        (["--since", "1h", "--until", "1d"], 2, "the window is empty"),
        (["--follow", "--until", "1h"], 2, "--until does not go with what is to come"),
    ],
)
def test_what_cannot_be_found_is_said(logged: Run, options: list[str], code: int, said: str):
    found = logged("log", *options)
    assert found.code == code
    assert said in found.err
