"""What the attributes of loaded objects may hold.

scikit-learn uses what it finds in an attribute: it calls it, asks it to predict, or looks up the
method that is named there. So every attribute holds plain data only, unless a closed list says
what else, or that it must be one of a few names. The list is data, made and reviewed with
`scripts/generate_allowlist.py`: one `attribute shape what...` a line. The shape is

    holds      plain data, or what is listed
    only       nothing but what is listed, a placeholder such as `drop`, or None; in lists too
    named      pairs of a name and what is listed; what comes behind them is plain
    names      one of these names, or several, or a flag
    dotted     the same, with dots between
    keywords   a dict whose keys are among these names, and whose values are plain
    dtypes     one of these types, or its name

and what is listed are functions and classes (`module:name`), instances of a class (`module:name()`)
and `estimator`, which is any instance of an admitted one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from mlreg.artifacts.refusals import name_of, refuse
from mlreg.names import safe

FILE = "allowed_states.txt"
ESTIMATOR = "estimator"

_PLACEHOLDERS = ("drop", "passthrough", "zero", "deprecated")
_ATOMS = {type(None), bool, int, float, complex, str, bytes, bytearray, slice}
_CONTAINERS = (list, tuple, set, frozenset, dict)
# Honest states hold lists in lists and little more; what is deeper is made to exhaust a stack.
_MAX_NESTING = 30
_MAX_CHAIN = 300
# They lead back up or sideways.
_BACKWARDS = {"owner", "prev_leaf_", "next_leaf_", "dummy_leaf_", "_metadata_request"}


class Rule(NamedTuple):
    """What one attribute may hold."""

    shape: str
    listed: tuple[str, ...]


_PLAIN = Rule("holds", ())


@cache
def rules() -> dict[str, Rule]:
    """The list that ships with mlreg."""
    return parse(files("mlreg.artifacts").joinpath(FILE).read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, Rule]:
    """Read the list's text; lines that begin with `#` are remarks."""
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {name: Rule(shape, tuple(listed)) for name, shape, *listed in lines}


def check(objects: Iterable[object]) -> None:
    """Refuse objects whose attributes hold what the list does not admit, or one another in a ring.

    Args:
        objects: All that was made while an artifact was read.
    """
    parts: dict[int, list[int]] = {}
    for target in objects:
        held = getattr(target, "__dict__", None)
        if held and not isinstance(target, type):
            parts[id(target)] = [id(part) for part in _parts(target, held)]
    _check_chains(parts)


def _parts(target: object, held: Mapping[str, Any]) -> Iterator[object]:
    """Check each attribute of an object, and say what objects it is made of."""
    for name, value in held.items():
        if type(value) in _ATOMS and name not in rules():
            continue
        for part in _check_one(target, name, value):
            if name not in _BACKWARDS:
                yield part


def _check_one(target: object, name: str, value: Any) -> list[object]:
    rule = rules().get(name, _PLAIN)
    try:
        found = list(strange_parts(value))
        wrong = _SHAPES[rule.shape](rule.listed, value, found)
    except _TooDeep:
        raise refuse(f"nests {name_of(type(target))}.{safe(name)} too deeply") from None
    if wrong is not _NOTHING:
        raise refuse(f"has {_describe(wrong)} in {name_of(type(target))}.{safe(name)}")
    return found


# --- shapes: each says what in the value is wrong ---------------------------------------------

_NOTHING = object()


def _wrong_held(listed: tuple[str, ...], _: Any, found: list[object]) -> object:
    return next((part for part in found if not _is_listed(part, listed)), _NOTHING)


def _wrong_only(listed: tuple[str, ...], value: Any, _: list[object]) -> object:
    for part in _members(value):
        if part is not None and not _is_placeholder(part) and not _is_listed(part, listed):
            return part
    return _NOTHING


def _wrong_named(listed: tuple[str, ...], value: Any, found: list[object]) -> object:
    """A sequence of pairs, or one of them: a name, a part, and perhaps columns."""
    entries = [value] if type(value) is tuple and value and type(value[0]) is str else value
    if entries is None:
        return _NOTHING
    if type(entries) not in (list, tuple):
        return value
    members = []
    for entry in entries:
        if type(entry) not in (list, tuple) or len(entry) < 2 or not isinstance(entry[0], str):
            return entry
        members.append(entry[1])
    wrong = _wrong_only(listed, members, [])
    strays = (part for part in found if not any(part is one for one in members))
    return wrong if wrong is not _NOTHING else next(strays, _NOTHING)


def _wrong_names(listed: tuple[str, ...], value: Any, _: list[object]) -> object:
    for part in _members(value):
        if type(part) not in (type(None), bool) and not (type(part) is str and part in listed):
            return part
    return _NOTHING


def _wrong_dotted(listed: tuple[str, ...], value: Any, _: list[object]) -> object:
    steps = value.split(".") if type(value) is str else [value]
    for before, step in zip(["", *steps], steps, strict=False):
        chosen = before == "named_steps" and type(step) is str and step[:1].isalpha()
        if not chosen and step not in listed:
            return value
    return _NOTHING


def _wrong_keywords(listed: tuple[str, ...], value: Any, found: list[object]) -> object:
    if value is None:
        return _NOTHING
    if type(value) is not dict:
        return value
    names = (name for name in value if type(name) is not str or name not in listed)
    return next(names, found[0] if found else _NOTHING)


def _wrong_dtype(listed: tuple[str, ...], value: Any, found: list[object]) -> object:
    if isinstance(value, np.dtype):
        return _NOTHING if f"numpy:{value.name}" in listed else value
    if type(value) is str:
        return _NOTHING if f"numpy:{value}" in listed or value == "auto" else value
    return value if type(value) not in (type(None), type) else _wrong_held(listed, value, found)


_SHAPES = {
    "holds": _wrong_held,
    "only": _wrong_only,
    "named": _wrong_named,
    "names": _wrong_names,
    "dotted": _wrong_dotted,
    "keywords": _wrong_keywords,
    "dtypes": _wrong_dtype,
}


def _is_placeholder(part: object) -> bool:
    return type(part) is str and part in _PLACEHOLDERS


def _is_listed(part: Any, listed: tuple[str, ...]) -> bool:
    kind: Any = type(part)
    if isinstance(part, type) or kind.__module__ == "builtins":
        return any(part is _found(path) for path in listed) or _local_name(part) in listed
    return (
        (ESTIMATOR in listed and _is_estimator(kind))
        or any(kind is _found(path[:-2]) for path in listed if path.endswith("()"))
        or any(part is _found(path) for path in listed if not path.endswith("()"))
    )


def _local_name(part: Any) -> str:
    """What a function is called that no file can name, since it was made inside another one."""
    name = getattr(part, "__qualname__", "")
    return f"{part.__module__}:{name}" if "<locals>" in name else ""


@cache
def _is_estimator(cls: Any) -> bool:
    from sklearn.base import BaseEstimator

    return issubclass(cls, BaseEstimator)


def _found(path: str) -> object:
    """What a line of the list names, if it was imported: else nothing here can be it."""
    module, _, name = path.partition(":")
    return getattr(sys.modules.get(module), name, _NOTHING)


# --- what a value is made of ------------------------------------------------------------------


class _TooDeep(Exception):
    pass


def strange_parts(value: Any) -> Iterator[object]:
    """What in a value is no plain data, however deep in lists, dicts, sets and arrays."""
    waiting = [(value, 0)]
    seen: set[int] = set()
    while waiting:
        part, depth = waiting.pop()
        kind: Any = type(part)
        if kind in _ATOMS or _is_data(kind):
            if isinstance(part, np.ndarray) and part.dtype.hasobject:
                waiting += [(item, depth + 1) for item in _inner(part.ravel().tolist())]
        elif not isinstance(part, _CONTAINERS) or _is_instance(kind):
            yield part
        elif id(part) not in seen:
            seen.add(id(part))
            if depth >= _MAX_NESTING:
                raise _TooDeep
            items = [*part, *part.values()] if isinstance(part, dict) else part
            waiting += [(item, depth + 1) for item in _inner(items)]


def _inner(items: Any) -> list[Any]:
    """Those of the items that have to be looked at; a long list of words is passed quickly."""
    unknown = {kind for kind in set(map(type, items)) if kind not in _ATOMS}
    return [item for item in items if type(item) in unknown] if unknown else []


@cache
def _is_data(kind: Any) -> bool:
    from scipy.sparse import sparray, spmatrix

    return issubclass(kind, np.generic | np.dtype | np.ndarray | spmatrix | sparray)


def _is_instance(kind: type) -> bool:
    """Whether it is more than a list or dict: a class of its own with attributes, such as Bunch."""
    return kind not in _CONTAINERS and not issubclass(kind, tuple)


def _members(value: Any) -> Iterator[object]:
    """What a slot holds, out of its lists, tuples, arrays of objects and dicts."""
    waiting = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > _MAX_NESTING:
            raise _TooDeep
        if isinstance(part, np.ndarray) and part.dtype == object:
            waiting += [(item, depth + 1) for item in part.ravel().tolist()]
        elif type(part) in (list, tuple):
            waiting += [(item, depth + 1) for item in part]
        elif isinstance(part, dict):
            waiting += [(item, depth + 1) for item in part.values()]
        elif type(part).__name__ == "_ImputerTriplet":
            waiting.append((part.estimator, depth + 1))
        else:
            yield part


# --- chains -----------------------------------------------------------------------------------


def _check_chains(parts: dict[int, list[int]]) -> None:
    """No object is part of itself, and none is at the end of a very long chain."""
    depths: dict[int, int] = {}
    for start in parts:
        path = [(start, iter(parts[start]))]
        on_path = {start}
        while path and start not in depths:
            current, rest = path[-1]
            following = next((one for one in rest if one in parts and one not in depths), None)
            if following is None:
                depths[current] = 1 + max((depths.get(one, 0) for one in parts[current]), default=0)
                on_path.discard(current)
                path.pop()
            elif following in on_path or len(path) > _MAX_CHAIN:
                raise refuse("is made of objects that hold one another")
            else:
                on_path.add(following)
                path.append((following, iter(parts[following])))
        if depths[start] > _MAX_CHAIN:
            raise refuse("is made of too long a chain of objects")


def _describe(wrong: object) -> str:
    if type(wrong) in _ATOMS:
        return safe(repr(wrong), longest=100)
    return name_of(wrong) if callable(wrong) else f"an object of {name_of(type(wrong))}"
