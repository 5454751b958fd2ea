from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch

from mlreg.artifacts import unpickling
from mlreg.errors import ArtifactUnloadable, ArtifactUntrusted
from tests.artifacts.conftest import Call, calling


def load(data: bytes) -> Any:
    return unpickling.load(data, trusted=False)


def joblib_bytes(value: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def model() -> Any:
    return LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]] * 5, ["no", "yes"] * 5)


# --- honest artifacts -----------------------------------------------------------------------


@pytest.mark.parametrize("compress", [0, "zlib", "gzip", "bz2", "lzma", "xz"])
def test_joblib_files_load_however_they_are_compressed(model: Any, compress: Any) -> None:
    data = joblib_bytes(model, compress=(compress, 3) if compress else 0)
    assert (load(data).coef_ == model.coef_).all()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_each_binary_protocol_load(model: Any, protocol: int) -> None:
    assert (load(pickle.dumps(model, protocol)).coef_ == model.coef_).all()


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(3.0),
    np.zeros((0, 4)),
    np.array(["a", "bc"]),
    np.array(["a", None, 1], dtype=object),
    np.arange(3, dtype=">i4"),
    np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]),
    np.array([(1, [2, 3])], dtype=[("a", "<i4"), ("b", "<i2", (2,))]),
    np.array(["2026-01-01"], dtype="M8[D]"),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_arrays_come_back_equal(array: Any) -> None:
    for data in (joblib_bytes(array), pickle.dumps(array, 2), pickle.dumps(array, 5)):
        found = load(data)
        assert found.shape == array.shape
        assert (found == array).all()
        assert found.flags.writeable


def test_a_mapped_array_comes_back_as_a_plain_one(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "array", dtype=float, mode="w+", shape=(3,))
    assert type(load(joblib_bytes(mapped))) is np.ndarray


# --- broken ones ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no joblib file"),
        (b"garbage", "no joblib file"),
        (b"PK\x03\x04", "no joblib file"),
        (b"\x80\x04", "cut short"),
        (b"\x80\x63N.", "protocol"),
        (b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x", "cut short"),
        (b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".", "cut short"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (zlib.compress(b"x")[:-3], "compression is damaged"),
        (b"\x1f\x8bnonsense", "compression is damaged"),
    ],
)
def test_broken_bytes_are_one_clear_error(data: bytes, reason: str) -> None:
    with pytest.raises(ArtifactUnloadable, match=reason) as caught:
        load(data)
    assert "\n" not in caught.value.message


def test_every_truncation_is_refused_without_another_error(model: Any) -> None:
    data = joblib_bytes(model)
    for length in range(len(data) - 1):
        with pytest.raises((ArtifactUnloadable, ArtifactUntrusted), match="artifact"):
            load(data[:length])


def test_every_flipped_byte_loads_or_is_refused(model: Any) -> None:
    data = bytearray(joblib_bytes(model))
    for place in range(len(data)):
        data[place] ^= 0x55
        with suppress(ArtifactUnloadable, ArtifactUntrusted):
            load(bytes(data))
        data[place] ^= 0x55


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(200 << 20), 9)
    with pytest.raises(ArtifactUnloadable, match="unpacks to more than"):
        load(bomb)


def test_an_array_larger_than_the_file_is_not_allocated() -> None:
    data = joblib_bytes(np.zeros(3)).replace(b"K\x03\x85", b"\x8a\x06\0\0\0\0\0\x01\x85")
    with pytest.raises(ArtifactUnloadable, match="cut short"):
        load(data)


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(ArtifactUntrusted, match="bytes after its end"):
        load(pickle.dumps(1) + pickle.dumps(2))


# --- hostile ones: names --------------------------------------------------------------------


def write(path: str) -> None:
    Path(path).write_text("fired")


def assembled(module: str, name: str, *args: str) -> bytes:
    """A pickle of protocol 4 that calls what may not even exist here."""
    texts = b"".join(pickle.SHORT_BINUNICODE + bytes([len(t)]) + t.encode() for t in args)
    return (
        b"\x80\x04"
        + b"".join(pickle.SHORT_BINUNICODE + bytes([len(t)]) + t.encode() for t in (module, name))
        + b"\x93("
        + texts
        + b"tR."
    )


HOSTILE: dict[str, Callable[[str], bytes]] = {
    "a shell": lambda path: calling(os.system, f"touch {path}"),
    "eval": lambda path: calling(eval, f"open({path!r}, 'w')"),
    "its own module": lambda path: calling(write, path),
    "a folder walk": lambda path: assembled("sklearn.utils._testing", "os.system", path),
    "a file of numpy": lambda path: calling(np.savetxt, path, [1]),
    "a second stage": lambda path: calling(joblib.load, path),
    "a dump of joblib": lambda path: calling(joblib.dump, 1, path),
    "an unknown module": lambda path: assembled("evil_helper", "Model"),
    "an object array": lambda path: joblib_bytes(
        {"w": np.array([Call(os.system, f"touch {path}")], dtype=object)}
    ),
    "an old instance": lambda path: f"(S'touch {path}'\nios\nsystem\n.".encode(),
    "zlib": lambda path: zlib.compress(calling(os.system, f"touch {path}")),
    "gzip": lambda path: gzip.compress(calling(os.system, f"touch {path}")),
    "bz2": lambda path: bz2.compress(calling(os.system, f"touch {path}")),
    "xz": lambda path: lzma.compress(calling(os.system, f"touch {path}")),
    "a mapped file": lambda path: calling(np.memmap, path, "uint8", "w+", 0, (1,)),
    "a persistent id": lambda path: b"\x80\x04X\x01\0\0\0xQ.",
    "an extension code": lambda path: b"\x80\x04\x82\x01.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_before_it_fires(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    with pytest.raises((ArtifactUntrusted, ArtifactUnloadable), match="artifact"):
        load(HOSTILE[name](str(marker)))
    assert not marker.exists()


def test_the_refused_name_is_shown_without_its_escapes() -> None:
    with pytest.raises(ArtifactUntrusted, match=r"needs os\\x1b\[2J\.system") as caught:
        load(assembled("os\x1b[2J", "system"))
    assert "--trust" in caught.value.hint


# --- hostile ones: what admitted names can be made to do ------------------------------------


def forged_dtype(fields: dict[str, Any], flags: int = 0, size: int = 16) -> Any:
    return Call(np.dtype, f"V{size}", False, True, state=(
        3, "|", None, tuple(fields), fields, size, 1, flags,
    ))  # fmt: skip


PLAIN_DTYPE = (np.dtype, ("f8", False, True), (3, "<", None, None, None, -1, -1, 0))
reconstruct = np.ones(1).__reduce__()[0]
scalar = np.float64(1).__reduce__()[0]

TRICKS: dict[str, Any] = {
    "calls an estimator": Call(LogisticRegression, "l2"),
    "calls an array": Call(np.ndarray, (1 << 40,)),
    "allocates by reconstructing": Call(reconstruct, np.ndarray, (1 << 40,), b"b"),
    "reconstructs another class": Call(reconstruct, Bunch, (0,), b"b"),
    "hides objects in a dtype": forged_dtype({"a": (np.dtype("O"), 8)}),
    "points a field outside its dtype": forged_dtype({"a": (np.dtype("i8"), 800)}),
    "lies about flags": forged_dtype({"a": (np.dtype("i8"), 0)}, flags=0x1F),
    "lies about a size": Call(np.dtype, "V16", False, True, state=(
        3, "|", None, ("a",), {"a": (np.dtype("i8"), 0)}, 1 << 30, 1, 16,
    )),
    "fills the shared dtype": Call(np.dtype, "O", False, False, state=(
        3, "|", None, None, None, -1, -1, 0,
    )),
    "makes a dtype of a dict": Call(np.dtype, {"names": ["a"], "formats": ["O"]}, False, True),
    "gives an array too few bytes": Call(reconstruct, np.ndarray, (0,), b"b", state=(
        1, (9,), np.dtype("f8"), False, b"x" * 8,
    )),
    "gives an array of objects bytes": Call(reconstruct, np.ndarray, (0,), b"b", state=(
        1, (1,), np.dtype("O"), False, b"x" * 8,
    )),
    "makes a scalar of few bytes": Call(scalar, np.dtype("f8"), b"x"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
def test_an_admitted_name_cannot_be_misused(name: str) -> None:
    with pytest.raises(ArtifactUntrusted, match=r"which is not allowed|strange|not on the allow"):
        load(pickle.dumps(TRICKS[name], 4))


def named(cls: Any) -> bytes:
    return pickle.GLOBAL + f"{cls.__module__}\n{cls.__name__}\n".encode()


def value(of: Any) -> bytes:
    return pickle.dumps(of, 2)[2:-1]


MAKE = b")\x81"
INTERFACE = {"__array_interface__": {"data": (0, False), "shape": (1,), "typestr": "<i8"}}
STREAMS = {
    "an array interface": named(LogisticRegression) + MAKE + value(INTERFACE) + b"b.",
    "a method": named(LogisticRegression) + MAKE + value({"predict": 1}) + b"b.",
    "a special name": named(LogisticRegression) + MAKE + value((None, {"__class__": 1})) + b"b.",
    "a class": named(LogisticRegression) + value((None, {"predict": 1})) + b"b.",
    "a function": named(np.mean) + value((None, {"__defaults__": (1,)})) + b"b.",
    "a second time": named(LogisticRegression) + MAKE + (value({"C": 1}) + b"b") * 2 + b".",
    "a dict-like's item": named(Bunch) + MAKE + value("__array_interface__") + value({}) + b"s.",
    "an item of an estimator": named(LogisticRegression) + MAKE + value(0) + value(0) + b"s.",
    "an item of an array": value(np.zeros(2)) + value(0) + value(0) + b"s.",
    "more of an estimator": named(LogisticRegression) + MAKE + value(0) + b"a.",
    "a text vectoriser that reads files": (
        named(TfidfVectorizer) + MAKE + value({"input": "filename"}) + b"b."
    ),
    "an array by its class": named(np.ndarray) + b"(K\x09t\x81.",
    "named arguments": b"\x80\x04" + named(Bunch) + b")" + value({"a": 1}) + b"\x92.",
}


@pytest.mark.filterwarnings("ignore:Trying to unpickle")
@pytest.mark.parametrize("name", STREAMS)
def test_an_object_cannot_be_filled_with_other_code_or_twice(name: str) -> None:
    with pytest.raises(ArtifactUntrusted, match="which is not allowed"):
        load(b"\x80\x02" + STREAMS[name])


def tree_with(**changes: int) -> bytes:
    """A decision tree whose first node was changed."""
    tree = DecisionTreeClassifier().fit([[0.0, 1.0], [1.0, 0.0]] * 5, [0, 1] * 5)
    state = tree.__getstate__()
    kind, args, inner = state["tree_"].__reduce__()
    for name, number in changes.items():
        inner["nodes"][name][0] = number
    tree.tree_ = Call(kind, *args, state=inner)
    return pickle.dumps(tree)


@pytest.mark.parametrize(
    "changes", [{"left_child": 10**6}, {"right_child": 0}, {"feature": 10**6}, {"feature": -9}]
)
def test_a_tree_that_leads_outside_itself_is_refused(changes: dict[str, int]) -> None:
    assert load(tree_with()).tree_.node_count == 3
    with pytest.raises(ArtifactUntrusted, match=r"Tree that leads outside itself"):
        load(tree_with(**changes))


# --- trust ----------------------------------------------------------------------------------


def test_trust_runs_what_the_bytes_say(tmp_path: Path) -> None:
    data = calling(write, str(tmp_path / "marker"))
    assert unpickling.load(data, trusted=True) is None
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, RecursionError])
def test_an_error_while_loading_is_one_of_the_artifact(error: type[BaseException]) -> None:
    with pytest.raises(ArtifactUnloadable, match=error.__name__):
        unpickling.load(calling(throw, error), trusted=True)


def throw(error: type[BaseException]) -> None:
    raise error
