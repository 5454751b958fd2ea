"""What a pickle may call functions with and fill objects with.

numpy and compiled code believe the state that they are given. Each check here stands for a way
in which a forged state would read or write memory that is not its own, or change what code runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from math import prod
from typing import Any

import numpy as np

from mlreg.artifacts import structures
from mlreg.artifacts.refusals import name_of, refuse
from mlreg.names import safe

_DTYPE = re.compile(r"[<>=|]?[?biufcmMOSUV][0-9]{0,9}(\[[0-9]{0,6}[a-zA-Z]{1,7}\])?")
_ALIGNED_STRUCT = 0x80
_PICKLED_FLAGS = 0xFF  # numpy 2.5 has one more, for itself, which it does not pickle
_GENERATORS = {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"}
_LONGEST_ARGUMENT = 100
# Attributes of a class that fits set on its instances; all others would change what its code does.
_MAY_REPLACE = {"positive"}


class ArrayHeader:
    """What joblib writes before the bytes of an array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: str
    numpy_array_alignment_bytes: int | None = None


class MemoryMap:
    """The class that joblib names for an array that was mapped; it is read back as a plain one."""


MemoryMap.__module__, MemoryMap.__qualname__ = "numpy", "memmap"


def read_array(header: ArrayHeader, source: Any) -> np.ndarray[Any, Any]:
    """The array whose bytes follow its header."""
    if header.numpy_array_alignment_bytes is not None:
        source.seek(int.from_bytes(source.read(1), "little"), 1)
    dtype, count = header.dtype, prod(header.shape)
    start, size = source.tell(), count * header.dtype.itemsize
    if size > len(source.getbuffer()) - start:
        raise EOFError("an array is cut short")
    flat: np.ndarray[Any, Any] = np.empty(count, dtype)
    if size:
        flat[:] = np.frombuffer(source.getbuffer(), dtype, count, start)
    source.seek(start + size)
    array = (
        flat.reshape(header.shape[::-1]).T if header.order == "F" else flat.reshape(header.shape)
    )
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


# --- calls ----------------------------------------------------------------------------------


def check_call(function: Any, args: Any) -> None:
    """Refuse arguments that the function never gets from an honest pickle."""
    key = (getattr(function, "__module__", None), getattr(function, "__name__", None))
    if key in NEVER_CALLED:
        raise refuse(f"calls {name_of(function)}")
    known = function if function in (np.dtype, bytes) else key
    check: Callable[..., bool] = CALLS.get(known, _are_scalars)
    if type(args) is not tuple or not check(*args):
        raise refuse(f"calls {name_of(function)} with strange arguments")


def _are_scalars(*args: Any) -> bool:
    """What is good enough for classes of numbers, such as the losses, and for a slice."""
    return all(
        isinstance(arg, int | float | np.number | None)
        or (type(arg) is str and len(arg) <= _LONGEST_ARGUMENT)
        for arg in args
    )


def _is_reconstruct(*args: Any) -> bool:
    return len(args) == 3 and args[0] is np.ndarray and args[1] == (0,) and args[2] in (b"b", "b")


def _is_masked_reconstruct(*args: Any) -> bool:
    masked = np.ma.MaskedArray
    return args[:2] == (masked, np.ndarray) and args[2:] in (((0,), "b"), ((0,), b"b"))


def _is_scalar(*args: Any) -> bool:
    dtype, data = args
    plain = type(data) is bytes and _is_plain(dtype)
    return plain and len(data) == dtype.itemsize


def _is_frombuffer(*args: Any) -> bool:
    data, dtype, shape, order = args
    return (
        type(data) in (bytes, bytearray)
        and _is_plain(dtype)
        and _is_shape(shape)
        and order in ("C", "F")
    )


def _is_dtype(*args: Any) -> bool:
    # The third argument asks for a copy: without it a shared dtype would be filled.
    return type(args[0]) is str and bool(_DTYPE.fullmatch(args[0])) and args[1:] == (False, True)


def _is_generator_kind(*args: Any) -> bool:
    """A generator's name or, from numpy 2 on, its class."""
    kind = args[0] if args else "MT19937"
    if isinstance(kind, type):
        return issubclass(kind, np.random.BitGenerator) and kind.__name__ in _GENERATORS
    return type(kind) is str and kind in _GENERATORS and len(args) <= 1


def _is_random_state(*args: Any) -> bool:
    """A generator or its name; the second argument, of old, is what makes one of a name."""
    kind, *maker = args or ("MT19937",)
    made = isinstance(kind, np.random.BitGenerator) or _is_generator_kind(kind)
    return made and (not maker or (len(maker) == 1 and _makes_generators(maker[0])))


def _makes_generators(function: Any) -> bool:
    from numpy.random import _pickle

    return function is None or function is _pickle.__bit_generator_ctor


def _is_named(*names: str) -> Callable[..., bool]:
    """Whether the first argument is a class of one of these names, and the others are plain."""

    def check(*args: Any) -> bool:
        cls, rest = args[0], args[1:]
        plain = all(arg is None or type(arg) is int or arg == () for arg in rest)
        return isinstance(cls, type) and f"{cls.__module__}.{cls.__name__}" in names and plain

    return check


def _is_metric(*args: Any) -> bool:
    from sklearn.metrics import DistanceMetric

    return len(args) == 1 and isinstance(args[0], type) and issubclass(args[0], DistanceMetric)


def _is_tree(*args: Any) -> bool:
    features, classes, outputs = args
    return (
        type(features) is type(outputs) is int
        and 0 <= features < 2**31
        and isinstance(classes, np.ndarray)
        and classes.dtype.kind == "i"
        and classes.shape == (outputs,)
        and outputs >= 1
        and bool((classes >= 1).all() and (classes < 2**31).all())
    )


def _is_imputer(*args: Any) -> bool:
    """Which column, from which others, by what estimator: looked at when all is loaded."""
    return len(args) == 3


def _is_bytes(*args: Any) -> bool:
    return len(args) == 2 and type(args[0]) is str and args[1] in ("latin1", "latin-1")


def _is_plain(dtype: object) -> bool:
    return isinstance(dtype, np.dtype) and not dtype.hasobject


def _is_shape(shape: object) -> bool:
    return type(shape) is tuple and all(type(length) is int and length >= 0 for length in shape)


# What these make needs no state, and gets none; a vocabulary may hold a million numbers of numpy.
COMPLETE = {"_frombuffer", "scalar"}
NEVER_CALLED = {("numpy", "ndarray")}
CALLS: dict[object, Callable[..., bool]] = {
    np.dtype: _is_dtype,
    bytes: lambda *args: not args,
    ("numpy._core.multiarray", "_reconstruct"): _is_reconstruct,
    ("numpy._core.multiarray", "scalar"): _is_scalar,
    ("numpy._core.numeric", "_frombuffer"): _is_frombuffer,
    ("numpy.core.multiarray", "_reconstruct"): _is_reconstruct,
    ("numpy.core.multiarray", "scalar"): _is_scalar,
    ("numpy.core.numeric", "_frombuffer"): _is_frombuffer,
    ("numpy.ma.core", "_mareconstruct"): _is_masked_reconstruct,
    ("numpy.random._pickle", "__bit_generator_ctor"): _is_generator_kind,
    ("numpy.random._pickle", "__generator_ctor"): _is_random_state,
    ("numpy.random._pickle", "__randomstate_ctor"): _is_random_state,
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"): _is_named(
        "numpy.random.bit_generator.SeedSequence"
    ),
    ("sklearn._loss._loss", "__pyx_unpickle_CyHalfMultinomialLoss"): _is_named(
        "sklearn._loss._loss.CyHalfMultinomialLoss"
    ),
    ("sklearn.impute._iterative", "_ImputerTriplet"): _is_imputer,
    ("sklearn.metrics._dist_metrics", "newObj"): _is_metric,
    ("sklearn.neighbors._ball_tree", "newObj"): _is_named("sklearn.neighbors._ball_tree.BallTree"),
    ("sklearn.neighbors._kd_tree", "newObj"): _is_named("sklearn.neighbors._kd_tree.KDTree"),
    ("sklearn.tree._tree", "Tree"): _is_tree,
    ("_codecs", "encode"): _is_bytes,
}


# --- states ---------------------------------------------------------------------------------


def check_state(target: object, state: Any) -> None:
    """Refuse a state that would make the object, or numpy, do something else."""
    if isinstance(target, type):
        raise refuse(f"changes the class {name_of(target)}")
    for part in state if type(state) is tuple and len(state) == 2 else (state,):
        if isinstance(part, Mapping):
            check_names(target, part)
    for kind, check in STATES.items():
        if isinstance(target, kind):
            check(target, state)
    if named := NAMED_STATES.get(type(target).__name__):
        named(target, state)


def check_names(target: Any, names: Iterable[Any]) -> None:
    """Refuse attributes that stand for code, or for what the class itself has decided."""
    cls: Any = type(target)
    for name in names:
        if type(name) is not str or name.startswith("__") or _is_of_class(cls, name):
            raise refuse(f"replaces {name_of(cls)}.{safe(str(name))}")


@cache
def _is_of_class(cls: Any, name: str) -> bool:
    """Whether the class has it, other than as a property, which an instance cannot replace."""
    if issubclass(cls, dict):
        return callable(getattr(cls, name, None))
    found = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    return found is not None and not hasattr(found, "__set__") and name not in _MAY_REPLACE


def _check_header(_: Any, state: Any) -> None:
    good = (
        type(state) is dict
        and isinstance(state.get("dtype"), np.dtype)
        and _is_shape(state.get("shape"))
        and state.get("order") in ("C", "F")
        and (state["dtype"].itemsize > 0 or 0 in state["shape"])
        and state.get("subclass") in (np.ndarray, MemoryMap)
        and type(state.get("numpy_array_alignment_bytes")) in (int, type(None))
    )
    if not good:
        raise refuse("describes an array strangely")


def _check_array(_: Any, state: Any) -> None:
    """The bytes must be as many as the shape says; only plain object arrays hold objects."""
    shape, dtype, _order, data = (
        state[-4:] if type(state) is tuple and len(state) > 3 else (None,) * 4
    )
    if not _is_shape(shape) or not isinstance(dtype, np.dtype):
        raise refuse("describes an array strangely")
    size = prod(shape)
    fits = (dtype.itemsize > 0 or not size) and (
        type(data) is list and len(data) == size
        if dtype.hasobject
        else type(data) is bytes and len(data) == size * dtype.itemsize
    )
    if not fits:
        raise refuse("describes an array strangely")


def _check_masked(target: Any, state: Any) -> None:
    """A masked array's state is an array's, then the mask's bytes and the fill value."""
    if type(state) is not tuple or len(state) != 7 or type(state[5]) is not bytes:
        raise refuse("describes an array strangely")
    _check_array(target, state[:5])
    if state[2].names or len(state[5]) != prod(state[1]):
        raise refuse("describes an array strangely")


def _check_dtype(target: np.dtype[Any], state: Any) -> None:
    """What numpy itself would make of the fields must equal what the state claims.

    numpy takes offsets and flags as they come: a false flag has it read bytes as pointers.
    """
    if type(state) is not tuple or len(state) not in (8, 9):
        raise refuse("describes a dtype strangely")
    _, _, shaped, names, fields, size, alignment, flags = state[:8]
    plain = shaped is None and not names and not fields
    honest = target if plain else _honest_dtype(shaped, names, fields, target.itemsize)
    same = (
        honest.itemsize == target.itemsize
        and size in (-1, target.itemsize)
        and type(alignment) is int
        and alignment in (-1, *(2**power for power in range(7)))
        and type(flags) is int
        and 0 <= flags <= _PICKLED_FLAGS
        and (flags ^ honest.flags) & _PICKLED_FLAGS & ~_ALIGNED_STRUCT == 0
        and (plain or (target.kind == "V" and not honest.hasobject))
        and (len(state) == 8 or target.kind in "mM" or state[8] is None)
    )
    if not same:
        raise refuse("describes a dtype strangely")


def _honest_dtype(shaped: Any, names: Any, fields: Any, size: int) -> np.dtype[Any]:
    try:
        if shaped is not None:
            honest: np.dtype[Any] = np.dtype(shaped)
            return honest
        return np.dtype(
            {
                "names": list(names),
                "formats": [fields[name][0] for name in names],
                "offsets": [fields[name][1] for name in names],
                "itemsize": size,
            }
        )
    except (TypeError, ValueError, KeyError, IndexError):
        raise refuse("describes a dtype strangely") from None


def _check_vectorizer(target: Any, state: Any) -> None:
    """`filename` would have the model read whatever file the text to predict names."""
    if type(state) is not dict or state.get("input", "content") != "content":
        raise refuse(f"makes {name_of(type(target))} read files")


STATES: dict[type, Callable[[Any, Any], None]] = {
    ArrayHeader: _check_header,
    np.dtype: _check_dtype,
    np.ndarray: lambda target, state: (
        _check_masked(target, state)
        if isinstance(target, np.ma.MaskedArray)
        else _check_array(target, state)
    ),
}
# By the name of the class, so that nothing is imported for artifacts that do not have it.
NAMED_STATES: dict[str, Callable[[Any, Any], None]] = {
    "CountVectorizer": _check_vectorizer,
    "TfidfVectorizer": _check_vectorizer,
    "HashingVectorizer": _check_vectorizer,
    "MT19937": structures.check_mersenne,
    "RandomState": structures.check_random_state,
    "Philox": structures.check_philox,
    "Tree": structures.check_tree,
    "KDTree": structures.check_neighbours,
    "BallTree": structures.check_neighbours,
}
