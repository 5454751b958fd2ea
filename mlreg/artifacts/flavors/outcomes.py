"""What a model returned, as plain values, or why it cannot be taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from opcode import opmap
from typing import Any

import numpy as np

from mlreg.artifacts.runner import Answer, Failure, Output
from mlreg.names import counted, safe

LONGEST_MESSAGE = 300
LONGEST_LABEL = 10_000
_LARGEST = 2**63
_ROUNDING = 1e-6

Outcomes = list[Answer | Failure]


def describe(error: BaseException) -> str:
    """`ValueError: what it says`, in one safe line; an error whose text fails has only a name."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a model's exception can do anything
        text = ""
    name = type(error).__name__
    return safe(f"{name}: {text}" if text else name, longest=LONGEST_MESSAGE)


def from_user(error: BaseException) -> bool:
    """Whether it is a Ctrl-C; one that the model raised itself stands on a `raise`."""
    if not isinstance(error, KeyboardInterrupt) or error.__traceback__ is None:
        return False
    innermost = error.__traceback__
    while innermost.tb_next:
        innermost = innermost.tb_next
    code = innermost.tb_frame.f_code.co_code
    return code[innermost.tb_lasti] != opmap["RAISE_VARARGS"]


def failed(error: BaseException) -> Failure:
    """The outcome of a call that raised."""
    return Failure("error", describe(error))


def misshapen(what: str) -> Failure:
    """The outcome of a call whose result cannot be taken."""
    return Failure("shape", what)


def values(result: Any, count: int) -> list[Any] | Failure:
    """The result's items, one for each input."""
    if isinstance(result, np.ndarray):
        return _array_values(result, count)
    if result is None or isinstance(result, str | bytes | dict):
        return misshapen(f"the model returned {_kind(result)} and no list of outputs")
    try:
        length = len(result)
    except Exception:  # noqa: BLE001 - a foreign object's len can do anything
        return misshapen(f"the model returned {_kind(result)} and no list of outputs")
    if length != count:
        return misshapen(f"the model returned {_ratio(length, count)}")
    return list(result)


def _ratio(outputs: int, inputs: int) -> str:
    return f"{counted(outputs, 'output')} for {counted(inputs, 'input')}"


def _array_values(result: np.ndarray[Any, Any], count: int) -> list[Any] | Failure:
    if result.shape == (count, 1):
        result = result[:, 0]
    if result.ndim != 1:
        return misshapen(
            f"the model returned an array of shape {result.shape} and not one output for each input"
        )
    if len(result) != count:
        return misshapen(f"the model returned {_ratio(len(result), count)}")
    found: list[Any] = result.tolist()
    return found


def output(value: Any, *, number: bool = False) -> Output | Failure:
    """One item as a plain string, int, float or bool."""
    if isinstance(value, np.generic):
        value = value.item()
    kind = type(value)
    if kind is float or (number and kind in (int, bool)):
        return _number(value)
    if kind is str:
        return _text(value)
    if kind is bool:
        return bool(value)
    if kind is int:
        return _integer(value)
    return misshapen(f"the model returned {_kind(value)}, which is no label and no number")


def _number(value: float) -> float | Failure:
    try:
        number = float(value)
    except OverflowError:
        return misshapen("the model returned a number that is too large for a double")
    if math.isfinite(number):
        return number
    name = "NaN" if math.isnan(number) else "an infinite number"
    return misshapen(f"the model returned {name}")


def _integer(value: int) -> int | Failure:
    if -_LARGEST <= value < _LARGEST:
        return value
    return misshapen("the model returned an integer beyond 64 bits")


def _text(value: str) -> str | Failure:
    if len(value) > LONGEST_LABEL:
        return misshapen(f"the model returned a label of {len(value):,} characters")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        return misshapen("the model returned a label that is no valid Unicode text")
    return value


def outputs(items: Sequence[Any], *, number: bool) -> Outcomes:
    """Answers without a confidence."""
    found: list[Output | Failure] = [output(item, number=number) for item in items]
    return [item if isinstance(item, Failure) else Answer(item, None) for item in found]


def probable(result: Any, labels: Sequence[Output], count: int) -> Outcomes | Failure:
    """The most probable label of each row, with its probability."""
    if not isinstance(result, np.ndarray):
        return misshapen(f"predict_proba returned {_kind(result)} and no array")
    if result.shape != (count, len(labels)) or result.dtype.kind not in "fiu":
        return misshapen(
            f"predict_proba returned an array of shape {result.shape} and not one probability "
            f"for each of {len(labels)} classes"
        )
    if count == 1:
        return [_best(result[0].tolist(), labels)]
    return _best_of_many(result, labels)


def _best(row: list[float], labels: Sequence[Output]) -> Answer | Failure:
    confidence = max(row)
    # A comparison with NaN is false, so one NaN anywhere fails this.
    if all(-_ROUNDING <= share <= 1 + _ROUNDING for share in row):
        return Answer(labels[row.index(confidence)], min(max(confidence, 0.0), 1.0))
    return misshapen("predict_proba returned something that is no probability")


def _best_of_many(result: np.ndarray[Any, Any], labels: Sequence[Output]) -> Outcomes:
    best = result.argmax(axis=1)
    confidence = np.take_along_axis(result, best[:, None], axis=1)[:, 0].clip(0.0, 1.0)
    good = ((result >= -_ROUNDING) & (result <= 1 + _ROUNDING)).all(axis=1)
    found: Outcomes = [
        Answer(labels[which], share)
        for which, share in zip(best.tolist(), confidence.tolist(), strict=True)
    ]
    for row in np.flatnonzero(~good).tolist():
        found[row] = misshapen("predict_proba returned something that is no probability")
    return found


def _kind(value: object) -> str:
    name = type(value).__name__
    return "None" if value is None else safe(f"an object of type {name}", longest=100)
