"""What one value of a model must be like for the model to be proved sound."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

Check = Callable[[Any], bool]

# So many parts a model may have.
MOST_PARTS = 100
_MAX_NGRAM = 20
_LONGEST_TEXT = 1000

# Each takes time in proportion to the text.
_PATTERNS = {
    r"(?u)\b\w\w+\b", r"(?u)\b\w+\b", r"(?u)\b\w\w\w+\b", r"(?u)\w+", r"(?u)\w\w+",
    r"\b\w\w+\b", r"\b\w+\b", r"\b\w\w\w+\b", r"\w+", r"\w\w+", r"\S+", r"[^\s]+",
    r"[a-z]+", r"[a-zA-Z]+", r"[A-Za-z]+", r"\b[a-zA-Z]+\b", r"\b[a-z]+\b",
    r"[a-zA-Z0-9]+", r"[a-z0-9]+",
}  # fmt: skip


def is_flag(value: Any) -> bool:
    """True or false."""
    return type(value) in (bool, np.bool_)


def is_number(value: Any) -> bool:
    """One number, of a usual size."""
    return type(value) in (int, float, bool, np.float64, np.float32, np.int64, np.int32, np.uint64)


def is_none(value: Any) -> bool:
    """Nothing."""
    return value is None


def is_word(value: Any) -> bool:
    """A short text."""
    return type(value) is str and len(value) <= _LONGEST_TEXT


def is_plain(value: Any) -> bool:
    """A parameter that is only compared or computed with: a number, word, or flat group of them."""
    if value is None or is_number(value) or is_word(value):
        return True
    if type(value) in (tuple, list):
        return all(item is None or is_number(item) or is_word(item) for item in value)
    if type(value) is dict:
        return all(is_number(one) or is_word(one) for item in value.items() for one in item)
    return is_floats(value)


def is_floats(value: Any, *dimensions: int) -> bool:
    """An array of plain numbers."""
    return (
        type(value) is np.ndarray
        and value.dtype.kind in "biuf"
        and 1 <= value.dtype.itemsize <= 8
        and value.dtype.isnative
        and (not dimensions or value.ndim in dimensions)
    )


def is_row(value: Any) -> bool:
    """A number for each feature or class."""
    return is_floats(value, 1)


def is_table(value: Any) -> bool:
    """Numbers by class and feature."""
    return is_floats(value, 2)


def is_words(value: Any) -> bool:
    """A list, set or array of texts."""
    if type(value) is np.ndarray:
        return value.ndim == 1 and (
            value.dtype.kind == "U" or (value.dtype == object and set(map(type, value)) <= {str})
        )
    return type(value) in (list, tuple, set, frozenset) and set(map(type, value)) <= {str}


def is_labels(value: Any) -> bool:
    """The classes, as numbers or texts."""
    return (is_row(value) or is_words(value)) and type(value) is np.ndarray and len(value) > 1


def is_vocabulary(value: Any) -> bool:
    """Texts, each with a column of its own: exactly 0 to n - 1, for scipy checks none of them."""
    if type(value) is not dict or not value or set(map(type, value)) != {str}:
        return False
    if not set(map(type, value.values())) <= {int, np.int64, np.int32}:
        return False
    try:
        columns = np.fromiter(value.values(), np.int64, len(value))
    except OverflowError:
        return False
    return bool((np.sort(columns) == np.arange(len(value))).all())


def is_among(*choices: Any) -> Check:
    """One of these words, flags, or None."""
    return lambda value: type(value) in (str, bool, type(None)) and value in choices


def is_between(least: int, most: int) -> Check:
    """A whole number in these bounds."""
    return lambda value: type(value) in (int, np.int64) and least <= value <= most


def is_type(*names: str) -> Check:
    """One of numpy's own types."""
    return lambda value: isinstance(value, type) and value in [getattr(np, name) for name in names]


def maybe(check: Check) -> Check:
    """What the check takes, or None."""
    return lambda value: value is None or check(value)


def is_ngrams(value: Any) -> bool:
    """The shortest and longest run of words or characters."""
    return (
        type(value) in (tuple, list)
        and len(value) == 2
        and set(map(type, value)) == {int}
        and 1 <= value[0] <= value[1] <= _MAX_NGRAM
    )


def is_named(value: Any) -> bool:
    """Pairs of a name and an object, which is looked at on its own."""
    return (
        type(value) is list
        and 0 < len(value) <= MOST_PARTS
        and all(type(pair) is tuple and len(pair) == 2 and is_word(pair[0]) for pair in value)
    )


def is_number_dtype(value: Any) -> bool:
    """The element type of an array of plain numbers."""
    return isinstance(value, np.dtype) and value.kind in "biuf" and 1 <= value.itemsize <= 8


def is_weights(value: Any) -> bool:
    """A number for each name."""
    return type(value) is dict and all(is_word(k) and is_number(v) for k, v in value.items())


def is_pattern(value: Any) -> bool:
    """A pattern of words that is known to be quick."""
    return type(value) is str and value in _PATTERNS


def is_encoding(value: Any) -> bool:
    """The name of an encoding."""
    return type(value) is str and re.fullmatch(r"[A-Za-z0-9_-]{1,30}", value) is not None
