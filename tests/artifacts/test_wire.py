from __future__ import annotations

from typing import Any

import pytest

from mlreg.artifacts import wire
from mlreg.artifacts.runner import Answer, Failure
from mlreg.entities.versions import Signature
from mlreg.errors import ArtifactUntrusted

SIGNATURE = Signature(
    input="record", fields=("a",), types=("any",), output="class", classes=("x", 1), estimator="E"
)


def travelled(message: object) -> dict[str, Any]:
    return wire.parse(wire.frame(message)[wire.HEADER :])


def test_outcomes_travel_unchanged() -> None:
    outcomes: list[Answer | Failure] = [
        Answer("é", 0.5),
        Answer(True, None),
        Answer(2**62, 1.0),
        Failure("error", "why"),
    ]
    assert wire.unpack(travelled({"o": wire.pack(outcomes)})["o"], 4) == outcomes


def test_a_lone_surrogate_in_an_input_travels() -> None:
    assert travelled({"inputs": ["\ud800"]}) == {"inputs": ["\ud800"]}


def test_a_signature_travels_unchanged() -> None:
    message = {"signature": wire.pack_signature(SIGNATURE), "flavor": "sklearn", "notes": ["n"]}
    assert wire.unpack_inspection(travelled(message)) == ("sklearn", SIGNATURE, ("n",))


def test_an_error_travels_with_its_kind_and_without_its_escapes() -> None:
    error = wire.unpack_error(wire.pack_error(ArtifactUntrusted("no\x1b[2J", hint="do")))
    assert type(error) is ArtifactUntrusted
    assert (error.message, error.hint) == ("no\\x1b[2J", "do")
    assert wire.unpack_error({}) is None


@pytest.mark.parametrize(
    "items",
    [None, {}, [], [["a", 0.5]] * 3, [["a"], ["b"]], [["a", 2.0]] * 2, [["a", "b"]] * 2,
     [[None, None]] * 2, [[[], None]] * 2, [["bogus", "why", None]] * 2, [["error", 1, None]] * 2,
     [[float("nan"), None]] * 2],
)  # fmt: skip
def test_odd_outcomes_are_nonsense(items: Any) -> None:
    with pytest.raises(wire.Nonsense):
        wire.unpack(items, 2)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_odd_replies_are_nonsense(body: bytes) -> None:
    with pytest.raises(wire.Nonsense):
        wire.parse(body)


@pytest.mark.parametrize(
    "change",
    [{"input": "sound"}, {"fields": [1]}, {"types": ["odd"]}, {"length": -1}, {"length": "1"},
     {"output": None}, {"classes": [[]]}, {"estimator": 1}, {"fields": None}],
)  # fmt: skip
def test_odd_signatures_are_nonsense(change: dict[str, Any]) -> None:
    with pytest.raises(wire.Nonsense):
        wire.unpack_signature(wire.pack_signature(SIGNATURE) | change)


@pytest.mark.parametrize("error", ["text", ["one"], ["a", "b", 3]])
def test_odd_errors_are_nonsense(error: Any) -> None:
    with pytest.raises(wire.Nonsense):
        wire.unpack_error({"error": error})
