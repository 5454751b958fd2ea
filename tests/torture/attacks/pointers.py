"""Pointers, threads and depth: what an array is made of, and what the stack holds."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
)
from sklearn.utils import Bunch

from tests.torture.attacks.campaign import attack, probe
from tests.torture.attacks.kit import (
    always,
    array,
    before_a_model,
    called,
    chain,
    classifier,
    data,
    dumped,
    inner,
    instance,
    items,
    named,
    number,
    poured,
    regressor,
    stack,
    text,
    whole,
)  # fmt: skip

# --- pointers ------------------------------------------------------------------------------------


@attack("An object of the state says that it is an array at address 4096.", "crash")
def array_at_an_address(scratch: Path) -> bytes:
    """numpy looks `__array_interface__` up on the instance: `Bunch` gives what it is told to."""
    model = MinMaxScaler().fit([[0.0], [1.0]])
    model.min_ = Bunch(__array_interface__=_at(4096))
    return dumped(chain(model, classifier()))


def _at(address: int) -> dict[str, Any]:
    return {"data": (address, False), "shape": (1,), "typestr": "<f8", "version": 3}


@attack("The same by an estimator's own dictionary: no `Bunch` is needed.", "crash")
def estimator_at_an_address(scratch: Path) -> bytes:
    model = regressor()
    forged = classifier()
    forged.__dict__["__array_interface__"] = _at(8192)
    model.intercept_ = forged
    return dumped(model)


@attack(
    "A record type whose field is an object, while its flags deny it: bytes become a pointer.",
    "crash",
)
def bytes_as_a_pointer(scratch: Path) -> bytes:
    fields = b"}" + text("a") + items(inner(np.dtype("O")), number(0)) + b"s"
    forged = called(named("numpy", "dtype"), text("V8"), b"\x89", b"\x88") + items(
        number(3), text("|"), b"N", items(text("a")), fields, number(8), number(1), number(0)
    ) + b"b"  # fmt: skip
    forged_array = array(forged, (2,), data(struct.pack("<QQ", 4096, 4096)))
    return _as_classes(forged_array)


@attack("A field that lies beyond its record.", "crash")
def field_beyond_the_record(scratch: Path) -> bytes:
    fields = b"}" + text("a") + items(inner(np.dtype("O")), number(2**30)) + b"s"
    forged = called(named("numpy", "dtype"), text("V8"), b"\x89", b"\x88") + items(
        number(3), text("|"), b"N", items(text("a")), fields, number(8), number(1), number(0)
    ) + b"b"  # fmt: skip
    return _as_classes(array(forged, (2,), data(bytes(16))))


@attack("A scalar of the forged record type.", "crash")
def scalar_as_a_pointer(scratch: Path) -> bytes:
    fields = b"}" + text("a") + items(inner(np.dtype("O")), number(0)) + b"s"
    forged = called(named("numpy", "dtype"), text("V8"), b"\x89", b"\x88") + items(
        number(3), text("|"), b"N", items(text("a")), fields, number(8), number(1), number(0)
    ) + b"b"  # fmt: skip
    scalar = called(
        named("numpy._core.multiarray", "scalar"), forged, data(struct.pack("<Q", 4096))
    )
    state = DummyClassifier(strategy="prior").fit([[0.0], [1.0]], ["no", "yes"]).__getstate__()
    del state["classes_"]
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    body = b"}(" + entries + text("classes_") + b"](" + scalar + scalar + b"eu"
    return whole(instance("sklearn.dummy", "DummyClassifier", body))


def _as_classes(code: bytes) -> bytes:
    """A classifier whose labels are this; a label is printed."""
    return _with(code, "classes_")


def _with(code: bytes, attribute: str) -> bytes:
    state = classifier().__getstate__()
    del state[attribute]
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    body = b"}(" + entries + text(attribute) + code + b"u"
    return whole(instance("sklearn.linear_model._logistic", "LogisticRegression", body))


@probe("A million threads for a clustering.", "crash")
def threads_without_number(scratch: Path) -> bytes:
    model = KMeans(2, n_init=1).fit([[0.0], [1.0]])
    model._n_threads = 2_000_000
    return dumped(stack([chain(poured(np.ones((2000, 1))), model)], ["predict"]))


@attack("A function on the list, asked for a million threads.", "crash")
def function_of_threads(scratch: Path) -> bytes:
    from sklearn.cluster._kmeans import _kmeans_single_lloyd

    step = FunctionTransformer(
        _kmeans_single_lloyd,
        kw_args={
            "sample_weight": np.ones(300), "centers_init": np.ones((2, 2)), "max_iter": 3,
            "verbose": False, "tol": 0.0, "n_threads": 2_000_000,
        },
    )  # fmt: skip
    return dumped(chain(*always(np.array([0.5])), poured(np.ones((300, 2))), step, classifier(2)))


@attack("A random state whose position lies far behind its key.", "crash")
def random_position(scratch: Path) -> bytes:
    model = DummyClassifier(strategy="stratified").fit([[0.0], [1.0]], ["no", "yes"])
    state = np.random.RandomState(0)
    kept = state.__reduce__()[1][0]
    forged = kept.state
    forged["state"]["pos"] = 2**30
    kept.state = forged
    model.random_state = state
    return dumped(model)


@attack("Slices within slices within slices: taking them apart overflows the stack.", "crash")
def slices_within_slices(scratch: Path) -> bytes:
    depth = 350_000
    one = named("builtins", "slice") + kept_at(5000) + b"0N"
    body = one + (kept_at(5001) + b"0" + again_at(5000) + b"(" + again_at(5001) + b"NNtR") * depth
    return before_a_model(body)


def kept_at(slot: int) -> bytes:
    return b"r" + struct.pack("<I", slot)


def again_at(slot: int) -> bytes:
    return b"j" + struct.pack("<I", slot)


@attack("A tuple of 300,000 tuples as a key: its hash overflows the stack.", "crash")
def tuples_as_a_key(scratch: Path) -> bytes:
    return before_a_model(b"})" + b"\x85" * 300_000 + number(1) + b"s")


@attack(
    "Arrays of objects within arrays of objects: taking them apart overflows the stack.", "crash"
)
def arrays_within_arrays(scratch: Path) -> bytes:
    depth = 25_000
    empty = called(
        named("numpy._core.multiarray", "_reconstruct"), named("numpy", "ndarray"),
        items(number(0)), b"C\x01b",
    )  # fmt: skip
    kind = inner(np.dtype("O")) + kept_at(5003) + b"0"
    one = (
        kept_at(5001) + b"0" + again_at(5000)
        + items(again_at(5004), again_at(5005), b"C\x01b") + b"R"
        + items(number(1), again_at(5006), again_at(5003), b"\x89", b"](" + again_at(5001) + b"e")
        + b"b"
    )  # fmt: skip
    named_once = (
        named("numpy._core.multiarray", "_reconstruct") + kept_at(5000) + b"0"
        + named("numpy", "ndarray") + kept_at(5004) + b"0"
        + items(number(0)) + kept_at(5005) + b"0" + items(number(1)) + kept_at(5006) + b"0"
    )  # fmt: skip
    return before_a_model(kind + named_once + empty + one * depth)


@probe("A negative shape, and one of more bytes than there are.", "crash")
def shape_beyond(scratch: Path) -> bytes:
    return _as_classes(array(inner(np.dtype("<f8")), (-1,), data(bytes(8))))
